// The operands of expressions: literals, names, and all that may follow one: subscripts,
// calls, filters and tests.
#include "align/jinja/expression_parser.h"
#include "align/jinja/filters.h"
#include "align/jinja/parser_level.h"
#include "align/jinja/tests.h"

namespace fathom::jinja {

ExpressionPointer ExpressionParser::parse_primary() {
  const int line = tokens_.line();
  switch (tokens_.current().kind) {
    case TokenKind::name:
      return parse_name();
    case TokenKind::integer:
      return constant(line, tokens_.next().integer);
    case TokenKind::real:
      return constant(line, tokens_.next().real);
    case TokenKind::text: {
      std::string text;
      while (tokens_.current().kind == TokenKind::text) text += tokens_.next().text;
      return constant(line, std::make_shared<const TextValue>(
                                TextValue{Text(std::move(text), from_template), false, Held()}));
    }
    default:
      break;
  }
  if (tokens_.current().is_symbol("[")) return parse_list();
  if (tokens_.current().is_symbol("{")) return parse_dict();
  if (!tokens_.skip_symbol("(")) {
    tokens_.fail("expected an expression, found {}", tokens_.shown());
  }
  if (tokens_.skip_symbol(")")) return make(ExpressionKind::tuple, line, {});
  ExpressionPointer value = parse_tuple(true);
  tokens_.expect_symbol(")");
  return value;
}

ExpressionPointer ExpressionParser::parse_name() {
  const Token& token = tokens_.next();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(token.line, true);
  if (name == "false" || name == "False") return constant(token.line, false);
  if (name == "none" || name == "None") return constant(token.line, Value());
  if (in_macro_ && (name == "varargs" || name == "kwargs")) {
    tokens_.fail_at(token.line, "the variable '{}' of macros is not supported", name);
  }
  return make(ExpressionKind::name, token.line, {}, name);
}

ExpressionPointer ExpressionParser::parse_list() {
  const int line = tokens_.next().line;
  Children elements;
  while (!tokens_.current().is_symbol("]")) {
    elements.push_back(parse());
    if (!tokens_.skip_symbol(",")) break;
  }
  tokens_.expect_symbol("]");
  return make(ExpressionKind::list, line, std::move(elements));
}

ExpressionPointer ExpressionParser::parse_dict() {
  const int line = tokens_.next().line;
  Children entries;
  while (!tokens_.current().is_symbol("}")) {
    entries.push_back(parse());
    tokens_.expect_symbol(":");
    entries.push_back(parse());
    if (!tokens_.skip_symbol(",")) break;
  }
  tokens_.expect_symbol("}");
  return make(ExpressionKind::dict, line, std::move(entries));
}

ExpressionPointer ExpressionParser::parse_postfix(ExpressionPointer value) {
  for (;;) {
    if (tokens_.current().is_symbol(".") || tokens_.current().is_symbol("[")) {
      value = parse_subscript(std::move(value));
    } else if (tokens_.current().is_symbol("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPointer ExpressionParser::parse_filters_and_tests(ExpressionPointer value) {
  for (;;) {
    if (tokens_.skip_symbol("|")) {
      value = parse_filter(std::move(value));
    } else if (tokens_.current().is_name("is")) {
      value = parse_test(std::move(value));
    } else if (tokens_.current().is_symbol("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPointer ExpressionParser::parse_subscript(ExpressionPointer value) {
  const Token& token = tokens_.next();
  const int line = token.line;
  if (token.text == ".") {
    if (tokens_.current().kind == TokenKind::integer) {
      return make(ExpressionKind::item, line,
                  children_of(std::move(value), constant(line, tokens_.next().integer)));
    }
    std::string name = tokens_.expect_name();
    return make(ExpressionKind::attribute, line, children_of(std::move(value)), std::move(name));
  }
  const auto bound = [&]() -> ExpressionPointer {
    const bool absent = tokens_.current().is_symbol(":") || tokens_.current().is_symbol("]");
    return absent ? constant(line, Value()) : parse();
  };
  if (tokens_.current().is_symbol("]")) tokens_.fail("a subscript is empty");
  ExpressionPointer first = bound();
  if (tokens_.skip_symbol(":")) {
    Children children = children_of(std::move(value), std::move(first), bound());
    children.push_back(tokens_.skip_symbol(":") ? bound() : constant(line, Value()));
    tokens_.expect_symbol("]");
    return make(ExpressionKind::slice, line, std::move(children));
  }
  if (tokens_.current().is_symbol(","))
    tokens_.fail("subscripts of several parts are not supported");
  tokens_.expect_symbol("]");
  return make(ExpressionKind::item, line, children_of(std::move(value), std::move(first)));
}

void ExpressionParser::parse_arguments(Expression& call) {
  tokens_.expect_symbol("(");
  while (!tokens_.current().is_symbol(")")) {
    if (tokens_.current().is_symbol("**")) {
      tokens_.fail("arguments that are unpacked with '**' are not supported");
    }
    const bool unpacked_before =
        call.children.size() > 1 && call.children.back()->kind == ExpressionKind::unpacked;
    if (tokens_.current().is_symbol("*") && !unpacked_before) {
      const int line = tokens_.next().line;
      call.children.push_back(make(ExpressionKind::unpacked, line, children_of(parse())));
    } else if (tokens_.current().kind == TokenKind::name && tokens_.ahead().is_symbol("=")) {
      std::string name = tokens_.next().text;
      tokens_.next();
      call.named.emplace_back(std::move(name), parse());
    } else if (!call.named.empty() || unpacked_before) {
      tokens_.fail("an argument without a name follows one with a name or one with '*'");
    } else {
      call.children.push_back(parse());
    }
    if (!tokens_.skip_symbol(",")) break;
  }
  tokens_.expect_symbol(")");
}

ExpressionPointer ExpressionParser::parse_call(ExpressionPointer value) {
  Expression call{.kind = ExpressionKind::call, .line = tokens_.line()};
  call.children.push_back(std::move(value));
  parse_arguments(call);
  return finish(std::move(call));
}

ExpressionPointer ExpressionParser::parse_filter(ExpressionPointer value) {
  Expression filter{.kind = ExpressionKind::filter, .line = tokens_.line()};
  filter.name = tokens_.expect_name();
  if (!find_filter(filter.name)) {
    tokens_.fail_at(filter.line, "the filter '{}' is not known", filter.name);
  }
  filter.children.push_back(std::move(value));
  if (tokens_.current().is_symbol("(")) parse_arguments(filter);
  return finish(std::move(filter));
}

ExpressionPointer ExpressionParser::parse_block_filters(bool first) {
  ExpressionPointer filters;
  if (first) filters = parse_filter(nullptr);
  while (tokens_.skip_symbol("|")) filters = parse_filter(std::move(filters));
  return filters;
}

ExpressionPointer ExpressionParser::parse_test(ExpressionPointer value) {
  const int line = tokens_.next().line;
  const bool negated = tokens_.skip_name("not");
  Expression test{.kind = ExpressionKind::test, .line = line};
  test.name = tokens_.expect_name();
  if (!find_test(test.name)) tokens_.fail_at(line, "the test '{}' is not known", test.name);
  test.children.push_back(std::move(value));
  const Token& token = tokens_.current();
  if (token.is_symbol("(")) {
    parse_arguments(test);
  } else if (token.is_name("is")) {
    tokens_.fail("tests can't be chained with 'is'");
  } else if (token.kind == TokenKind::text || token.kind == TokenKind::integer ||
             token.kind == TokenKind::real || token.is_symbol("[") || token.is_symbol("{") ||
             (token.kind == TokenKind::name && !token.is_name("else") && !token.is_name("or") &&
              !token.is_name("and"))) {
    test.children.push_back(parse_postfix(parse_primary()));
  }
  ExpressionPointer result = finish(std::move(test));
  return negated ? make(ExpressionKind::negation, line, children_of(std::move(result)))
                 : std::move(result);
}

}  // namespace fathom::jinja
