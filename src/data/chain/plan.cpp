#include "data/chain/plan.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "io/checksum.h"

namespace fathom::chain {
namespace {

// Of `name`, or without one of `otherwise`: its place among the stages.
std::size_t index_of(const std::vector<StageFacts>& stages, std::string_view option,
                     std::optional<Stage> name, std::size_t otherwise) {
  if (!name) return otherwise;
  const auto found = std::ranges::find(stages, *name, &StageFacts::stage);
  if (found != stages.end()) return static_cast<std::size_t>(found - stages.begin());
  fail_input("{}: the config has no table [{}]", option, enum_name(*name));
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

// A stage before Range::from. `input`: what it would read; none when that need not exist.
PlannedStage taken_as_it_is(const StageFacts& facts, Stage from,
                            const std::optional<std::string>& input) {
  const auto refuse = [&](const std::string& problem) {
    fail_input("--from {}: {} {}; run without --from", enum_name(from), enum_name(facts.stage),
               problem);
  };
  if (!facts.stamp || !facts.stamp->done) refuse("has no output to read");
  if (makes_text(facts.stage) && sorted(facts.sources) != sorted(facts.stamp->source_names())) {
    refuse(
        fmt::format("was run with the sources {}", fmt::join(facts.stamp->source_names(), ", ")));
  }
  if (facts.stamp->config != facts.config) refuse("was run with another config");
  if (input && facts.stamp->input != *input) refuse("was run before what it reads changed");
  if (!facts.missing.empty()) refuse("has lost " + facts.missing);
  return {facts.stage, Action::keep, "taken as it is", facts.config, facts.stamp->input};
}

// `before`: the stage before this one, or null.
PlannedStage plan_stage(const StageFacts& facts, const std::string& input,
                        const PlannedStage* before, bool again) {
  const auto planned = [&](Action action, std::string reason) {
    return PlannedStage{facts.stage, action, std::move(reason), facts.config, input};
  };
  if (!facts.stamp) {
    if (facts.folder_is_empty) return planned(Action::make, "to run");
    fail_input(
        "{}: the output has a folder or file of this name that `fathom data run` did not make; "
        "move it away, or choose another output",
        enum_name(facts.stage));
  }
  const StageStamp& stamp = *facts.stamp;
  const bool same = stamp.config == facts.config && stamp.input == input;
  if (again && (stamp.done || !same)) return planned(Action::replace, "asked for by --from");
  if (stamp.config != facts.config) return planned(Action::replace, "its config changed");
  if (stamp.input != input) {
    const bool follows = before && before->action != Action::keep;
    return planned(Action::replace, follows ? fmt::format("{} changes", enum_name(before->stage))
                                            : "what it reads changed");
  }
  if (!stamp.done) return planned(Action::go_on, "was stopped, goes on");
  if (!facts.missing.empty()) {
    return planned(Action::replace, facts.missing + " is gone or has another size");
  }
  return planned(Action::keep, "done");
}

}  // namespace

std::string PlannedStage::identity() const {
  return StageStamp{config, input, false, 0, {}}.identity();
}

bool reads_sources(const std::vector<Stage>& stages, const Range& range) {
  if (!range.from) return true;
  return std::none_of(stages.begin(), std::ranges::find(stages, *range.from), makes_text);
}

std::vector<PlannedStage> plan_stages(const std::vector<StageFacts>& stages,
                                      const std::string& sources, const Range& range) {
  const std::size_t from = index_of(stages, "--from", range.from, 0);
  const std::size_t until = index_of(stages, "--until", range.until, stages.size() - 1);
  if (from > until) {
    fail_input("--from {} --until {}: nothing is between them", enum_name(*range.from),
               enum_name(*range.until));
  }
  std::vector<PlannedStage> plan;
  for (std::size_t i = 0; i <= until; ++i) {
    const StageFacts& facts = stages[i];
    const PlannedStage* before = i == 0 ? nullptr : &plan.back();
    const std::string read = before ? before->identity() : sources;
    const std::string input = checksum_text(checksum_of(read + "\n" + facts.files));
    if (i < from) {
      const bool known = before || !sources.empty();
      plan.push_back(
          taken_as_it_is(facts, *range.from, known ? std::optional(input) : std::nullopt));
      continue;
    }
    plan.push_back(plan_stage(facts, input, before, range.from.has_value()));
  }
  return plan;
}

std::string line_of(const PlannedStage& planned, const std::string& folder) {
  return fmt::format("{}: {}{}", enum_name(planned.stage), planned.reason,
                     planned.action == Action::replace ? "; replaces " + folder : "");
}

}  // namespace fathom::chain
