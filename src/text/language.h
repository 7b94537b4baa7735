// The language that a text is written in: by its script where that is one language's own, else by
// CLD2, which knows 83 languages.
#pragma once

#include <string_view>

namespace fathom {

struct Language {
  // ISO 639-1, or 639-2 where that has none: "en", "zh", "zh-Hant", "ceb"; "unknown" for a text
  // without letters and one in no language that CLD2 knows.
  std::string_view code = "unknown";
  bool reliable = false;  // false for short texts and close calls
};

// The language of most of the text. The first 64 KiB of valid UTF-8 decide. Any thread may call it.
Language detect_language(std::string_view text);

}  // namespace fathom
