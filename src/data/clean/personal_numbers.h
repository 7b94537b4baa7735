// Finds addresses of the Internet, phone numbers and citizens' numbers. Internal to clean.
#pragma once

#include <optional>
#include <string_view>

#include "data/clean/personal.h"

namespace fathom::clean {

struct PersonalNumber {
  PersonalKind kind;
  std::size_t length;
  std::string_view mask;
};

// The number that begins at `at`, which is a digit, a + or a parenthesis, of a kind that the config
// masks.
std::optional<PersonalNumber> find_personal_number(std::string_view text, std::size_t at,
                                                   const PersonalConfig& config);

}  // namespace fathom::clean
