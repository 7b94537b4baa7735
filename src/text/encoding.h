// Guesses the encoding of text that is not UTF-8, for messages.
#pragma once

#include <optional>
#include <string_view>

namespace fathom {

// The likely encoding of `sample`, as iconv names it, when it is clearly no UTF-8: it
// has more than a few invalid bytes, and they are most of its bytes beyond ASCII.
// Nothing for UTF-8, also for UTF-8 with stray bytes.
std::optional<std::string_view> likely_encoding(std::string_view sample);

}  // namespace fathom
