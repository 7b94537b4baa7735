// Numbers as the reports of `fathom scaling` print them.
#pragma once

#include <optional>
#include <string>

#include "scaling/laws.h"

namespace fathom::scaling {

// "4.25e-4", "8.46e22": three digits and a power of ten.
std::string power_text(double value);
// "  (95 %: 4.01e-4 to 4.44e-4)"; empty for none.
std::string interval_text(const std::optional<Interval>& interval);

}  // namespace fathom::scaling
