// Guesses the encoding of text that is not UTF-8, for messages.
#pragma once

#include <optional>
#include <string_view>

namespace fathom {

// The likely encoding of `sample`, by its name in iconv, when the sample is clearly not
// UTF-8: it has more than a few invalid bytes, and most of its non-ASCII bytes are invalid.
// None for UTF-8, also when it has a few stray bytes.
std::optional<std::string_view> likely_encoding(std::string_view sample);

}  // namespace fathom
