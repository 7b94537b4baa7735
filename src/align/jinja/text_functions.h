// Python's operations on text, shared by methods and filters. Each part of a result keeps
// the origin of the bytes that it was made of.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "align/jinja/value.h"

namespace fathom::jinja {

enum class Side { both, left, right };

// Without the characters of `characters` at its ends; of white space when null.
Text strip(Rendering& rendering, const Text& text, Side side, const Text* characters);
// At most `limit` splits; all when it is negative. Without a separator: at white space.
// `side` right counts the limit from the end.
Value split(Rendering& rendering, const Text& text, const Text* separator, std::int64_t limit,
            Side side);
std::vector<Text> split_lines(Rendering& rendering, const Text& text, bool keep_ends);
// At most `limit` times; always when it is negative.
Text replace(Rendering& rendering, const Text& text, const Text& old, const Text& with,
             std::int64_t limit);
Text join(Rendering& rendering, const Text& separator, const std::vector<Value>& items);

Text upper(Rendering& rendering, const Text& text);
Text lower(Rendering& rendering, const Text& text);
Text capitalize(Rendering& rendering, const Text& text);
// str.title() of Python: each run of letters begins with a capital.
Text title(Rendering& rendering, const Text& text);

bool is_space(char32_t c);  // of str.isspace() and str.strip()
bool is_cased(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);

}  // namespace fathom::jinja
