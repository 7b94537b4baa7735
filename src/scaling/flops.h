// What a model costs: its scale by the report's measures, its parameters and FLOPs by part, and the
// memory that training takes.
//
// FLOPs are those of a token's matrix products, forward and backward: 6 for each weight that the
// token meets, and those of attention. Norms, activations and the embedding's look-up count
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/config.h"

namespace fathom::scaling {

// M = 72·L·d² + 12·L·d·T, the non-embedding FLOPs a token at sequence length T (arXiv 2401.02954,
// equation 2). It takes each layer for 12·d² weights, and attention for as wide as d and not
// causal.
double model_flops(const ModelConfig& model, std::int64_t sequence_length);

// The report's measures of a model's scale. N1 and N2 are the older ones, whose 6·N is far from M
// in small models.
struct ModelScale {
  double model_flops = 0;      // M
  double non_embedding = 0;    // N1 = 12·L·d²
  double with_vocabulary = 0;  // N2 = N1 + V·d
  double non_embedding_ratio() const { return 6 * non_embedding / model_flops; }
  double with_vocabulary_ratio() const { return 6 * with_vocabulary / model_flops; }
};
ModelScale scale_of(const ModelConfig& model, std::int64_t sequence_length);

// Parameters as the model has them: its own MLP width, and its key heads (GQA).
struct ParameterCounts {
  std::int64_t embedding = 0;  // V·d
  std::int64_t attention = 0;  // L · (d · (query width + 2 · key width) + query width · d)
  std::int64_t mlp = 0;        // L · 3 · d · MLP width
  std::int64_t norms = 0;      // (2·L + 1) · d
  std::int64_t head = 0;       // V·d; 0 when tied to the embedding
  std::int64_t total() const { return embedding + attention + mlp + norms + head; }
};
ParameterCounts parameters_of(const ModelConfig& model);

// FLOPs a token of these parameters. Attention's products of queries, keys and values are
// 12 · L · query width · T over the whole square of the sequence, half of it when a token sees only
// what is before it (causal).
struct TokenFlops {
  double attention_weights = 0;
  double attention_square = 0;
  double mlp = 0;
  double head = 0;

  double full() const { return attention_weights + attention_square + mlp + head; }
  double causal() const { return full() - attention_square / 2; }  // train_flops_per_token()
};
TokenFlops flops_of(const ModelConfig& model, std::int64_t sequence_length);

// Bytes that training on one device takes in bf16, by what for: what `fathom train` plans for a
// micro-batch of one sequence, without samples of text and checkpoints.
struct TrainingMemory {
  std::size_t weights = 0, gradients = 0, masters = 0, moments = 0;
  // By what backward computes again (Recompute).
  std::size_t activations_none = 0, activations_selective = 0, activations_full = 0;
  std::size_t other = 0;  // workspace, table of angles, losses

  std::size_t total_selective() const {
    return weights + gradients + masters + moments + activations_selective + other;
  }
};
TrainingMemory training_memory(const ModelConfig& model, std::int64_t sequence_length);

}  // namespace fathom::scaling
