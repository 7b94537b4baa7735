// Parses the expressions of a template. Filters and tests that the interpreter does not know
// are refused here, with their line.
#pragma once

#include <string>
#include <vector>

#include "align/jinja/syntax.h"
#include "align/jinja/token_stream.h"

namespace fathom::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPointer parse();                 // with an inline if
  ExpressionPointer parse_without_choice();  // up to `or`
  // One expression, or several with commas as a tuple. `choice`: inline ifs are allowed.
  ExpressionPointer parse_tuple(bool choice);
  // The filters after a block's tag: each child 0 is the filter before, null for the first.
  // `first`: the name of a filter comes first, without '|'. Null when there is none.
  ExpressionPointer parse_block_filters(bool first);

  // Whether the parser is in a macro, whose implicit variables are refused.
  void set_in_macro(bool in_macro) { in_macro_ = in_macro; }
  bool in_macro() const { return in_macro_; }

 private:
  using Children = std::vector<ExpressionPointer>;

  ExpressionPointer make(ExpressionKind kind, int line, Children children, std::string name = {});
  ExpressionPointer finish(Expression expression);
  ExpressionPointer binary(Operator op, int line, ExpressionPointer left, ExpressionPointer right);
  ExpressionPointer constant(int line, Value value);
  ExpressionPointer parse_either();
  ExpressionPointer parse_both();
  ExpressionPointer parse_negation();
  ExpressionPointer parse_comparison();
  bool read_comparison(Operator& op);
  ExpressionPointer parse_sum();
  ExpressionPointer parse_concat();
  ExpressionPointer parse_product();
  ExpressionPointer parse_power();
  ExpressionPointer parse_unary(bool filters);
  ExpressionPointer parse_primary();
  ExpressionPointer parse_name();
  ExpressionPointer parse_list();
  ExpressionPointer parse_dict();
  ExpressionPointer parse_postfix(ExpressionPointer value);
  ExpressionPointer parse_filters_and_tests(ExpressionPointer value);
  ExpressionPointer parse_subscript(ExpressionPointer value);
  ExpressionPointer parse_call(ExpressionPointer value);
  ExpressionPointer parse_filter(ExpressionPointer value);
  ExpressionPointer parse_test(ExpressionPointer value);
  void parse_arguments(Expression& call);
  bool at_tuple_end() const;

  TokenStream& tokens_;
  int depth_ = 0;
  bool in_macro_ = false;
};

}  // namespace fathom::jinja
