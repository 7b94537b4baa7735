#include "model/config.h"

#include "core/error.h"

namespace fathom {
namespace {

void check_positive(const char* key, std::int64_t value) {
  constexpr std::int64_t limit = std::int64_t{1} << 31;
  if (value < 1 || value >= limit) {
    fail_input("model.{} is {}: use a value between 1 and {}", key, value, limit - 1);
  }
}

// Sizes that fit alone may multiply to what no 64-bit number holds.
void check_products(const ModelConfig& c) {
  // A million times the largest models; bytes of weights and states still fit.
  constexpr double limit = 1e18, states = 16;
  const auto d = static_cast<double>(c.hidden_size), layers = static_cast<double>(c.num_layers);
  const double heads = static_cast<double>(c.num_heads + c.num_kv_heads);
  const double attention = 2 * d * heads * static_cast<double>(c.head_dim);
  const double mlp = 3 * d * static_cast<double>(c.intermediate_size);
  const double parameters = layers * (attention + mlp) + 2 * d * static_cast<double>(c.vocab_size);
  if (parameters > limit / states) {
    fail_input(
        "the model's sizes make {:.1e} parameters: lower model.num_layers ({}), hidden_size ({}), "
        "num_heads ({}), intermediate_size ({}) or vocab_size ({})",
        parameters, c.num_layers, c.hidden_size, c.num_heads, c.intermediate_size, c.vocab_size);
  }
  if (static_cast<double>(c.max_position) * static_cast<double>(c.head_dim) > limit / states) {
    fail_input("model.max_position ({}) times model.head_dim ({}) is too large a table of angles",
               c.max_position, c.head_dim);
  }
}

}  // namespace

ModelConfig resolve(ModelConfig c) {
  check_positive("num_layers", c.num_layers);
  check_positive("hidden_size", c.hidden_size);
  check_positive("num_heads", c.num_heads);
  check_positive("max_position", c.max_position);
  if (c.num_kv_heads == 0) c.num_kv_heads = c.num_heads;
  check_positive("num_kv_heads", c.num_kv_heads);
  if (c.head_dim == 0) {
    if (c.hidden_size % c.num_heads != 0) {
      fail_input(
          "model.num_heads ({}) does not divide model.hidden_size ({}): change one, or set "
          "model.head_dim",
          c.num_heads, c.hidden_size);
    }
    c.head_dim = c.hidden_size / c.num_heads;
  }
  check_positive("head_dim", c.head_dim);
  if (c.head_dim % 2 != 0) {
    fail_input("model.head_dim is {}: rotary embedding needs an even one", c.head_dim);
  }
  if (c.num_heads % c.num_kv_heads != 0) {
    fail_input("model.num_kv_heads ({}) does not divide model.num_heads ({})", c.num_kv_heads,
               c.num_heads);
  }
  if (c.intermediate_size == 0) c.intermediate_size = (c.hidden_size * 8 / 3 + 63) / 64 * 64;
  check_positive("intermediate_size", c.intermediate_size);
  check_positive("vocab_size", c.vocab_size);
  check_products(c);
  // Computed with in f32.
  constexpr double largest = 1e30;
  if (!(c.rope_theta > 0 && c.rope_theta <= largest)) {
    fail_input("model.rope_theta is {}: use a positive value, such as 10000", c.rope_theta);
  }
  if (!(c.rms_norm_eps >= 0 && c.rms_norm_eps <= largest)) {
    fail_input("model.rms_norm_eps is {}: use 1e-6", c.rms_norm_eps);
  }
  if (!(c.init_std > 0 && c.init_std <= largest)) {
    fail_input("model.init_std is {}: use 0.006", c.init_std);
  }
  return c;
}

std::int64_t count_matmul_parameters(const ModelConfig& c) {
  const std::int64_t d = c.hidden_size;
  const std::int64_t attention = d * (c.query_width() + 2 * c.kv_width()) + c.query_width() * d;
  return c.num_layers * (attention + 3 * d * c.intermediate_size) + c.vocab_size * d;
}

std::int64_t count_parameters(const ModelConfig& c) {
  const std::int64_t embedding = c.tie_embeddings ? 0 : c.vocab_size * c.hidden_size;
  return count_matmul_parameters(c) + embedding + (2 * c.num_layers + 1) * c.hidden_size;
}

double train_flops_per_token(const ModelConfig& c, std::int64_t sequence_length) {
  return 6.0 * static_cast<double>(count_matmul_parameters(c)) +
         6.0 * static_cast<double>(c.num_layers * c.query_width() * sequence_length);
}

}  // namespace fathom
