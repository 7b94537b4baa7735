// The results of a sweep's runs on the disk (see scaling/sweep_plan.h). Each run has a file of its
// own, which appears whole or not at all; results.jsonl is made of them.
#pragma once

#include <optional>
#include <string>

#include "report/metrics.h"
#include "scaling/results.h"
#include "scaling/sweep_plan.h"

namespace fathom::scaling {

// `validation` at the run's end; null: the run diverged.
RunResult sweep_result(const SweepPlan& plan, const SweepRun& run, const MetricsRecord* validation);

void record_result(const std::string& dir, const RunResult& result);
// That the run failed for a reason which another try might not meet. A result takes its place.
void record_failure(const std::string& dir, const SweepRun& run, const std::string& reason);
// Forgets the failure of an earlier try.
void forget_failure(const std::string& dir, const SweepRun& run);

// The run's result; none yet when it is missing or has failed.
std::optional<RunResult> recorded_result(const std::string& dir, const SweepRun& run);

// Writes results.jsonl: a line for each run that has a result or has failed, the latter with a
// null loss, in the order of the plan. Several processes may do it at once.
void write_results(const std::string& dir, const SweepPlan& plan);

}  // namespace fathom::scaling
