#include "data/clean/text_facts.h"

#include <algorithm>

#include "io/checksum.h"
#include "text/characters.h"

namespace fathom::clean {
namespace {

std::uint32_t count_characters(std::string_view text) {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

bool is_blank(std::string_view text) {
  return trimmed(text).empty();
}

struct Placed {
  char32_t c;
  CharacterKind kind;
  const char* begin;
};

bool is_alphanumeric(const Placed& p) {
  return p.kind == CharacterKind::letter || p.kind == CharacterKind::digit;
}

bool is_small(char32_t c) {
  return CharacterTable::get()[c].folded == c;
}

// Cuts what stands between blanks into tokens.
class ChunkCutter {
 public:
  ChunkCutter(std::vector<Placed>& chunk, const char* end, TextFacts& facts)
      : chunk_(chunk), end_(end), facts_(facts), last_(chunk.size()) {}

  void cut() {
    first_ = 0;
    while (first_ < last_ && (cut_points() || cut_mark_before())) continue;
    std::size_t behind = last_;
    while (last_ > first_ && drop_mark_behind()) continue;
    cut_middle();
    for (std::size_t i = last_; i < behind;) i = push(i, i + points_at(i, behind));
  }

 private:
  const char* place(std::size_t i) const { return i < chunk_.size() ? chunk_[i].begin : end_; }

  // 2 or more points at i count as one mark, any other character as one.
  std::size_t points_at(std::size_t i, std::size_t end) const {
    std::size_t count = 0;
    while (i + count < end && chunk_[i + count].c == '.') ++count;
    return std::max<std::size_t>(1, count);
  }

  // Returns `end`.
  std::size_t push(std::size_t begin, std::size_t end) {
    if (begin == end) return end;
    Token token{{place(begin), place(end)}, static_cast<std::uint32_t>(end - begin), true, false};
    for (std::size_t i = begin; i < end; ++i) {
      token.mark &= chunk_[i].kind == CharacterKind::punctuation;
      token.has_letter |= chunk_[i].kind == CharacterKind::letter;
      facts_.digits += chunk_[i].kind == CharacterKind::digit;
    }
    facts_.tokens.push_back(token);
    if (!token.mark) {
      ++facts_.words;
      facts_.word_characters += token.characters;
    }
    return end;
  }

  bool cut_points() {
    const std::size_t count = points_at(first_, last_);
    if (count < 2) return false;
    first_ = push(first_, first_ + count);
    return true;
  }

  // Marks that belong to a word when they stand before or inside it: paths, options, addresses.
  static bool clings(char32_t c) {
    return c == '-' || c == '.' || c == '/' || c == '\\' || c == '@' || c == '~' || c == '|' ||
           c == '^';
  }

  bool cut_mark_before() {
    const Placed& p = chunk_[first_];
    if (p.kind != CharacterKind::punctuation || clings(p.c)) return false;
    const bool sign =
        p.c == '+' && first_ + 1 < last_ && chunk_[first_ + 1].kind == CharacterKind::digit;
    if (sign) return false;
    first_ = push(first_, first_ + 1);
    return true;
  }

  // Whether the point at the end belongs to "J.", "U.S." or "e.g.".
  bool ends_abbreviation() const {
    if (last_ - first_ < 2 || chunk_[last_ - 2].kind != CharacterKind::letter) return false;
    if (last_ - first_ == 2) return true;
    const bool capital = !is_small(chunk_[last_ - 2].c);
    const Placed& before = chunk_[last_ - 3];
    return before.c == '.' ||
           (capital && (before.kind != CharacterKind::letter || is_small(before.c)));
  }

  bool drop_mark_behind() {
    const Placed& p = chunk_[last_ - 1];
    if (p.kind != CharacterKind::punctuation) return false;
    if (p.c == '.') {
      if (ends_abbreviation()) return false;
    } else if (clings(p.c) || p.c == '=') {
      return false;
    } else if (p.c == '+' || p.c == '%') {
      const bool number = last_ - first_ >= 2 && chunk_[last_ - 2].kind == CharacterKind::digit;
      if (!number && last_ - first_ >= 2) return false;
    }
    --last_;
    return true;
  }

  bool is_address() const {
    const std::string_view text(place(first_), place(last_));
    return text.find("://") != std::string_view::npos || text.starts_with("www.");
  }

  // How many hyphens stand as a dash between a word and a letter: 2, 3, or 0 for none.
  std::size_t dashes_at(std::size_t i) const {
    std::size_t count = 0;
    while (count < 4 && i + count < last_ && chunk_[i + count].c == '-') ++count;
    const bool between = (count == 2 || count == 3) && i + count < last_ &&
                         is_alphanumeric(chunk_[i - 1]) &&
                         chunk_[i + count].kind == CharacterKind::letter;
    return between ? count : 0;
  }

  // Whether a mark at i, inside a word, is a token of its own.
  bool divides(std::size_t i) const {
    const Placed &before = chunk_[i - 1], &after = chunk_[i + 1];
    const bool letters =
        before.kind == CharacterKind::letter && after.kind == CharacterKind::letter;
    switch (chunk_[i].c) {
      case ',':
        return letters;
      case '-':
        return is_alphanumeric(before) && is_alphanumeric(after) &&
               (after.kind == CharacterKind::letter || before.kind == CharacterKind::digit);
      case '+':
      case '*':
      case '^':
        return before.kind == CharacterKind::digit && after.kind == CharacterKind::digit;
      case ':':
      case '<':
      case '>':
      case '=':
      case '/':
        return is_alphanumeric(before) && after.kind == CharacterKind::letter;
      case '.':
        return letters && is_small(before.c) && !is_small(after.c);
      case 0x2014:  // dashes
      case 0x2013:
        return letters;
      default:
        return false;
    }
  }

  void cut_middle() {
    if (first_ == last_) return;
    if (is_address()) {
      first_ = push(first_, last_);
      return;
    }
    for (std::size_t i = first_ + 1; i + 1 < last_; ++i) {
      const bool apostrophe = chunk_[i].c == '\'' || chunk_[i].c == 0x2019;
      if (apostrophe && last_ - i <= 3) {  // 's, 't, 'll
        first_ = push(first_, i);
      } else if (const std::size_t points = points_at(i, last_); chunk_[i].c == '.' && points > 1) {
        first_ = push(push(first_, i), i + points);
        i += points - 1;
      } else if (const std::size_t dashes = dashes_at(i); dashes > 1) {
        first_ = push(push(first_, i), i + dashes);
        i += dashes - 1;
      } else if (chunk_[i].kind == CharacterKind::punctuation && divides(i)) {
        first_ = push(push(first_, i), i + 1);
      }
    }
    push(first_, last_);
  }

  std::vector<Placed>& chunk_;
  const char* end_;
  TextFacts& facts_;
  std::size_t first_ = 0, last_;
};

void cut_tokens(TextFacts& facts) {
  const CharacterTable& table = CharacterTable::get();
  std::vector<Placed> chunk;
  const auto cut_chunk = [&](const char* end) {
    if (!chunk.empty()) ChunkCutter(chunk, end, facts).cut();
    chunk.clear();
  };
  const char* const end = facts.text.data() + facts.text.size();
  for (const char* p = facts.text.data(); p < end;) {
    const char* begin = p;
    const char32_t c = utf8::next(p);
    const CharacterKind kind = table[c].kind;
    ++facts.characters;
    if (kind == CharacterKind::blank) {
      cut_chunk(begin);
      facts.newlines += c == '\n';
    } else if (kind == CharacterKind::ideograph) {
      cut_chunk(begin);
      facts.tokens.push_back({{begin, p}, 1, false, true});
      ++facts.ideographs;
      ++facts.words;
      ++facts.word_characters;
    } else {
      chunk.push_back({c, kind, begin});
    }
  }
  cut_chunk(end);
}

void cut_lines(TextFacts& facts) {
  std::string_view rest = facts.text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    facts.lines.push_back({line, count_characters(line)});
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void cut_paragraphs(TextFacts& facts) {
  std::string_view rest = trimmed(facts.text);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find("\n\n"), rest.size());
    const std::string_view paragraph = rest.substr(0, end);
    if (!is_blank(paragraph)) facts.paragraphs.push_back({paragraph, count_characters(paragraph)});
    rest.remove_prefix(end);
    rest.remove_prefix(std::min(rest.find_first_not_of('\n'), rest.size()));
  }
}

void sum_up(TextFacts& facts) {
  facts.hashes_before.reserve(facts.tokens.size() + 1);
  facts.characters_before.reserve(facts.tokens.size() + 1);
  facts.hashes_before.push_back(0);
  facts.characters_before.push_back(0);
  for (const Token& token : facts.tokens) {
    facts.hashes_before.push_back(facts.hashes_before.back() * token_hash_base +
                                  checksum_of(token.text));
    facts.characters_before.push_back(facts.characters_before.back() + token.characters);
  }
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const CharacterTable& table = CharacterTable::get();
  const char *begin = text.data(), *end = begin + text.size();
  while (begin < end) {
    const char* next = begin;
    if (table[utf8::next(next)].kind != CharacterKind::blank) break;
    begin = next;
  }
  while (end > begin) {
    const char* last = end - 1;
    while (last > begin && (*last & 0xc0) == 0x80) --last;
    const char* after = last;
    if (table[utf8::next(after)].kind != CharacterKind::blank) break;
    end = last;
  }
  return {begin, end};
}

TextFacts::TextFacts(std::string_view text_of_document) : text(text_of_document) {
  tokens.reserve(text.size() / 5 + 1);
  cut_tokens(*this);
  cut_lines(*this);
  cut_paragraphs(*this);
  sum_up(*this);
}

}  // namespace fathom::clean
