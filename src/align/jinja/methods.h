// Methods and other members of values: text.strip, dict.items, loop.index.
#pragma once

#include <optional>
#include <string>

#include "align/jinja/value.h"

namespace fathom::jinja {

// None when the type has no such member. Members that Python has and we don't are refused by
// name, and those that would change a value are undefined, as in transformers' sandbox.
std::optional<Value> find_member(Interpreter& interpreter, const Value& value,
                                 const std::string& name);

using Method = Value (*)(Interpreter&, const Value& value, const Arguments&);
// Null for a name that is no method of texts.
Method find_text_method(std::string_view name);

}  // namespace fathom::jinja
