// Tells domains of e-mail addresses from what else stands behind an @. Internal to clean.
#pragma once

#include <cstddef>
#include <string_view>

namespace fathom::clean {

// Length of the domain at the beginning of `text`; 0 when there is none. It ends with a country's
// code or another top-level domain that addresses often have, and does not begin as a version.
std::size_t domain_length(std::string_view text);

}  // namespace fathom::clean
