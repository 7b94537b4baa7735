#include "text/json_field.h"

#include <vector>

#include "text/utf8.h"

namespace fathom {

namespace {

// A string between its quotes, escapes included.
struct RawString {
  std::string_view bytes;
  bool escaped = false;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text)
      : begin_(text.data()), p_(text.data()), end_(text.data() + text.size()) {}

  std::size_t position() const { return static_cast<std::size_t>(p_ - begin_); }
  bool at_end() const { return p_ == end_; }
  bool at(char c) const { return p_ < end_ && *p_ == c; }
  bool take(char c) { return at(c) ? ++p_, true : false; }
  void skip_space() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r')) ++p_;
  }
  bool string(RawString& out);
  bool key(RawString& out) {
    skip_space();
    if (!string(out)) return false;
    skip_space();
    return take(':');
  }
  // Skips one value of any kind and depth; false when it is broken or cut off.
  bool value();

 private:
  bool scalar();
  bool number();
  bool word(std::string_view text);
  bool digits();

  const char* begin_;
  const char* p_;
  const char* end_;
};

bool Scanner::string(RawString& out) {
  if (!take('"')) return false;
  const char* const start = p_;
  out.escaped = false;
  for (; p_ < end_; ++p_) {
    const auto c = static_cast<unsigned char>(*p_);
    if (c == '"') {
      out.bytes = {start, static_cast<std::size_t>(p_ - start)};
      ++p_;
      return true;
    }
    if (c < 0x20) return false;
    if (c != '\\') continue;
    out.escaped = true;
    if (++p_ == end_) return false;
    if (*p_ != 'u') {
      if (std::string_view("\"\\/bfnrt").find(*p_) == std::string_view::npos) return false;
      continue;
    }
    for (int digit = 0; digit < 4; ++digit) {
      if (++p_ == end_) return false;
      const char lower = static_cast<char>(*p_ | 0x20);
      if (!(*p_ >= '0' && *p_ <= '9') && !(lower >= 'a' && lower <= 'f')) return false;
    }
  }
  return false;
}

bool Scanner::digits() {
  const char* const start = p_;
  while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
  return p_ > start;
}

bool Scanner::number() {
  if (!take('0') && !digits()) return false;
  if (take('.') && !digits()) return false;
  if (at('e') || at('E')) {
    ++p_;
    if (!take('+')) take('-');
    if (!digits()) return false;
  }
  return true;
}

bool Scanner::word(std::string_view text) {
  for (const char c : text) {
    if (!take(c)) return false;
  }
  return true;
}

bool Scanner::scalar() {
  if (at_end()) return false;
  switch (*p_) {
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    case 'N':
      return word("NaN");
    case 'I':
      return word("Infinity");
    case '-':
      ++p_;
      return at('I') ? word("Infinity") : number();
    default:
      return number();
  }
}

bool Scanner::value() {
  std::vector<char> closing;  // of the brackets that are open, innermost last
  RawString ignored;
  for (;;) {
    skip_space();
    if (at('{') || at('[')) {
      closing.push_back(*p_ == '{' ? '}' : ']');
      ++p_;
      skip_space();
      if (!at(closing.back())) {
        if (closing.back() == '}' && !key(ignored)) return false;
        continue;
      }
    } else if (at('"')) {
      if (!string(ignored)) return false;
    } else if (!scalar()) {
      return false;
    }
    // A value has ended, and with it perhaps the brackets around it.
    for (;;) {
      if (closing.empty()) return true;
      skip_space();
      if (take(',')) {
        if (closing.back() == '}' && !key(ignored)) return false;
        break;
      }
      if (!take(closing.back())) return false;
      closing.pop_back();
    }
  }
}

// The code unit of the four hexadecimal digits at `p`, which were checked before.
char32_t code_unit(const char* p) {
  char32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    unit = unit << 4 | static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return unit;
}

// `p` is after "\u"; it moves past the digits used, of both halves of a pair.
char32_t escaped_character(const char*& p, const char* end) {
  constexpr char32_t replacement = 0xfffd;
  const char32_t first = code_unit(p);
  p += 4;
  if (first < 0xd800 || first > 0xdfff) return first;
  if (first > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u') return replacement;
  const char32_t second = code_unit(p + 2);
  if (second < 0xdc00 || second > 0xdfff) return replacement;
  p += 6;
  return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

std::string unescaped(const RawString& raw) {
  if (!raw.escaped) return std::string(raw.bytes);
  std::string out;
  out.reserve(raw.bytes.size());
  const char* p = raw.bytes.data();
  const char* const end = p + raw.bytes.size();
  while (p < end) {
    const char* const plain = p;
    while (p < end && *p != '\\') ++p;
    out.append(plain, p);
    if (p == end) break;
    const char c = p[1];
    p += 2;
    switch (c) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u':
        utf8::append(out, escaped_character(p, end));
        break;
      default:
        out += c;  // an escaped quote or slash is the character itself
    }
  }
  return out;
}

bool equals(const RawString& key, const std::string& name) {
  return key.escaped ? unescaped(key) == name : key.bytes == name;
}

// The values of the requested keys, in the order of the request.
struct Slot {
  bool seen = false, is_text = false;
  RawString text;
};

bool scan_object(Scanner& scanner, std::span<const std::string> names, std::vector<Slot>& slots) {
  if (scanner.skip_space(), scanner.take('}')) return true;
  do {
    RawString key;
    if (!scanner.key(key)) return false;
    Slot* slot = nullptr;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (equals(key, names[i])) slot = &slots[i];
    }
    scanner.skip_space();
    if (slot) slot->seen = true, slot->is_text = scanner.at('"');
    if (slot && slot->is_text ? !scanner.string(slot->text) : !scanner.value()) return false;
    scanner.skip_space();
  } while (scanner.take(','));
  return scanner.take('}');
}

JsonField found_text(JsonField::Found found, std::string_view json, const RawString& raw) {
  const auto begin = static_cast<std::size_t>(raw.bytes.data() - json.data());
  return {found, unescaped(raw), 0, begin - 1, begin + raw.bytes.size() + 1};
}

}  // namespace

JsonField find_json_text(std::string_view json, std::span<const std::string> names) {
  using Found = JsonField::Found;
  Scanner scanner(json);
  std::vector<Slot> slots(names.size());
  scanner.skip_space();
  RawString bare;
  const bool is_object = scanner.take('{'), is_string = !is_object && scanner.at('"');
  bool good = is_object   ? scan_object(scanner, names, slots)
              : is_string ? scanner.string(bare)
                          : scanner.value();
  if (good) scanner.skip_space();
  if (!good || !scanner.at_end()) return {Found::bad_syntax, "", scanner.position() + 1, 0, 0};
  if (is_string) return found_text(Found::bare_text, json, bare);
  if (!is_object) return {Found::not_an_object, "", 0, 0, 0};
  JsonField result;
  for (const Slot& slot : slots) {
    if (slot.is_text) return found_text(Found::text, json, slot.text);
    if (slot.seen) result.found = Found::other_type;
  }
  return result;
}

std::size_t json_value_end(std::string_view text) {
  Scanner scanner(text);
  if (scanner.value() || scanner.at_end()) return scanner.position();
  return std::string_view::npos;
}

}  // namespace fathom
