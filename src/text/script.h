// The script in which most of a text is written, a cheap hint at its language.
#pragma once

#include <string_view>

namespace fathom {

// "Latin", "Han", "Kana", "Hangul", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari",
// "Thai", "other", or "none" for a text without letters. Kana counts where a tenth of the
// letters are, for Japanese mixes it with Han.
std::string_view prevailing_script(std::string_view text);

}  // namespace fathom
