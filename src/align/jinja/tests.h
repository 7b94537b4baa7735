// The tests of templates: value is name(arguments).
#pragma once

#include <string_view>

#include "align/jinja/value.h"

namespace fathom::jinja {

using Test = bool (*)(Interpreter&, const Value& value, const Arguments&);

// Null for a name that is no test. The operators, such as "==", count as names too.
Test find_test(std::string_view name);

}  // namespace fathom::jinja
