#include "align/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "align/jinja/expression_parser.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

constexpr int max_statement_nesting = 100;
constexpr int max_branches = 500;
constexpr std::size_t max_source = std::size_t{4} << 20;

class Parser {
 public:
  Parser(std::vector<Token> tokens, const std::string& name)
      : tokens_(std::move(tokens), name), expressions_(tokens_) {}

  Body parse() {
    Body body = parse_body({});
    if (tokens_.current().kind != TokenKind::end) {
      tokens_.fail("'{}' has nothing to end here", tokens_.current().text);
    }
    return body;
  }

 private:
  using Pointer = std::unique_ptr<const Statement>;
  using Names = std::initializer_list<std::string_view>;

  static Pointer finish(Statement statement) {
    return std::make_unique<const Statement>(std::move(statement));
  }

  // Statements up to a tag of one of `ends`, or to the template's end. The tag's name is the
  // current token afterwards.
  Body parse_body(Names ends) {
    if (nesting_ >= max_statement_nesting)
      tokens_.fail("statements are nested more than {} deep", max_statement_nesting);
    ++nesting_;
    Body body;
    while (tokens_.current().kind != TokenKind::end) {
      const Token& token = tokens_.next();
      if (token.kind == TokenKind::data) {
        Statement text{.kind = StatementKind::text, .line = token.line};
        text.expression = literal(token);
        body.push_back(finish(std::move(text)));
      } else if (token.kind == TokenKind::output_begin) {
        Statement output{.kind = StatementKind::output, .line = token.line};
        output.expression = expressions_.parse_tuple(true);
        tokens_.expect(TokenKind::output_end, "'}}'");
        body.push_back(finish(std::move(output)));
      } else {
        const std::string& name = tokens_.current().text;
        const bool named = tokens_.current().kind == TokenKind::name;
        if (named && std::find(ends.begin(), ends.end(), name) != ends.end()) break;
        if (named && ends.size() == 0 && name.starts_with("end")) break;
        body.push_back(parse_statement(token.line));
        tokens_.expect(TokenKind::tag_end, "'%}'");
      }
    }
    if (ends.size() > 0 && tokens_.current().kind == TokenKind::end) {
      tokens_.fail("the template ends, but {{% {} %}} is missing", *(ends.end() - 1));
    }
    --nesting_;
    return body;
  }

  static ExpressionPointer literal(const Token& token) {
    Expression expression{.kind = ExpressionKind::constant, .line = token.line};
    expression.constant = std::make_shared<const TextValue>(
        TextValue{Text(token.text, from_template), false, Held()});
    return std::make_unique<const Expression>(std::move(expression));
  }

  // The body after a tag's head, up to `ends`, whose last is consumed by the caller.
  Body parse_block(Names ends) {
    tokens_.skip_symbol(":");
    tokens_.expect(TokenKind::tag_end, "'%}'");
    return parse_body(ends);
  }

  // The body of a statement of its own scope, in which no break or continue reaches a loop
  // around it.
  Body parse_closed_block(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Body body = parse_block({end});
    loops_ = loops;
    tokens_.next();
    return body;
  }

  Pointer parse_statement(int line) {
    if (tokens_.current().kind != TokenKind::name) {
      tokens_.fail("expected the name of a statement, found {}", tokens_.shown());
    }
    const std::string name = tokens_.next().text;
    if (name == "if") return parse_if(line);
    if (name == "for") return parse_for(line);
    if (name == "set") return parse_set(line);
    if (name == "macro") return parse_macro(line);
    if (name == "call") return parse_call(line);
    if (name == "filter") return parse_filter(line);
    if (name == "with") return parse_with(line);
    if (name == "generation") {
      Statement generation{.kind = StatementKind::generation, .line = line};
      generation.body = parse_closed_block("endgeneration");
      return finish(std::move(generation));
    }
    if (name == "break" || name == "continue") {
      if (loops_ == 0) tokens_.fail_at(line, "'{}' is outside of a loop", name);
      return finish(
          {.kind = name == "break" ? StatementKind::stop : StatementKind::skip, .line = line});
    }
    tokens_.fail_at(line, "the statement '{}' is not supported", name);
  }

  Pointer parse_if(int line) {
    Statement choice{.kind = StatementKind::choice, .line = line};
    choice.expression = expressions_.parse_tuple(false);
    choice.body = parse_block({"elif", "else", "endif"});
    const Token& token = tokens_.next();
    if (token.text == "elif") {
      if (++branches_ > max_branches) tokens_.fail("an if has more than {} branches", max_branches);
      choice.otherwise.push_back(parse_if(token.line));
      --branches_;
    } else if (token.text == "else") {
      choice.otherwise = parse_block({"endif"});
      tokens_.next();
    }
    return finish(std::move(choice));
  }

  Pointer parse_for(int line) {
    Statement loop{.kind = StatementKind::loop, .line = line};
    loop.target = parse_target(false);
    if (!tokens_.skip_name("in")) tokens_.fail("expected 'in', found {}", tokens_.shown());
    loop.expression = expressions_.parse_tuple(false);
    if (tokens_.skip_name("if")) loop.condition = expressions_.parse();
    if (tokens_.current().is_name("recursive")) tokens_.fail("recursive loops are not supported");
    ++loops_;
    loop.body = parse_block({"else", "endfor"});
    --loops_;
    if (tokens_.next().text == "else") {
      loop.otherwise = parse_block({"endfor"});
      tokens_.next();
    }
    return finish(std::move(loop));
  }

