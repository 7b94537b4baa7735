// Finds phone numbers. Internal to clean.
#pragma once

#include <cstddef>
#include <string_view>

namespace fathom::clean {

// Whether a number may begin at `at`, or end before `end`: not within a word, a path, a decimal or
// a longer number.
bool may_begin_number(std::string_view text, std::size_t at);
bool may_end_number(std::string_view text, std::size_t end);

// Length of the phone number that begins at `at`, which is a digit, a + or a parenthesis; 0 when
// there is none.
std::size_t phone_length(std::string_view text, std::size_t at);

}  // namespace fathom::clean
