#include "align/jinja/lexer.h"

#include <algorithm>
#include <charconv>

#include "align/jinja/string_escapes.h"
#include "core/error.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool in_name(char c) {
  return begins_name(c) || is_digit(c);
}

// Bytes of the white space at `at`: 0 when there is none.
std::size_t space_at(std::string_view text, std::size_t at) {
  const char* p = text.data() + at;
  const std::size_t length = utf8::length(*p);
  const char32_t c = utf8::next(p);
  return utf8::is_space(c) || (c >= 0x1c && c <= 0x1f) ? length : 0;
}

// Where the white space at the end of `text` begins.
std::size_t trailing_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t last = end - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    if (space_at(text, last) == 0) break;
    end = last;
  }
  return end;
}

std::string normalize_newlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
    } else if (!source.substr(i + 1).starts_with('\n')) {  // "\r\n" is one line end
      text += '\n';
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name)
      : source_(normalize_newlines(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data();
    push(TokenKind::end);
    return std::move(tokens_);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_input("{}, line {}: {}", name_, line_, fmt::format(format, std::forward<Args>(args)...));
  }

  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  Token& push(TokenKind kind, std::string text = {}) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.line = line_;
    tokens_.push_back(std::move(token));
    return tokens_.back();
  }

  void advance(std::size_t bytes) {
    const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    line_ += static_cast<int>(std::count(from, from + static_cast<std::ptrdiff_t>(bytes), '\n'));
    at_ += bytes;
  }

  void skip_space() {
    while (at_ < source_.size()) {
      const std::size_t bytes = space_at(source_, at_);
      if (bytes == 0) break;
      advance(bytes);
    }
  }

  // Literal text up to the next tag, then that tag.
  void read_data() {
    std::size_t tag = at_;
    for (;; ++tag) {
      tag = std::min(source_.find('{', tag), source_.size());
      if (tag + 1 >= source_.size()) tag = source_.size();
      if (tag == source_.size()) break;
      const char second = source_[tag + 1];
      if (second == '{' || second == '%' || second == '#') break;
    }
    std::string_view data = std::string_view(source_).substr(at_, tag - at_);
    const int line = line_;
    const std::size_t raw_bytes = data.size();
    const char kind = tag < source_.size() ? source_[tag + 1] : '\0';
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (kind != '\0') data = stripped_before(data, kind, sign);
    if (!data.empty()) push(TokenKind::data, std::string(data)).line = line;
    advance(raw_bytes);
    if (kind == '\0') return;
    advance(sign == '-' || sign == '+' ? 3 : 2);
    if (kind == '#') return skip_comment();
    if (kind == '%' && read_raw()) return;
    push(kind == '{' ? TokenKind::output_begin : TokenKind::tag_begin);
    read_tag(kind == '{');
  }

  // What whitespace control leaves of the text before a tag.
  std::string_view stripped_before(std::string_view data, char kind, char sign) const {
    if (sign == '-') return data.substr(0, trailing_space(data));
    if (sign == '+' || kind == '{') return data;
    const std::size_t newline = data.rfind('\n');
    const bool at_line_start =
        newline != std::string_view::npos || at_ == 0 || source_[at_ - 1] == '\n';
    if (!at_line_start) return data;
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    return trailing_space(data) <= begin ? data.substr(0, begin) : data;
  }

  // After the end of a tag or comment: the newline that trim_blocks drops, or all white
  // space after '-'.
  void after_tag(char sign) {
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && peek() == '\n') {
      advance(1);
    }
  }

  void skip_comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) fail("a comment {{# is not closed by #}}");
    const char before = end > at_ ? source_[end - 1] : '\0';
    advance(end + 2 - at_);
    after_tag(before == '-' || before == '+' ? before : '\0');
  }

  // {% raw %} ... {% endraw %}, whose text is taken as it is.
  bool read_raw() {
    std::size_t at = skip_blanks(at_);
    if (source_.compare(at, 3, "raw") != 0) return false;
    at = skip_blanks(at + 3);
    const bool strip = source_.compare(at, 3, "-%}") == 0;
    if (!strip && source_.compare(at, 2, "%}") != 0) return false;
    advance(at + (strip ? 3 : 2) - at_);
    if (strip) skip_space();
    std::size_t begin = at_;
    for (;;) {
      begin = source_.find("{%", begin);
      if (begin == std::string::npos) fail("{{% raw %}} is not closed by {{% endraw %}}");
      const char sign = begin + 2 < source_.size() ? source_[begin + 2] : '\0';
      const std::size_t name = skip_blanks(begin + 2 + (sign == '-' || sign == '+' ? 1 : 0));
      std::size_t end = source_.compare(name, 6, "endraw") == 0 ? skip_blanks(name + 6) : name;
      const char closing = end < source_.size() ? source_[end] : '\0';
      if (end != name && (closing == '-' || closing == '+')) ++end;
      if (end == name || source_.compare(end, 2, "%}") != 0) {
        ++begin;
        continue;
      }
      const std::string_view text = std::string_view(source_).substr(at_, begin - at_);
      const std::string_view data = stripped_before(text, '%', sign);
      if (!data.empty()) push(TokenKind::data, std::string(data));
      advance(end + 2 - at_);
      after_tag(closing);
      return true;
    }
  }

  std::size_t skip_blanks(std::size_t at) const {
    while (at < source_.size() && space_at(source_, at) > 0) at += space_at(source_, at);
    return std::min(at, source_.size());
  }

  // Tokens up to the end of a tag, which counts only outside of brackets.
  void read_tag(bool output) {
    const std::string_view end = output ? "}}" : "%}";
    std::string brackets;
    for (;;) {
      skip_space();
      if (at_ >= source_.size()) fail("the template ends within a tag: {} is missing", end);
      if (brackets.empty()) {
        const char sign = peek();
        const bool signed_end =
            (sign == '-' || (sign == '+' && !output)) && rest().substr(1).starts_with(end);
        if (signed_end || rest().starts_with(end)) {
          push(output ? TokenKind::output_end : TokenKind::tag_end);
          advance(signed_end ? 3 : 2);
          // An output keeps the newline after it.
          after_tag(signed_end ? sign : output ? '+' : '\0');
          return;
        }
      }
      read_token(brackets);
    }
  }

  void read_token(std::string& brackets) {
    const char c = peek();
    if (begins_name(c)) {
      std::size_t length = 1;
      while (in_name(peek(length))) ++length;
      push(TokenKind::name, std::string(rest().substr(0, length)));
      return advance(length);
    }
    if (is_digit(c)) return read_number();
    if (c == '"' || c == '\'') return read_text();
    read_symbol(brackets);
  }

  void read_symbol(std::string& brackets) {
    constexpr std::string_view symbols[] = {"==", "!=", ">=", "<=", "//", "**", "+", "-", "/",
                                            "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                            ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    const auto found = std::find_if(std::begin(symbols), std::end(symbols),
                                    [&](std::string_view one) { return rest().starts_with(one); });
    if (found == std::end(symbols)) {
      fail("'{}' is not part of the template language", rest().substr(0, utf8::length(peek())));
    }
    const char c = (*found)[0];
    if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty() || brackets.back() != c) fail("'{}' closes no bracket", c);
      brackets.pop_back();
    }
    push(TokenKind::symbol, std::string(*found));
    advance(found->size());
  }

  // Digits with single '_' between them, from `at` on; appends them to `digits`.
  std::size_t read_digits(std::size_t at, std::string& digits) const {
    while (is_digit(peek(at)) || (peek(at) == '_' && is_digit(peek(at + 1)) && !digits.empty())) {
      if (peek(at) != '_') digits += peek(at);
      ++at;
    }
    return at;
  }

  void read_number() {
    std::string digits;
    std::size_t length = read_digits(0, digits);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    bool real = false;
    if (peek() == '0' && length == 1 &&
        std::string_view("xXoObB").find(peek(1)) != std::string_view::npos && peek(1) != '\0') {
      fail("integers are written in decimal digits here");
    }
    if (!after_dot && peek(length) == '.' && is_digit(peek(length + 1))) {
      digits += '.';
      length = read_digits(length + 1, digits);
      real = true;
    }
    const bool sign = peek(length + 1) == '+' || peek(length + 1) == '-';
    if (!after_dot && (peek(length) == 'e' || peek(length) == 'E') &&
        is_digit(peek(length + (sign ? 2 : 1)))) {
      digits += 'e';
      if (sign && peek(length + 1) == '-') digits += '-';
      length = read_digits(length + (sign ? 2 : 1), digits);
      real = true;
    }
    const char* end = digits.data() + digits.size();
    Token& token = push(real ? TokenKind::real : TokenKind::integer);
    const auto result = real ? std::from_chars(digits.data(), end, token.real)
                             : std::from_chars(digits.data(), end, token.integer);
    if (result.ec != std::errc()) fail("the number {} is too large", digits.substr(0, 40));
    if (!real && digits.size() > 1 && digits[0] == '0' &&
        digits.find_first_not_of('0') != std::string::npos) {
      fail("the integer {} begins with a zero", digits.substr(0, 40));
    }
    advance(length);
  }

  void read_text() {
    const char quote = peek();
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a text is not closed by {}", quote);
    const std::string_view raw = std::string_view(source_).substr(at_ + 1, end - at_ - 1);
    std::string text;
    if (!resolve_escapes(raw, text)) fail("a text has an escape sequence that Python refuses");
    push(TokenKind::text, std::move(text));
    advance(end + 1 - at_);
  }

  const std::string source_;
  const std::string& name_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  return Lexer(source, name).run();
}

}  // namespace fathom::jinja
