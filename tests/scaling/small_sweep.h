// A sweep that trains in a second, on the data of tests/data/sample_data.h.
#pragma once

#include <string>

#include "data/sample_data.h"
#include "scaling/sweep_plan.h"

namespace fathom::scaling {

// Three budgets on two models of 1 × 64 and 2 × 64: 20 to 99 steps.
inline SweepConfig small_sweep(const test::TempDir& dir) {
  SweepConfig config;
  config.dataset = "letters";
  config.warmup = 0.3;  // so long that it tells on the bits
  config.run.dtype = DTypeChoice::f32;
  config.run.data.directory = dir / "out";
  config.run.train.sequence_length = 24;
  config.run.model.init_std = 0.05;
  config.isoflop.budgets = {1.2e9, 1.8e9, 3e9};
  config.isoflop.model_flops = {3.2e5, 6.3e5};
  config.isoflop.learning_rate = 5e-3;
  config.isoflop.batch = 4;
  return config;
}

struct PlannedSweep {
  std::string dir;
  SweepPlan plan;
};

// Plans it in dir/name. The data must have been prepared.
inline PlannedSweep plan_small_sweep(const test::TempDir& dir, const std::string& name,
                                     const SweepConfig& config) {
  const DataFacts facts = facts_of(open_prepared(config.run.data), config.run.data);
  PlannedSweep sweep{dir / name, make_sweep_plan(config, deepseek_laws(), facts)};
  write_sweep(sweep.dir, sweep.plan, config, facts);
  return sweep;
}

}  // namespace fathom::scaling
