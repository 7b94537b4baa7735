// Which runs a sweep has: pure functions of its config and of laws.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"
#include "scaling/laws.h"
#include "scaling/sweep_config.h"

namespace fathom::scaling {

struct SweepRun {
  std::string name;          // "iso-c3.00e14-8x512-b32-r1.62e-3": grid, budget, model, batch, rate
  double budget = 0;         // FLOPs asked for; M · tokens is near it
  ModelConfig model;         // its shape; the other fields are those of [run.model]
  double model_flops = 0;    // M
  std::int64_t tokens = 0;   // D, of whole steps
  std::int64_t batch = 0;    // sequences of a step
  double learning_rate = 0;  // peak
  std::int64_t warmup_steps = 0;
  double flops_per_token = 0;  // of training, head included and attention causal

  // Where the run goes on from another one of the sweep (scaling/sweep_trunks.h); empty: it begins
  // by itself.
  std::string trunk;
  std::int64_t branch_step = 0;

  double compute() const { return model_flops * static_cast<double>(tokens); }  // C
  std::int64_t tokens_per_step(std::int64_t sequence_length) const {
    return batch * sequence_length;
  }
  std::int64_t steps(std::int64_t sequence_length) const {
    return tokens / tokens_per_step(sequence_length);
  }
};

// Models around `optimum` (M) for one budget: `count` shapes, ascending in M, whose M are evenly
// spread on a logarithmic scale and nearest to it. The points that they realise lie on one ladder,
// whose rungs are `ratio` apart and one of which is at `anchor`, so that budgets of one anchor
// share models. Where two points give one shape, or a point is below the smallest shape, the next
// points of the ladder take their place. Throws an input Error when no shapes are left.
std::vector<ModelConfig> models_around(double optimum, std::int64_t count, double ratio,
                                       double anchor, std::int64_t sequence_length);

// All runs, without trunks: the IsoFLOP grid's by budget and M, then the hyper-parameter grid's by
// budget, batch and rate. Those of one budget of the latter have exactly as many tokens, whatever
// their batch, so that they differ in rate and batch alone. Throws an input Error when the laws
// lack what is needed, no shape fits, or a run would have fewer than 10 steps.
std::vector<SweepRun> sweep_runs(const SweepConfig& config, const Laws& laws);

}  // namespace fathom::scaling
