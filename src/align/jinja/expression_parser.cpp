#include "align/jinja/expression_parser.h"

#include <algorithm>

#include "align/jinja/parser_level.h"

namespace fathom::jinja {

ExpressionPointer ExpressionParser::finish(Expression expression) {
  for (const auto& child : expression.children) {
    if (child) expression.depth = std::max(expression.depth, child->depth + 1);
  }
  for (const auto& argument : expression.named) {
    expression.depth = std::max(expression.depth, argument.second->depth + 1);
  }
  if (expression.depth > max_expression_depth) {
    tokens_.fail_at(expression.line, "expressions are nested more than {} deep",
                    max_expression_depth);
  }
  return std::make_unique<const Expression>(std::move(expression));
}

ExpressionPointer ExpressionParser::make(ExpressionKind kind, int line, Children children,
                                         std::string name) {
  Expression expression{.kind = kind, .line = line};
  expression.children = std::move(children);
  expression.name = std::move(name);
  return finish(std::move(expression));
}

ExpressionPointer ExpressionParser::constant(int line, Value value) {
  Expression expression{.kind = ExpressionKind::constant, .line = line};
  expression.constant = std::move(value);
  return finish(std::move(expression));
}

ExpressionPointer ExpressionParser::parse() {
  const Level level(depth_, tokens_);
  const int line = tokens_.line();
  ExpressionPointer value = parse_either();
  while (tokens_.skip_name("if")) {
    ExpressionPointer condition = parse_either();
    ExpressionPointer otherwise = tokens_.skip_name("else") ? parse() : nullptr;
    value = make(ExpressionKind::choice, line,
                 children_of(std::move(value), std::move(condition), std::move(otherwise)));
  }
  return value;
}

ExpressionPointer ExpressionParser::parse_without_choice() {
  const Level level(depth_, tokens_);
  return parse_either();
}

bool ExpressionParser::at_tuple_end() const {
  const Token& token = tokens_.current();
  return token.kind == TokenKind::output_end || token.kind == TokenKind::tag_end ||
         token.is_symbol(")");
}

ExpressionPointer ExpressionParser::parse_tuple(bool choice) {
  const int line = tokens_.line();
  Children elements;
  bool tuple = false;
  while (!at_tuple_end()) {
    elements.push_back(choice ? parse() : parse_without_choice());
    if (!tokens_.skip_symbol(",")) break;
    tuple = true;
  }
  if (tuple) return make(ExpressionKind::tuple, line, std::move(elements));
  if (elements.empty()) tokens_.fail("expected an expression, found {}", tokens_.shown());
  return std::move(elements[0]);
}

ExpressionPointer ExpressionParser::parse_either() {
  ExpressionPointer left = parse_both();
  while (tokens_.current().is_name("or")) {
    const int line = tokens_.next().line;
    left = make(ExpressionKind::either, line, children_of(std::move(left), parse_both()));
  }
  return left;
}

ExpressionPointer ExpressionParser::parse_both() {
  ExpressionPointer left = parse_negation();
  while (tokens_.current().is_name("and")) {
    const int line = tokens_.next().line;
    left = make(ExpressionKind::both, line, children_of(std::move(left), parse_negation()));
  }
  return left;
}

ExpressionPointer ExpressionParser::parse_negation() {
  if (!tokens_.current().is_name("not")) return parse_comparison();
  const Level level(depth_, tokens_);
  const int line = tokens_.next().line;
  return make(ExpressionKind::negation, line, children_of(parse_negation()));
}

bool ExpressionParser::read_comparison(Operator& op) {
  constexpr std::pair<std::string_view, Operator> symbols[] = {
      {"==", Operator::equal},         {"!=", Operator::not_equal}, {"<=", Operator::less_equal},
      {">=", Operator::greater_equal}, {"<", Operator::less},       {">", Operator::greater}};
  for (const auto& [symbol, comparison] : symbols) {
    if (tokens_.skip_symbol(symbol)) {
      op = comparison;
      return true;
    }
  }
  if (tokens_.skip_name("in")) {
    op = Operator::in;
    return true;
  }
  if (tokens_.current().is_name("not") && tokens_.ahead().is_name("in")) {
    tokens_.next();
    tokens_.next();
    op = Operator::not_in;
    return true;
  }
  return false;
}

ExpressionPointer ExpressionParser::parse_comparison() {
  Expression expression{.kind = ExpressionKind::comparison, .line = tokens_.line()};
  expression.children.push_back(parse_sum());
  Operator op;
  while (read_comparison(op)) {
    expression.operators.push_back(op);
    expression.children.push_back(parse_sum());
  }
  if (expression.operators.empty()) return std::move(expression.children[0]);
  return finish(std::move(expression));
}

ExpressionPointer ExpressionParser::binary(Operator op, int line, ExpressionPointer left,
                                           ExpressionPointer right) {
  Expression expression{.kind = ExpressionKind::arithmetic, .line = line};
  expression.operators.push_back(op);
  expression.children = children_of(std::move(left), std::move(right));
  return finish(std::move(expression));
}

ExpressionPointer ExpressionParser::parse_sum() {
  ExpressionPointer left = parse_concat();
  while (tokens_.current().is_symbol("+") || tokens_.current().is_symbol("-")) {
    const Token& token = tokens_.next();
    const Operator op = token.text == "+" ? Operator::add : Operator::subtract;
    left = binary(op, token.line, std::move(left), parse_concat());
  }
  return left;
}

ExpressionPointer ExpressionParser::parse_concat() {
  const int line = tokens_.line();
  Children parts = children_of(parse_product());
  while (tokens_.skip_symbol("~")) parts.push_back(parse_product());
  if (parts.size() == 1) return std::move(parts[0]);
  return make(ExpressionKind::concat, line, std::move(parts));
}

ExpressionPointer ExpressionParser::parse_product() {
  constexpr std::pair<std::string_view, Operator> symbols[] = {{"*", Operator::multiply},
                                                               {"/", Operator::divide},
                                                               {"//", Operator::floor_divide},
                                                               {"%", Operator::modulo}};
  ExpressionPointer left = parse_power();
  for (;;) {
    const auto found = std::find_if(std::begin(symbols), std::end(symbols), [&](const auto& one) {
      return tokens_.current().is_symbol(one.first);
    });
    if (found == std::end(symbols)) return left;
    const int line = tokens_.next().line;
    left = binary(found->second, line, std::move(left), parse_power());
  }
}

ExpressionPointer ExpressionParser::parse_power() {
  ExpressionPointer left = parse_unary(true);
  while (tokens_.current().is_symbol("**")) {
    const int line = tokens_.next().line;
    left = binary(Operator::power, line, std::move(left), parse_unary(true));
  }
  return left;
}

// A sign binds less than the subscripts after it and more than the filters.
ExpressionPointer ExpressionParser::parse_unary(bool filters) {
  ExpressionPointer value;
  if (tokens_.current().is_symbol("-") || tokens_.current().is_symbol("+")) {
    const Level level(depth_, tokens_);
    const Token& token = tokens_.next();
    const auto kind = token.text == "-" ? ExpressionKind::minus : ExpressionKind::plus;
    value = make(kind, token.line, children_of(parse_unary(false)));
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return filters ? parse_filters_and_tests(std::move(value)) : std::move(value);
}

}  // namespace fathom::jinja
