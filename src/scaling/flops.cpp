#include "scaling/flops.h"

#include <algorithm>

#include "train/plan.h"
#include "train/rank_options.h"

namespace fathom::scaling {
namespace {

double real(std::int64_t value) {
  return static_cast<double>(value);
}

// A run of one sequence a step, which the plan of `fathom train` follows from.
TrainConfig smallest_run(const ModelConfig& model, std::int64_t sequence_length) {
  TrainConfig config;
  config.model = model;
  config.model.max_position = std::max(model.max_position, sequence_length);
  config.dtype = DTypeChoice::bf16;
  config.train.sequence_length = sequence_length;
  config.train.global_batch = config.train.micro_batch = 1;
  config.train.steps = 1;
  config.validation.sample_tokens = 0;
  config.checkpoint.enabled = false;
  return config;
}

Learner::Bytes bytes_with(Recompute recompute, TrainConfig config) {
  config.train.recompute = choice_of(recompute);
  const TrainPlan plan = resolve(config, {config.model.vocab_size});
  const OneRank rank(plan.config.model);
  return Learner::bytes(learner_options(plan, rank.groups));
}

}  // namespace

double model_flops(const ModelConfig& m, std::int64_t sequence_length) {
  const double layers = real(m.num_layers), d = real(m.hidden_size);
  return 72 * layers * d * d + 12 * layers * d * real(sequence_length);
}

ModelScale scale_of(const ModelConfig& m, std::int64_t sequence_length) {
  const double layers = real(m.num_layers), d = real(m.hidden_size);
  ModelScale scale;
  scale.model_flops = model_flops(m, sequence_length);
  scale.non_embedding = 12 * layers * d * d;
  scale.with_vocabulary = scale.non_embedding + real(m.vocab_size) * d;
  return scale;
}

ParameterCounts parameters_of(const ModelConfig& m) {
  const std::int64_t d = m.hidden_size;
  ParameterCounts counts;
  counts.embedding = m.vocab_size * d;
  counts.attention =
      m.num_layers * (d * (m.query_width() + 2 * m.kv_width()) + m.query_width() * d);
  counts.mlp = m.num_layers * 3 * d * m.intermediate_size;
  counts.norms = (2 * m.num_layers + 1) * d;
  counts.head = m.tie_embeddings ? 0 : m.vocab_size * d;
  return counts;
}

TokenFlops flops_of(const ModelConfig& m, std::int64_t sequence_length) {
  const ParameterCounts counts = parameters_of(m);
  TokenFlops flops;
  flops.attention_weights = 6 * real(counts.attention);
  flops.attention_square = 12 * real(m.num_layers) * real(m.query_width()) * real(sequence_length);
  flops.mlp = 6 * real(counts.mlp);
  flops.head = 6 * real(m.vocab_size) * real(m.hidden_size);  // also when it is the embedding
  return flops;
}

TrainingMemory training_memory(const ModelConfig& model, std::int64_t sequence_length) {
  const TrainConfig config = smallest_run(model, sequence_length);
  const Learner::Bytes bytes = bytes_with(Recompute::none, config);
  TrainingMemory memory;
  memory.weights = bytes.weights;
  memory.gradients = bytes.gradients;
  memory.masters = bytes.remainders;
  memory.moments = bytes.moments;
  memory.activations_none = bytes.activations;
  memory.activations_selective = bytes_with(Recompute::selective, config).activations;
  memory.activations_full = bytes_with(Recompute::full, config).activations;
  memory.other = bytes.workspace + bytes.rope_table + bytes.losses;
  return memory;
}

}  // namespace fathom::scaling
