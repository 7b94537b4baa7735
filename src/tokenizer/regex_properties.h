// Translates the names of character properties from Oniguruma to PCRE2.
#pragma once

#include <string>
#include <string_view>

namespace fathom::tokenizer {

// Members of a character class, without its brackets.
inline constexpr const char* space_members =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
inline constexpr const char* not_space_members =
    R"(\x00-\x08\x0e-\x1f\x21-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{d7ff}\x{e000}-\x{10ffff})";
inline constexpr const char* word_members = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
inline constexpr const char* hex_members = "0-9a-fA-F";

// The class members for \p{name} or [:name:]; empty when class members cannot express
// the set (a negated set of several properties).
std::string property_members(std::string_view name, bool negated);

}  // namespace fathom::tokenizer
