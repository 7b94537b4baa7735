#include "data/dedup/cut_text.h"

#include <algorithm>

#include "data/dedup/exact_tokens.h"
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

// The parts of a text that are covered by sequences.
class CoveredParts {
 public:
  CoveredParts(std::span<const std::uint32_t> first, std::int64_t length)
      : rest_(first), length_(static_cast<std::uint64_t>(length)) {}

  // Tokens in ascending order.
  bool has(std::uint64_t token) {
    for (; !rest_.empty() && rest_.front() <= token; rest_ = rest_.subspan(1)) {
      end_ = rest_.front() + length_;
    }
    return token < end_;
  }

 private:
  std::span<const std::uint32_t> rest_;
  std::uint64_t length_, end_ = 0;
};

// The blanks behind the last line end among some; none when there is no line end.
std::string_view indentation(std::string_view blanks) {
  const std::size_t end = blanks.rfind('\n');
  return end == std::string_view::npos ? "" : blanks.substr(end + 1);
}

// What separates the rest of a text where a part went, of the blanks before and behind that.
std::string joint(std::string_view before, std::string_view behind) {
  const auto line_ends = [](std::string_view blanks) { return std::ranges::count(blanks, '\n'); };
  const auto most = std::max(line_ends(before), line_ends(behind));
  if (most == 0) return before.empty() && behind.empty() ? "" : " ";
  const std::string_view indented = line_ends(behind) > 0 ? behind : before;
  return (most > 1 ? "\n\n" : "\n") + std::string(indentation(indented));
}

// Length of `text` without blanks at its end.
std::size_t content_length(std::string_view text) {
  const CharacterTable& table = CharacterTable::get();
  std::size_t length = text.size();
  while (length > 0) {
    std::size_t begin = length - 1;
    while (begin > 0 && (text[begin] & 0xc0) == 0x80) --begin;
    const char* p = text.data() + begin;
    if (table[utf8::next(p)].kind != CharacterKind::blank) break;
    length = begin;
  }
  return length;
}

// Adds pieces of a text, between which something went.
class JoinedText {
 public:
  explicit JoinedText(std::size_t bytes) { out_.reserve(bytes); }

  // `piece` ends with a token, or at the end of the text; `blanks` are those before its first
  // token.
  void add(std::string_view blanks, std::string_view piece, bool begins_text) {
    if (begins_text) {
      out_ += blanks;
    } else if (!out_.empty()) {
      const std::size_t length = content_length(out_);
      const std::string between = joint(std::string_view(out_).substr(length), blanks);
      const bool meet = between.empty() && ends_in_word(out_) && begins_with_word(piece);
      out_.resize(length);
      out_ += meet ? " " : between;
    } else {
      out_ += indentation(blanks);
    }
    out_ += piece;
  }
  std::string take(bool end_cut) {
    if (end_cut) out_.resize(content_length(out_));
    return std::move(out_);
  }

 private:
  static bool is_word(char32_t c) {
    const CharacterKind kind = CharacterTable::get()[c].kind;
    return kind == CharacterKind::letter || kind == CharacterKind::digit;
  }
  static bool begins_with_word(std::string_view text) {
    const char* p = text.data();
    return !text.empty() && is_word(utf8::next(p));
  }
  static bool ends_in_word(std::string_view text) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (text[begin] & 0xc0) == 0x80) --begin;
    return begins_with_word(text.substr(begin));
  }

  std::string out_;
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
  if (!text.ends_with('\n') && out.ends_with('\n')) {
    out.pop_back();
    if (out.ends_with('\r')) out.pop_back();
  }
  return out;
}

std::string without_sequences(std::string_view text, std::span<const std::uint32_t> first,
                              std::int64_t length, std::uint64_t& removed) {
  removed = 0;
  if (first.empty()) return std::string(text);
  CoveredParts covered(first, length);
  JoinedText out(text.size());
  const char* const end = text.data() + text.size();
  const char* piece = nullptr;  // the first token that stays, of those after the last that went
  const char* last_end = text.data();  // of the last token
  const char* blanks = last_end;       // before `piece`
  bool begins = true;                  // `piece` is at the beginning of the text
  const auto end_piece = [&](const char* stop) {
    if (piece) out.add({blanks, piece}, {piece, stop}, begins);
    if (piece) begins = false;
    piece = nullptr;
  };
  std::uint64_t token = 0;
  for_each_exact_token(text, [&](std::uint64_t, const char* from, const char* to) {
    if (covered.has(token++)) {
      ++removed;
      // The blanks before what goes decide, too, how the rest is joined.
      end_piece(from);
      begins = false;
    } else if (!piece) {
      piece = from;
      blanks = last_end;
    }
    last_end = to;
  });
  const bool end_cut = !piece;
  end_piece(end);
  return out.take(end_cut && removed > 0);
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
