// A trace in a few numbers: where the time of the traced steps went.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/trace.h"
#include "parallel/rank_layout.h"

namespace fathom {

// One rank's forwards and backwards of one step.
struct PipelineRun {
  double begin = 0, end = 0;  // seconds, on the clock of the first rank
  double busy = 0;            // in forwards and backwards
};

struct TraceSums {
  double seconds = 0;     // from the first span's beginning to the last one's end
  double compute = 0;     // forward, backward, update, less the communication inside
  double exposed = 0;     // communication that the compute lane stood still for
  double background = 0;  // in which anything of the other lane was under way
  double joined = 0;      // that the compute lane waited for the other one
  double uncovered = 0;   // of `background`, that ran while the compute lane waited for it
  std::vector<PipelineRun> runs;
};
TraceSums sum_trace(const std::vector<Trace::Span>& spans, double offset = 0);

// The share of a step's window, from the first stage's beginning to the last one's end,
// in which a stage does nothing: the mean over steps and stages. `runs` of the ranks of
// one pipeline.
double measured_bubble(const std::vector<std::vector<PipelineRun>>& runs);
// (p − 1) / (v m + p − 1): p uniform stages of v parts, m micro-batches.
double ideal_bubble(const ParallelPlan& plan, std::int64_t micro_batches);

// Seconds to add to this rank's clock to have the first rank's: found by messages to
// and fro, of which the fastest counts. Collective.
double clock_offset(Communicator& world);

}  // namespace fathom
