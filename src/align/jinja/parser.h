// Parses a template: text, outputs and statements.
#pragma once

#include <string>
#include <string_view>

#include "align/jinja/syntax.h"

namespace fathom::jinja {

// `name` begins the messages. Throws an input Error with the line for what is no template,
// and for statements, filters and tests that the interpreter does not know.
Body parse_template(std::string_view source, const std::string& name);

}  // namespace fathom::jinja
