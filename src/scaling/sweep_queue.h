// Which run of a sweep is next: a list with the state of each. Knows no threads and no files.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "scaling/sweep_plan.h"

namespace fathom::scaling {

enum class RunState {
  waiting,  // to be run
  running,
  done,      // with a result, be it that the run diverged
  failed,    // for a reason of the machine's; a later start tries it again
  elsewhere  // another part's
};

class SweepQueue {
 public:
  explicit SweepQueue(const SweepPlan& plan);

  // The waiting run to begin now: the one that the sweep would wait for longest, counted in FLOPs
  // of the run and of its branches. A branch waits until `has_branch_point` or until its trunk runs
  // no more. None: nothing can begin now.
  std::optional<std::size_t> next(
      const std::function<bool(const SweepRun&)>& has_branch_point) const;

  RunState state(std::size_t run) const { return states_[run]; }
  void set(std::size_t run, RunState state) { states_[run] = state; }
  std::size_t count(RunState state) const;
  // Whether nothing is waiting or running.
  bool finished() const;

 private:
  const SweepPlan& plan_;
  std::vector<RunState> states_;
  std::vector<std::optional<std::size_t>> trunks_;  // of each run
  std::vector<double> weights_;                     // of each run, in FLOPs
};

// The runs of part `part`, of 1 to `parts`: trunks with their branches, shared out so that the
// parts train nearly as many FLOPs. Each part computes the same.
std::vector<bool> runs_of_part(const SweepPlan& plan, int part, int parts);

// Seconds that the whole sweep takes with `jobs` runs at a time when each run takes its `seconds`.
// As if a branch began when its trunk has ended: at most that long.
double makespan(const SweepPlan& plan, std::size_t jobs, const std::vector<double>& seconds);

}  // namespace fathom::scaling
