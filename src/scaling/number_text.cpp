#include "scaling/number_text.h"

#include <fmt/format.h>

namespace fathom::scaling {

std::string power_text(double value) {
  const std::string text = fmt::format("{:.2e}", value);  // "4.25e-04"
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;  // inf, nan
  return fmt::format("{}e{}", text.substr(0, e), std::stoi(text.substr(e + 1)));
}

std::string interval_text(const std::optional<Interval>& interval) {
  if (!interval) return "";
  return fmt::format("  (95 %: {} to {})", power_text(interval->low), power_text(interval->high));
}

}  // namespace fathom::scaling
