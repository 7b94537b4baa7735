#include "data/dedup/cut_text.h"

#include "data/dedup/passages.h"
#include "text/characters.h"

namespace fathom::dedup {
namespace {

// Whether ascending numbers, asked about in ascending order, are in a list.
class Members {
 public:
  explicit Members(std::span<const std::uint32_t> numbers) : rest_(numbers) {}
  bool has(std::uint32_t number) {
    while (!rest_.empty() && rest_.front() < number) rest_ = rest_.subspan(1);
    return !rest_.empty() && rest_.front() == number;
  }

 private:
  std::span<const std::uint32_t> rest_;
};

}  // namespace

std::string without_passages(std::string_view text, std::span<const std::uint32_t> lines,
                             std::span<const std::uint32_t> paragraphs) {
  Members gone_lines(lines), gone_paragraphs(paragraphs);
  std::string out;
  out.reserve(text.size());
  std::size_t content = 0;  // length of `out` without blank lines at its end
  bool cut = false;         // something went behind the last line that is not blank
  bool last_blank = true;   // of the lines in `out`
  TextLines all(text);
  for (TextLine line; all.next(line);) {
    if (line.blank) {
      if (cut && last_blank) continue;
      last_blank = true;
    } else {
      const bool gone = gone_lines.has(line.number);
      if (gone_paragraphs.has(line.paragraph) || gone) {
        cut = true;
        continue;
      }
      cut = last_blank = false;
    }
    out += line.text;
    if (line.text.data() + line.text.size() < text.data() + text.size()) out += '\n';
    if (!line.blank) content = out.size();
  }
  if (cut) out.resize(content);
  if (!text.ends_with('\n') && out.ends_with('\n')) out.pop_back();
  return out;
}

bool has_words(std::string_view text) {
  const CharacterTable& table = CharacterTable::get();
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const CharacterKind kind = table[utf8::next(p)].kind;
    if (kind != CharacterKind::blank && kind != CharacterKind::punctuation) return true;
  }
  return false;
}

}  // namespace fathom::dedup
