// Python's operators on values. All fail at the rendering's current line for types that they
// do not know.
#pragma once

#include <string>
#include <string_view>

#include "align/jinja/value.h"

namespace fathom::jinja {

enum class Operator {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in,
};

Value arithmetic(Rendering& rendering, Operator op, const Value& left, const Value& right);
Value negate(Rendering& rendering, const Value& value);
// One of the operators from `equal` on.
bool compare(Rendering& rendering, Operator op, const Value& left, const Value& right);

bool equal(Rendering& rendering, const Value& left, const Value& right);
bool less(Rendering& rendering, const Value& left, const Value& right);
bool contains(Rendering& rendering, const Value& container, const Value& item);
// Whether a value may be a dictionary's key.
bool hashable(const Value& value);

// The elements [start:stop:step]; each bound is an integer or none.
Value slice(Rendering& rendering, const Value& value, const Value& start, const Value& stop,
            const Value& step);

// str() and repr() of Python. An undefined value is the empty text.
Text to_text(Rendering& rendering, const Value& value);
std::string real_text(double real);

// json.dumps() of Python.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool pretty = false;  // elements on lines of their own, `indent` a level
  std::string indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
Text to_json(Rendering& rendering, const Value& value, const JsonStyle& style);

}  // namespace fathom::jinja
