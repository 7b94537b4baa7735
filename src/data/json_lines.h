// The lines of JSON that the data commands write for a document.
#pragma once

#include <string>
#include <string_view>

#include "text/document.h"

namespace fathom {

// A document as it was read, but for U+FFFD in place of bytes that are not UTF-8: the row it came
// from, or for plain text {"text": ..., "source": ...}; with the members of `added` (as in `"size":
// 3, "name": "x"`, or empty) behind its own.
std::string json_line(const Document& document, std::string_view added = {});

// The same with another text in the key `field`; of several keys of that name in the last, the one
// that counts. The rest of the row keeps its bytes.
std::string json_line_with_text(const Document& document, const std::string& field,
                                std::string_view text, std::string_view added = {});

}  // namespace fathom
