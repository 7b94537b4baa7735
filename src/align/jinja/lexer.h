// Splits a template into tokens. As transformers sets up its templates: a tag takes the
// newline after it (trim_blocks) and the blanks before it on its line (lstrip_blocks), and
// the source's last newline is dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::jinja {

enum class TokenKind {
  data,  // literal text outside of tags
  tag_begin,
  tag_end,  // {% and %}
  output_begin,
  output_end,  // {{ and }}
  name,
  text,
  integer,
  real,
  symbol,  // an operator or a bracket
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;  // of data, name, text (escapes resolved) and symbol
  std::int64_t integer = 0;
  double real = 0;
  int line = 1;

  bool is_name(std::string_view wanted) const { return kind == TokenKind::name && text == wanted; }
  bool is_symbol(std::string_view wanted) const {
    return kind == TokenKind::symbol && text == wanted;
  }
};

// `name` begins the messages. Throws an input Error with the line. The last token is `end`.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

}  // namespace fathom::jinja
