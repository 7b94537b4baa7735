#include "tokenizer/json_tables.h"

#include "text/utf8.h"

namespace fathom::tokenizer {
namespace {

// Walks over JSON of valid UTF-8. Every take_... returns false, or nothing, at what it does not
// expect; then the walk is over.
class Walker {
 public:
  Walker(std::string_view text, JsonTables& tables) : text_(text), tables_(tables) {}

  std::size_t position() const { return at_; }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  bool take(char wanted) {
    if (!next_is(wanted)) return false;
    ++at_;
    return true;
  }
  bool next_is(char wanted) {
    skip_space();
    return at_ < text_.size() && text_[at_] == wanted;
  }

  std::optional<std::string_view> take_text() {
    if (!take('"')) return std::nullopt;
    const std::size_t begin = at_;
    bool plain = true;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        const std::string_view inside = text_.substr(begin, at_++ - begin);
        return plain ? std::optional(inside) : unescaped(inside);
      }
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c != '\\') continue;
      plain = false;
      ++at_;
    }
    return std::nullopt;
  }

  // A whole number from 0 of at most nine digits.
  std::optional<std::int64_t> take_number() {
    skip_space();
    const std::size_t begin = at_;
    std::int64_t value = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
      if (at_ - begin == 9) return std::nullopt;
      value = 10 * value + (text_[at_] - '0');
    }
    const bool leading_zero = at_ - begin > 1 && text_[begin] == '0';
    if (at_ == begin || leading_zero || at_ == text_.size()) return std::nullopt;
    const char c = text_[at_];
    if (c == '.' || c == 'e' || c == 'E') return std::nullopt;
    return value;
  }

  // Any value. What is in it is not checked, except that its brackets and texts end.
  bool skip_value() {
    skip_space();
    std::int64_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_text()) return false;
      } else if (c == '[' || c == '{') {
        ++at_;
        ++depth;
        continue;
      } else if (c == ']' || c == '}') {
        if (depth == 0) return true;
        ++at_;
        --depth;
      } else if (c == ',' && depth == 0) {
        return true;
      } else {
        ++at_;
      }
      if (depth == 0 && (c == '"' || c == ']' || c == '}')) return true;
    }
    return false;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  bool skip_text() {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return true;
      }
    }
    return false;
  }

  // Four hexadecimal digits behind "\u".
  static std::optional<char32_t> code_unit(std::string_view digits) {
    if (digits.size() < 4) return std::nullopt;
    char32_t unit = 0;
    for (const char c : digits.substr(0, 4)) {
      const char lower = static_cast<char>(c | 0x20);
      if (is_digit(c)) {
        unit = unit << 4 | static_cast<char32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        unit = unit << 4 | static_cast<char32_t>(lower - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    return unit;
  }

  // Pairs of surrogates are left to the reader of the whole document: few files spell them.
  std::optional<std::string_view> unescaped(std::string_view inside) {
    constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    std::string out;
    for (std::size_t i = 0; i < inside.size(); ++i) {
      if (inside[i] != '\\') {
        out += inside[i];
        continue;
      }
      const char name = inside[++i];  // take_text() saw it
      if (const std::size_t which = names.find(name); which != std::string_view::npos) {
        out += values[which];
        continue;
      }
      const auto unit = name == 'u' ? code_unit(inside.substr(i + 1)) : std::nullopt;
      if (!unit || (*unit >= 0xd800 && *unit < 0xe000)) return std::nullopt;
      utf8::append(out, *unit);
      i += 4;
    }
    return tables_.unescaped.emplace_back(std::move(out));
  }

  std::string_view text_;
  JsonTables& tables_;
  std::size_t at_ = 0;
};

// {"key": ..., ...}, where read(key) takes each value and returns whether it could.
template <class Read>
bool take_object(Walker& in, Read&& read) {
  if (!in.take('{')) return false;
  if (in.take('}')) return true;
  do {
    const auto key = in.take_text();
    if (!key || !in.take(':') || !read(*key)) return false;
  } while (in.take(','));
  return in.take('}');
}

bool take_vocab(Walker& in, JsonTables& tables) {
  return take_object(in, [&](std::string_view token) {
    const auto id = in.take_number();
    if (id) tables.vocab.emplace_back(token, *id);
    return id.has_value();
  });
}

// "left right" or ["left", "right"].
bool take_merge(Walker& in, JsonTables& tables) {
  if (in.take('[')) {
    const auto left = in.take_text();
    const auto right = left && in.take(',') ? in.take_text() : std::nullopt;
    if (!right || !in.take(']')) return false;
    tables.merges.emplace_back(*left, *right);
    return true;
  }
  const auto text = in.take_text();
  if (!text || text->starts_with("#version")) return text.has_value();
  const std::size_t space = text->find(' ');
  if (space == std::string_view::npos) return false;
  tables.merges.emplace_back(text->substr(0, space), text->substr(space + 1));
  return tables.merges.back().second.find(' ') == std::string_view::npos;
}

bool take_merges(Walker& in, JsonTables& tables) {
  if (!in.take('[')) return false;
  if (in.take(']')) return true;
  do {
    if (!take_merge(in, tables)) return false;
  } while (in.take(','));
  return in.take(']');
}

// A range of the text that is something else in the rest.
struct Replaced {
  std::size_t begin = 0, end = 0;
  std::string_view by;
};

bool take_model(Walker& in, JsonTables& tables, std::vector<Replaced>& replaced) {
  bool vocab = false, merges = false;
  const bool whole = take_object(in, [&](std::string_view key) {
    const bool is_vocab = key == "vocab", is_merges = key == "merges";
    if (!is_vocab && !is_merges) return in.skip_value();
    if (std::exchange(is_vocab ? vocab : merges, true)) return false;  // given twice
    const std::size_t begin = in.position();
    if (!(is_vocab ? take_vocab(in, tables) : take_merges(in, tables))) return false;
    replaced.push_back({begin, in.position(), is_vocab ? "{}" : "[]"});
    return true;
  });
  return whole && vocab && merges;
}

std::string replace_ranges(std::string_view text, const std::vector<Replaced>& ranges) {
  std::string out;
  std::size_t done = 0;
  for (const Replaced& range : ranges) {
    out.append(text.substr(done, range.begin - done)).append(range.by);
    done = range.end;
  }
  return out.append(text.substr(done));
}

}  // namespace

std::optional<JsonTables> scan_json_tables(std::string_view text) {
  if (utf8::valid_prefix(text) != text.size()) return std::nullopt;
  JsonTables tables;
  // At most one of either in so many bytes of a usual file; room that is not filled costs nothing.
  constexpr std::size_t bytes_each = 32;
  tables.vocab.reserve(text.size() / bytes_each);
  tables.merges.reserve(text.size() / bytes_each);
  Walker in(text, tables);
  std::vector<Replaced> replaced;
  const bool whole = take_object(in, [&](std::string_view key) {
    if (key != "model") return in.skip_value();
    return replaced.empty() && take_model(in, tables, replaced);
  });
  if (!whole || !in.at_end() || replaced.empty()) return std::nullopt;
  tables.rest = replace_ranges(text, replaced);
  return tables;
}

}  // namespace fathom::tokenizer
