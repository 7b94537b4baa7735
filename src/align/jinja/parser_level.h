// Helpers that the expression parser's files share.
#pragma once

#include <utility>
#include <vector>

#include "align/jinja/syntax.h"
#include "align/jinja/token_stream.h"

namespace fathom::jinja {

inline constexpr int max_expression_depth = 150;

// A level of brackets or prefix operators: each takes several frames of the parser.
class Level {
 public:
  Level(int& depth, const TokenStream& tokens) : depth_(depth) {
    if (depth_ >= max_expression_depth)
      tokens.fail("expressions are nested more than {} deep", max_expression_depth);
    ++depth_;
  }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  ~Level() { --depth_; }

 private:
  int& depth_;
};

template <class... Pointers>
std::vector<ExpressionPointer> children_of(Pointers... pointers) {
  std::vector<ExpressionPointer> children;
  (children.push_back(std::move(pointers)), ...);
  return children;
}

}  // namespace fathom::jinja
