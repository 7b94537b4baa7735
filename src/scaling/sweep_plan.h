// A sweep on the disk: what `fathom scaling plan` writes and `fathom scaling run` executes.
//
//   DIR/plan.json            all runs: model, tokens, batch, rate, and whose branch each is
//   DIR/configs/NAME.toml    each as a config of `fathom train`
//   DIR/runs/NAME/           its run directory (train/trainer.h)
//   DIR/logs/NAME.log        what it told
//   DIR/results/NAME.json    its result
//   DIR/results.jsonl        the results so far, in the order of the plan (scaling/results.h)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scaling/sweep_grid.h"
#include "train/plan.h"

namespace fathom::scaling {

struct SweepPlan {
  std::string dataset;
  std::int64_t sequence_length = 0;
  std::int64_t unique_tokens = 0;  // of the data
  std::int64_t seed = 0;
  std::vector<SweepRun> runs;

  // Null when there is no such run.
  const SweepRun* find(const std::string& name) const;
  std::int64_t steps(const SweepRun& run) const { return run.steps(sequence_length); }
  // Training FLOPs of a run, and of its part after the branch.
  double whole_flops(const SweepRun& run) const;
  double own_flops(const SweepRun& run) const;
};

// The runs of a config with their trunks, on data with these facts. Throws an input Error for what
// sweep_runs() and resolve() refuse.
SweepPlan make_sweep_plan(const SweepConfig& config, const Laws& laws, const DataFacts& data);

// Throws an input Error when the data holds no text out, which the loss of a run is measured on.
void require_held_out(const PreparedData& data);

// One run as `fathom train` takes it, in the directory `dir` of its sweep; nothing in it is left to
// be chosen, so that it trains the same beside any others. The device need not exist here.
TrainConfig sweep_run_config(const SweepPlan& plan, const SweepRun& run, const SweepConfig& sweep,
                             const DataFacts& data, const std::string& dir);

// Writes plan.json and configs/. A directory that holds this very plan already stays as it is.
// Throws an input Error when it holds another one.
void write_sweep(const std::string& dir, const SweepPlan& plan, const SweepConfig& sweep,
                 const DataFacts& data);

std::string sweep_plan_text(const SweepPlan& plan);
// Throws an input Error that names the file and the key.
SweepPlan load_sweep_plan(const std::string& dir);
// The config of one of its runs, for `dir`, to which the directory may have been moved. Throws an
// input Error when the file no longer says what the plan says.
TrainConfig load_sweep_run(const std::string& dir, const SweepPlan& plan, const SweepRun& run);

}  // namespace fathom::scaling
