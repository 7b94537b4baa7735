// Texts as sequences of passages, for copies smaller than a document: lines, and paragraphs, which
// are lines without a blank one between them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/dedup/config.h"

namespace fathom::dedup {

enum class PassageLevel : std::uint8_t { line, paragraph };
inline constexpr std::array passage_levels = {PassageLevel::line, PassageLevel::paragraph};
inline std::size_t index_of(PassageLevel level) {
  return static_cast<std::size_t>(level);
}

inline const PassageConfig& config_of(const DedupConfig& config, PassageLevel level) {
  return level == PassageLevel::line ? config.lines : config.paragraphs;
}

// The file of an index's segment with the passages of this level.
inline std::string_view file_name(PassageLevel level) {
  return level == PassageLevel::line ? "lines" : "paragraphs";
}

// A passage in a segment or an index.
struct PassageRecord {
  std::uint64_t key;
  std::uint32_t document;
  std::uint32_t number;  // Passage::number

  friend auto operator<=>(const PassageRecord&, const PassageRecord&) = default;
};
static_assert(sizeof(PassageRecord) == 16);

struct Passage {
  std::uint64_t key = 0;     // a hash of its words and ideographs, as data/token_hashes.h cuts them
  std::uint32_t bytes = 0;   // of these, in UTF-8
  std::uint32_t number = 0;  // in the text, from 0; blank lines count
};

struct TextPassages {
  std::vector<Passage> lines, paragraphs;

  const std::vector<Passage>& of(PassageLevel level) const {
    return level == PassageLevel::line ? lines : paragraphs;
  }
};

// The passages of valid UTF-8 with a word or ideograph; `out` is overwritten. Case, width, blanks
// and punctuation do not change a key. Two different passages of n have equal keys with probability
// n² / 2^65.
void find_passages(std::string_view text, TextPassages& out);

// A line of a text, without its "\n".
struct TextLine {
  std::string_view text;
  std::uint32_t number = 0;
  std::uint32_t paragraph = 0;  // of a line that is not blank
  bool blank = false;
};

// Cuts a text into lines, as find_passages() numbers them.
class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}
  bool next(TextLine& line);  // false at the end; an empty text has no line

 private:
  std::string_view rest_;
  std::uint32_t lines_ = 0, paragraphs_ = 0;
  bool in_paragraph_ = false;
};

}  // namespace fathom::dedup
