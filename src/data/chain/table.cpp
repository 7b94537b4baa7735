#include "data/chain/table.h"

#include <fmt/format.h>

#include "core/progress.h"

namespace fathom::chain {
namespace {

// `counts`: null for a stage that has none.
std::string row(std::string_view stage, const std::string& source, const TextCounts* counts,
                std::int64_t tokens, const std::string& time) {
  return fmt::format("{:<10} {:<20} {:>12} {:>16} {:>16}{}\n", stage, source,
                     counts ? std::to_string(counts->documents) : "-",
                     counts ? std::to_string(counts->bytes) : "-",
                     tokens == 0 ? "-" : std::to_string(tokens),
                     time.empty() ? "" : fmt::format(" {:>14}", time));
}

// A row for each source, and one for all, with `time`.
std::string rows(std::string_view stage, const StageOutput& output, TextCounts StageSource::*counts,
                 const std::string& time) {
  std::string text;
  TextCounts all;
  std::int64_t tokens = 0;
  for (const StageSource& source : output.sources) {
    text += row(stage, source.name, &(source.*counts), source.tokens, "");
    all.add(source.*counts);
    tokens += source.tokens;
  }
  const bool counted = !output.sources.empty();
  return text + row(stage, counted ? "all" : "", counted ? &all : nullptr, tokens, time);
}

}  // namespace

std::string summary(const std::vector<std::pair<Stage, StageStamp>>& stages) {
  std::string text = fmt::format("{:<10} {:<20} {:>12} {:>16} {:>16} {:>14}\n", "stage", "source",
                                 "documents", "bytes", "tokens", "time");
  bool first = true;
  for (const auto& [stage, stamp] : stages) {
    if (first && !stamp.output.sources.empty()) {
      StageOutput read = stamp.output;
      for (StageSource& source : read.sources) source.tokens = 0;
      text += rows("read", read, &StageSource::read, "");
      first = false;
    }
    text += rows(enum_name(stage), stamp.output, &StageSource::kept, human_seconds(stamp.seconds));
  }
  return text;
}

}  // namespace fathom::chain
