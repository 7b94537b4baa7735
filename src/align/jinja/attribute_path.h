// The argument `attribute` of filters: "function.name", "messages.0", 1.
#pragma once

#include <vector>

#include "align/jinja/value.h"

namespace fathom::jinja {

class AttributePath {
 public:
  // None is the value itself.
  AttributePath(Rendering& rendering, const Value& attribute);
  // The element that the path leads to; undefined when there is none. A missing element in
  // the middle of the path fails, unless `absent` stands in for it.
  Value of(Interpreter& interpreter, Value value, const Value* absent = nullptr) const;

 private:
  std::vector<Value> parts_;
};

// The value, or its small letters when it is a text: what filters compare by default.
Value without_case(Rendering& rendering, const Value& value);

}  // namespace fathom::jinja
