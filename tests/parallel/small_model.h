// A model and a batch small enough to be trained on every layout.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/stage.h"

namespace fathom::test {

inline ModelConfig small_model(std::int64_t layers, std::int64_t kv_heads, std::int64_t vocabulary,
                               bool tied = false) {
  ModelConfig c;
  c.num_layers = layers;
  c.hidden_size = 32;
  c.num_heads = 8;
  c.num_kv_heads = kv_heads;
  c.head_dim = 4;
  c.intermediate_size = 48;
  c.vocab_size = vocabulary;
  c.max_position = 64;
  c.init_std = 0.2;
  c.tie_embeddings = tied;
  return resolve(c);
}

// Two sequences of 12 tokens; some targets do not count. Owns its host memory.
class SampleBatch {
 public:
  static constexpr std::int64_t n = 24, length = 12;

  // `weighted`: each target's loss has a weight between 0 and 2, some have 0.
  explicit SampleBatch(int seed = 0, bool weighted = false) {
    for (int i = 0; i < n; ++i) {
      ids_.push_back((i * 7 + seed * 11) % 48);
      targets_.push_back(i % 5 == 4 ? -1 : (i * 3 + seed * 5) % 48);
      positions_.push_back(i % int(length));
      if (weighted) weights_.push_back(float((i * 5 + seed * 3) % 9) / 4);
    }
  }

  MicroBatch batch() const {
    MicroBatch batch;
    batch.ids = view(ids_);
    batch.targets = view(targets_);
    if (!weights_.empty()) batch.loss_weights = view(weights_);
    batch.tokens.positions = view(positions_);
    batch.tokens.segments = {view(offsets_), length};
    return batch;
  }
  std::int64_t counted() const {
    return std::int64_t(
        std::count_if(targets_.begin(), targets_.end(), [](int t) { return t >= 0; }));
  }

 private:
  template <class T>
  static Tensor view(const std::vector<T>& v) {
    return Tensor(const_cast<T*>(v.data()), dtype_of<T>, {std::ssize(v)});
  }

  std::vector<std::int32_t> ids_, targets_, positions_, offsets_{0, 12, 24};
  std::vector<float> weights_;
};

// ‖a − b‖ / ‖b‖; infinite when a is not finite.
inline double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (double(a.at(i)) - b[i]) * (double(a.at(i)) - b[i]);
    norm += double(b[i]) * b[i];
  }
  const double error = std::sqrt(difference / norm);
  return std::isfinite(error) ? error : INFINITY;
}

}  // namespace fathom::test
