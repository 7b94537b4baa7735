// `fathom train --trace`: some steps of a run noted by every rank, written for Chrome's
// and Perfetto's viewer, and summed up in the log.
//
//   RUN/trace/rank-00003.json   a rank's own
//   RUN/trace/trace.json        of all ranks, when they are few
#pragma once

#include <memory>
#include <string>

#include "core/trace.h"
#include "parallel/rank_groups.h"
#include "train/plan.h"

namespace fathom {

class RunTrace {
 public:
  static constexpr std::int64_t skipped_steps = 2, traced_steps = 10;

  // All ranks make one.
  RunTrace(const TrainPlan& plan, const RankGroups& ranks, std::string directory);

  // Before each step: begins after the first steps, in which caches fill.
  void before_step(Context& context);
  // Whether the last step to trace has been queued.
  bool complete() const { return steps_ == skipped_steps + traced_steps; }
  // Writes and reports the trace; does nothing the second time. The steps have been
  // fetched (Learner::next_result). Collective.
  void finish(Context& context);

 private:
  void write(const std::vector<Trace::Span>& spans, double offset) const;
  void merge_files() const;
  void report(const std::vector<Trace::Span>& spans, double offset) const;
  std::string file_of(int rank) const;
  int rank() const { return ranks_.world().rank(); }

  const TrainPlan& plan_;
  const RankGroups& ranks_;
  std::string directory_;
  std::unique_ptr<Trace> trace_;
  std::int64_t steps_ = 0;
};

}  // namespace fathom