  Pointer parse_set(int line) {
    Statement set{.kind = StatementKind::assign, .line = line};
    set.target = parse_target(true);
    if (tokens_.skip_symbol("=")) {
      set.expression = expressions_.parse_tuple(true);
      return finish(std::move(set));
    }
    set.kind = StatementKind::capture;
    set.expression = expressions_.parse_block_filters(false);
    set.body = parse_closed_block("endset");
    return finish(std::move(set));
  }

  Pointer parse_macro(int line) {
    Statement macro{.kind = StatementKind::macro, .line = line};
    macro.name = tokens_.expect_name();
    const bool in_macro = expressions_.in_macro();
    expressions_.set_in_macro(true);
    macro.parameters = parse_parameters();
    macro.body = parse_closed_block("endmacro");
    expressions_.set_in_macro(in_macro);
    return finish(std::move(macro));
  }

  Pointer parse_call(int line) {
    Statement call{.kind = StatementKind::call, .line = line};
    if (tokens_.current().is_symbol("(")) call.parameters = parse_parameters();
    call.expression = expressions_.parse();
    if (call.expression->kind != ExpressionKind::call) {
      tokens_.fail_at(line, "the statement 'call' wants the call of a macro");
    }
    call.body = parse_closed_block("endcall");
    return finish(std::move(call));
  }

  Pointer parse_filter(int line) {
    Statement filter{.kind = StatementKind::filter, .line = line};
    filter.expression = expressions_.parse_block_filters(true);
    filter.body = parse_closed_block("endfilter");
    return finish(std::move(filter));
  }

  Pointer parse_with(int line) {
    Statement with{.kind = StatementKind::with, .line = line};
    while (tokens_.current().kind != TokenKind::tag_end) {
      if (!with.parameters.empty()) tokens_.expect_symbol(",");
      std::string name = assignable_name();
      tokens_.expect_symbol("=");
      with.parameters.push_back({std::move(name), expressions_.parse()});
    }
    with.body = parse_block({"endwith"});
    tokens_.next();
    return finish(std::move(with));
  }

  std::vector<Parameter> parse_parameters() {
    std::vector<Parameter> parameters;
    tokens_.expect_symbol("(");
    while (!tokens_.current().is_symbol(")")) {
      if (!parameters.empty()) tokens_.expect_symbol(",");
      Parameter parameter{assignable_name(), nullptr};
      if (tokens_.skip_symbol("=")) {
        parameter.value = expressions_.parse();
      } else if (!parameters.empty() && parameters.back().value) {
        tokens_.fail("the parameter '{}' without a default follows one with a default",
                     parameter.name);
      }
      parameters.push_back(std::move(parameter));
    }
    tokens_.next();
    return parameters;
  }

  std::string assignable_name() {
    constexpr std::string_view constants[] = {"true", "false", "none", "True", "False", "None"};
    std::string name = tokens_.expect_name();
    if (std::find(std::begin(constants), std::end(constants), name) != std::end(constants)) {
      tokens_.fail("'{}' can't be assigned to", name);
    }
    return name;
  }

  // Names with commas between them, in brackets or not; `attributes`: also namespace.name.
  Target parse_target(bool attributes) {
    Target target;
    target.line = tokens_.line();
    bool several = false;
    while (!tokens_.current().is_name("in")) {
      target.elements.push_back(parse_single_target(attributes));
      if (!tokens_.skip_symbol(",")) break;
      several = true;
      if (tokens_.current().is_symbol("=") || tokens_.current().is_symbol(")")) break;
    }
    if (target.elements.empty()) tokens_.fail("expected a name, found {}", tokens_.shown());
    return several ? target : Target(target.elements[0]);
  }

  Target parse_single_target(bool attributes) {
    if (tokens_.current().is_symbol("(")) {
      if (nesting_ >= max_statement_nesting) {
        tokens_.fail("names are nested more than {} deep", max_statement_nesting);
      }
      tokens_.next();
      ++nesting_;
      Target target = parse_target(attributes);
      --nesting_;
      tokens_.expect_symbol(")");
      return target;
    }
    Target target;
    target.line = tokens_.line();
    target.name = assignable_name();
    if (attributes && tokens_.skip_symbol(".")) target.attribute = tokens_.expect_name();
    return target;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int nesting_ = 0;
  int branches_ = 0;
  int loops_ = 0;  // around the current statement, in its scope
};

}  // namespace

Body parse_template(std::string_view source, const std::string& name) {
  if (source.size() > max_source) {
    fail_input("{}: the template has {} bytes; at most {} MiB are read", name, source.size(),
               max_source >> 20);
  }
  if (utf8::valid_prefix(source) != source.size()) {
    fail_input("{}: the template is not valid UTF-8 (at byte {})", name,
               utf8::valid_prefix(source) + 1);
  }
  return Parser(tokenize(source, name), name).parse();
}

}  // namespace fathom::jinja
