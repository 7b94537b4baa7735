// The filters of templates: value | name(arguments).
#pragma once

#include <string_view>

#include "align/jinja/value.h"

namespace fathom::jinja {

using Filter = Value (*)(Interpreter&, const Value& value, const Arguments&);

// Null for a name that is no filter.
Filter find_filter(std::string_view name);

// The tables that find_filter() looks into, by theme; null for a name that is not in it.
Filter find_text_filter(std::string_view name);
Filter find_sequence_filter(std::string_view name);
Filter find_selection_filter(std::string_view name);

}  // namespace fathom::jinja
