#include "data/dedup/passages.h"

#include <algorithm>

#include "data/token_hashes.h"

namespace fathom::dedup {
namespace {

// A hash of tokens that are added one by one.
struct PassageHash {
  void add(std::uint64_t hash, std::size_t length) {
    key = (key ^ hash) * 0x9e3779b97f4a7c15u;
    key ^= key >> 32;
    bytes += static_cast<std::uint32_t>(length);
  }

  std::uint64_t key = 0;
  std::uint32_t bytes = 0;
};

bool is_blank(std::string_view line) {
  const CharacterTable& table = CharacterTable::get();
  for (const char *p = line.data(), *end = p + line.size(); p < end;) {
    if (table[utf8::next(p)].kind != CharacterKind::blank) return false;
  }
  return true;
}

}  // namespace

bool TextLines::next(TextLine& line) {
  if (rest_.empty()) return false;
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  line.text = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  line.number = lines_++;
  line.blank = is_blank(line.text);
  if (!line.blank && !in_paragraph_) ++paragraphs_;
  in_paragraph_ = !line.blank;
  line.paragraph = line.blank ? 0 : paragraphs_ - 1;
  return true;
}

void find_passages(std::string_view text, TextPassages& out) {
  out.lines.clear();
  out.paragraphs.clear();
  PassageHash paragraph;
  std::uint32_t number = 0;  // of `paragraph`
  const auto end_paragraph = [&] {
    if (paragraph.bytes > 0) out.paragraphs.push_back({paragraph.key, paragraph.bytes, number});
    paragraph = {};
  };
  TextLines lines(text);
  for (TextLine line; lines.next(line);) {
    if (line.blank) {
      end_paragraph();
      continue;
    }
    number = line.paragraph;
    PassageHash own;
    for_each_token_hash(line.text,
                        [&](std::uint64_t hash, bool, const char* begin, const char* end) {
                          own.add(hash, static_cast<std::size_t>(end - begin));
                          paragraph.add(hash, static_cast<std::size_t>(end - begin));
                        });
    if (own.bytes > 0) out.lines.push_back({own.key, own.bytes, line.number});
  }
  end_paragraph();
}

}  // namespace fathom::dedup
