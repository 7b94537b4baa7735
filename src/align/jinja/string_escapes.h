// Escape sequences of a text literal.
#pragma once

#include <string>
#include <string_view>

namespace fathom::jinja {

// Appends `raw` with its escapes resolved as Python's are; false when one is malformed. An
// unknown escape keeps its backslash.
bool resolve_escapes(std::string_view raw, std::string& text);

}  // namespace fathom::jinja
