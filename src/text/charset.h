// Decodes web pages to UTF-8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// The encoding that iconv knows under a name of the WHATWG's Encoding Standard, in any case:
// "gb2312" is GB18030, "latin1" WINDOWS-1252. Empty for a name that is not known.
std::string_view encoding_named(std::string_view label);

// The page in valid UTF-8. Its encoding is the first of these that decodes it: that of a byte order
// mark; UTF-8, when it has enough characters beyond ASCII that this is no chance; what the server
// says (`declared`, may be empty); what its <meta> says; UTF-8; the one that its bytes look like;
// UTF-8, when less than one in 1000 bytes is broken. An encoding decodes a page when at most one in
// 50 of its characters beyond ASCII is broken, or, of a page that looks like no other encoding than
// UTF-8, one in three. Broken ones become U+FFFD, and `replaced` gets their number; a character
// that the end of the page cuts is left out. None when no encoding decodes it. Pure.
std::optional<std::string> decode_page(std::string_view bytes, std::string_view declared,
                                       std::size_t& replaced);

}  // namespace fathom
