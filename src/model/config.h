// The shape of a Llama-style decoder: what the DeepSeek LLM report (arXiv
// 2401.02954, section 2.2) fixes, under Hugging Face's names.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace fathom {

struct ModelConfig {
  std::int64_t num_layers = 8;
  std::int64_t hidden_size = 512;      // d
  std::int64_t num_heads = 8;          // query heads
  std::int64_t num_kv_heads = 0;       // 0: as many as num_heads (MHA); fewer: GQA
  std::int64_t head_dim = 0;           // 0: hidden_size / num_heads
  std::int64_t intermediate_size = 0;  // width of the MLP; 0: 8/3 d, rounded up to 64
  std::int64_t vocab_size = 0;         // rows of the embedding; 0: the tokenizer's
  std::int64_t max_position = 4096;    // longest context
  double rope_theta = 10000;
  double rms_norm_eps = 1e-6;
  double init_std = 0.006;
  bool tie_embeddings = false;

  std::int64_t query_width() const { return num_heads * head_dim; }
  std::int64_t kv_width() const { return num_kv_heads * head_dim; }
};

template <class Visitor>
void visit_fields(ModelConfig& c, Visitor&& field) {
  field("num_layers", c.num_layers, "transformer blocks");
  field("hidden_size", c.hidden_size, "model width d");
  field("num_heads", c.num_heads, "query heads");
  field("num_kv_heads", c.num_kv_heads, "key and value heads; 0: num_heads");
  field("head_dim", c.head_dim, "width of a head; 0: hidden_size / num_heads");
  field("intermediate_size", c.intermediate_size, "MLP width; 0: 8/3 d rounded up to 64");
  field("vocab_size", c.vocab_size, "embedding rows; 0: the tokenizer's");
  field("max_position", c.max_position, "longest context in tokens");
  field("rope_theta", c.rope_theta, "base of the rotary frequencies");
  field("rms_norm_eps", c.rms_norm_eps, "epsilon of RMSNorm");
  field("init_std", c.init_std, "standard deviation of initial weights");
  field("tie_embeddings", c.tie_embeddings, "one matrix for input and output embeddings");
}

// Replaces the zeros that stand for derived sizes, then checks that the sizes
// make a model. Throws an input Error that names the key ("model.num_heads").
ModelConfig resolve(ModelConfig config);

// Parameters in all, and those that take part in matrix products (no embedding
// look-up, no norms): the report's N and the FLOP count's.
std::int64_t count_parameters(const ModelConfig& config);
std::int64_t count_matmul_parameters(const ModelConfig& config);

// FLOPs of forward and backward a token at sequence length T, causal attention
// counted exactly: 6 · matmul parameters + 6 · L · query width · T.
double train_flops_per_token(const ModelConfig& config, std::int64_t sequence_length);

}  // namespace fathom
