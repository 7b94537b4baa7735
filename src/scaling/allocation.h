// From a compute budget to a run: model, tokens, learning rate and batch.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"
#include "scaling/hyperparameters.h"
#include "scaling/laws.h"

namespace fathom::scaling {

struct Allocation {
  double compute = 0;  // C in FLOPs
  std::int64_t sequence_length = 0;
  double optimal_model_flops = 0, optimal_tokens = 0;  // M_opt and D_opt by the laws
  std::optional<Interval> model_flops_interval, tokens_interval;

  ModelConfig model;        // the shape that realises M_opt (scaling/shape.h)
  double model_flops = 0;   // its M
  std::int64_t tokens = 0;  // with which it meets the budget: C / M
  Hyperparameters hyperparameters;
  std::int64_t batch_sequences = 0;  // round_batch() of the law's
};

// Throws an input Error when the laws lack M_opt, learning rate or batch, or no shape fits. Without
// a law for D_opt it is C / M_opt.
Allocation allocate(const Laws& laws, double compute, std::int64_t sequence_length);

// A config of `fathom train` for it, with comments that say where its numbers come from. `data`: a
// directory of `fathom data prepare`; `output`: the run's directory.
std::string train_config_text(const Allocation& allocation, const Laws& laws,
                              const std::string& data, const std::string& output);

}  // namespace fathom::scaling
