// The tokens of a template as its parsers read them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "align/jinja/lexer.h"
#include "core/error.h"

namespace fathom::jinja {

class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, const std::string& name)
      : tokens_(std::move(tokens)), name_(name) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  const Token& next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  int line() const { return current().line; }

  bool skip_symbol(std::string_view symbol) {
    if (!current().is_symbol(symbol)) return false;
    next();
    return true;
  }
  bool skip_name(std::string_view name) {
    if (!current().is_name(name)) return false;
    next();
    return true;
  }
  void expect_symbol(std::string_view symbol) {
    if (!skip_symbol(symbol)) fail("expected '{}', found {}", symbol, shown());
  }
  std::string expect_name() {
    if (current().kind != TokenKind::name) fail("expected a name, found {}", shown());
    return next().text;
  }
  void expect(TokenKind kind, std::string_view what) {
    if (current().kind != kind) fail("expected {}, found {}", what, shown());
    next();
  }

  // The current token, for messages.
  std::string shown() const {
    const Token& token = current();
    switch (token.kind) {
      case TokenKind::data:
        return "text outside of tags";
      case TokenKind::tag_begin:
        return "'{%'";
      case TokenKind::tag_end:
        return "'%}'";
      case TokenKind::output_begin:
        return "'{{'";
      case TokenKind::output_end:
        return "'}}'";
      case TokenKind::text:
        return "a text";
      case TokenKind::integer:
      case TokenKind::real:
        return "a number";
      case TokenKind::end:
        return "the end of the template";
      case TokenKind::name:
      case TokenKind::symbol:
        break;
    }
    return "'" + token.text.substr(0, 60) + "'";
  }

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_at(line(), "{}", fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  [[noreturn]] void fail_at(int line, fmt::format_string<Args...> format, Args&&... args) const {
    fail_input("{}, line {}: {}", name_, line, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::vector<Token> tokens_;
  const std::string& name_;
  std::size_t at_ = 0;
};

}  // namespace fathom::jinja
