#include "data/reading_table.h"

#include <fmt/format.h>

#include "core/progress.h"

namespace fathom {

std::string reading_table(std::span<const SourceShare> sources, std::string_view prefix) {
  std::string text = fmt::format("{}{:<20} {:>10} {:>10} {:>8} {:>8}\n", prefix, "source", "tokens",
                                 "read", "share", "epochs");
  for (const SourceShare& source : sources) {
    const std::string read = source.read ? human_count(*source.read) : "";
    const std::string epochs = source.read ? fmt::format("{:.3f}", source.epochs()) : "";
    text += fmt::format("{}{:<20} {:>10} {:>10} {:>8.4f} {:>8}{}\n", prefix, source.name,
                        human_count(source.tokens), read, source.share, epochs, source.note);
  }
  return text;
}

}  // namespace fathom
