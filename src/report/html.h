// Escapes text for the parts of an HTML page.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

// For element content and quoted attributes.
std::string html_escaped(std::string_view text);

// A JSON string, with its quotes, that may be placed inside <script>: it holds no
// `<`, so neither `</script>` nor `<!--` ends or changes the element, and no U+2028 or
// U+2029, which older JavaScript reads as line ends. Bytes that are not UTF-8 are replaced.
std::string script_json_string(std::string_view text);

// The number in JSON with `digits` significant digits; null when it is not finite.
std::string json_number(double value, int digits);

}  // namespace fathom
