// Trunks: runs that differ in their number of tokens alone train the same until the shortest one's
// rate falls. The multi-step schedule holds the rate constant until then, which is the report's
// reason for it (arXiv 2401.02954, section 2.3). So the longest such run, the trunk, is trained
// from its beginning to its end, and each shorter one is a branch of it: it goes on from the
// trunk's checkpoint at the end of its own first phase, 80 % of its tokens, and ends with the bits
// of a run of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "learn/schedule.h"
#include "scaling/sweep_grid.h"

namespace fathom::scaling {

// The step at which a run's rate falls first: the first of `steps` whose share of the run is at
// least the schedule's first milestone. 0 for a schedule without a constant first phase.
std::int64_t first_phase_steps(const ScheduleConfig& schedule, std::int64_t steps);

struct TrunkOptions {
  bool share = true;           // false: each run begins by itself
  double warmup_share = 0.05;  // of a model's shortest run, at most
  ScheduleConfig schedule;     // of all runs; its warmup_steps are the longest warm-up
  std::int64_t sequence_length = 0;
};

// Fills in warm-up, trunk and branch of each run. Runs with the same model, batch and rate have the
// same warm-up, also where they share no trunk.
void plan_trunks(std::vector<SweepRun>& runs, const TrunkOptions& options);

// Tokens of a trunk at which its branches begin, ascending, each once.
std::vector<std::int64_t> branch_tokens(const std::vector<SweepRun>& runs, const SweepRun& trunk,
                                        std::int64_t sequence_length);

// Tokens that a run itself trains: those after its branch.
std::int64_t own_tokens(const SweepRun& run, std::int64_t sequence_length);

}  // namespace fathom::scaling
