// The settings that a run must keep to resume its checkpoints: objective, data, seed, tokenizer,
// model.
#pragma once

#include <cstdint>
#include <string>

#include "checkpoint/checkpoint.h"
#include "data/prepared.h"
#include "data/sampler.h"
#include "learn/objective.h"
#include "train/plan.h"
#include "train/run_tokenizer.h"

namespace fathom {

struct RunIdentity {
  std::uint64_t seed = 0;
  DataState data;  // without a position
  std::string tokenizer_hash;
  std::string objective = std::string(NextTokenPrediction::objective_name);
};
// The part of an identity that every kind of run has; the sources of its data are left out.
RunIdentity identity_of(const TrainConfig& config, const RunTokenizer& tokenizer,
                        const BatchSource& source, const Objective& objective);
// Of a run on prepared data: with all phases of the sampler.
RunIdentity identity_of(const TrainPlan& plan, const PreparedData& data, const Sampler& sampler,
                        const Objective& objective);

// Throws an input Error that names the checkpoint, the first difference, and what to do, when
// a run with this identity and model did not make it.
void require_same_run(const Checkpoint& checkpoint, const RunIdentity& run,
                      const ModelConfig& model);

// Whether the checkpoint says which text its run was trained on. Older ones keep the counts of
// tokens and documents alone, inside DataState::sample_order.
bool knows_content(const Checkpoint& checkpoint);

}  // namespace fathom
