#include "scaling/sweep_trunks.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace fathom::scaling {
namespace {

// What runs of one trunk have in common: model, batch, rate.
using TrunkKey = std::tuple<std::int64_t, std::int64_t, std::int64_t, double>;

TrunkKey key_of(const SweepRun& run) {
  return {run.model.num_layers, run.model.hidden_size, run.batch, run.learning_rate};
}

// As TrainPlan::progress() has it.
double share(std::int64_t steps, std::int64_t all) {
  return static_cast<double>(steps) / static_cast<double>(all);
}

}  // namespace

std::int64_t first_phase_steps(const ScheduleConfig& schedule, std::int64_t steps) {
  if (schedule.kind != ScheduleKind::multi_step || schedule.milestones.empty()) return 0;
  const double milestone = schedule.milestones.front();
  auto step = static_cast<std::int64_t>(milestone * static_cast<double>(steps));
  while (step > 0 && share(step - 1, steps) >= milestone) --step;
  while (share(step, steps) < milestone) ++step;
  return step;
}

void plan_trunks(std::vector<SweepRun>& runs, const TrunkOptions& options) {
  std::map<TrunkKey, std::vector<SweepRun*>> groups;
  for (SweepRun& run : runs) groups[key_of(run)].push_back(&run);
  for (auto& [key, group] : groups) {
    std::ranges::stable_sort(group, {}, &SweepRun::tokens);
    const std::int64_t length = options.sequence_length;
    const std::int64_t shortest = group.front()->steps(length);
    const auto longest_warmup =
        static_cast<std::int64_t>(options.warmup_share * static_cast<double>(shortest));
    for (SweepRun* run : group) {
      run->warmup_steps = std::min(options.schedule.warmup_steps, longest_warmup);
    }
    if (!options.share) continue;
    for (SweepRun* run : group) {
      const std::int64_t step = first_phase_steps(options.schedule, run->steps(length));
      if (run == group.back() || step <= run->warmup_steps) continue;
      run->trunk = group.back()->name;
      run->branch_step = step;
    }
  }
}

std::vector<std::int64_t> branch_tokens(const std::vector<SweepRun>& runs, const SweepRun& trunk,
                                        std::int64_t sequence_length) {
  std::set<std::int64_t> tokens;
  for (const SweepRun& run : runs) {
    if (run.trunk != trunk.name) continue;
    tokens.insert(run.branch_step * run.tokens_per_step(sequence_length));
  }
  return {tokens.begin(), tokens.end()};
}

std::int64_t own_tokens(const SweepRun& run, std::int64_t sequence_length) {
  return run.tokens - run.branch_step * run.tokens_per_step(sequence_length);
}

}  // namespace fathom::scaling
