// Ten steps of a small model on one rank or on many, for comparing them. They drive the learner
// by hand, as its tests look at what no training run shows: its norms, losses and weights.
#pragma once

#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.h"
#include "learn/learner.h"
#include "model/shard.h"
#include "parallel/small_model.h"

namespace fathom::test {

inline constexpr int steps = 10, micro_batches = 8;

struct Case {
  ParallelConfig parallel;
  Recompute recompute = Recompute::selective;
  bool tied = false;
  bool weighted = false;  // the losses of every other micro-batch have weights

  std::string name() const {
    return fmt::format("pp {} dp {} tp {}, sequence {}, zero {}, {} × {}, recompute {}, tied {}",
                       parallel.pp, parallel.dp, parallel.tp, parallel.sequence_parallel,
                       parallel.zero, int(parallel.schedule), parallel.virtual_stages,
                       int(recompute), tied);
  }
};

struct Result {
  std::vector<float> losses, norms, evaluated;
  std::vector<float> logits;                          // of the evaluated tokens, last one first
  std::map<std::string, std::vector<float>> weights;  // global
};

inline ModelConfig model_of(const Case& c) {
  return small_model(8, 2, 50, c.tied);
}

inline LearnerOptions options_of(const Case& c, const RankGroups& ranks) {
  LearnerOptions o(ranks);
  o.model = model_of(c);
  o.stage = {c.recompute, 10};
  o.micro_tokens = SampleBatch::n;
  o.tokens_per_step = SampleBatch::n * micro_batches / ranks.plan().layout.dp;
  o.logit_rows = SampleBatch::n;
  return o;
}

inline void collect_weights(const ParameterStore& parameters, Result& result) {
  for (const Parameter& p : parameters.all()) {
    auto& global = result.weights[p.spec.name];
    global.resize(static_cast<std::size_t>(p.spec.shape.elements()));
    for (const ShardBox& box : shard_boxes(p.spec, parameters.shard())) {
      const std::int64_t columns = box.shape[-1], rows = box.shape.elements() / columns;
      const std::int64_t row = box.offset.size() > 1 ? box.offset[0] : 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        const float* from = p.weight.as<float>() + (box.local + r) * columns;
        std::copy(from, from + columns,
                  global.begin() + (row + r) * p.spec.shape[-1] + box.offset.back());
      }
    }
  }
}

inline Result train(const Case& c, const RankGroups& ranks) {
  Learner learner(options_of(c, ranks));
  learner.initialize_weights(3);
  const int dp = ranks.plan().layout.dp, mine = ranks.place().dp;
  Result result;
  for (int step = 0; step < steps; ++step) {
    std::vector<SampleBatch> samples;
    for (int m = mine; m < micro_batches; m += dp) {
      samples.emplace_back(step * micro_batches + m, c.weighted && m % 2 == 0);
    }
    std::vector<MicroBatch> batches;
    std::int64_t targets = 0;
    for (const SampleBatch& sample : samples) {
      batches.push_back(sample.batch());
      targets += sample.counted();
    }
    const Learner::Result r = learner.compute_gradients(batches, targets);
    learner.update(1e-3, step + 1);
    result.losses.push_back(float(r.loss));
    result.norms.push_back(float(r.gradient_norm));
  }
  const SampleBatch sample(1000);
  const auto losses = learner.evaluate(sample.batch());
  result.evaluated.assign(losses.begin(), losses.end());
  std::vector<std::int32_t> rows(SampleBatch::n);
  std::iota(rows.rbegin(), rows.rend(), 0);
  const auto logits = learner.next_logits(sample.batch(), rows);
  result.logits.assign(logits.begin(), logits.end());
  collect_weights(learner.parameters(), result);
  return result;
}

inline Result train_on_one_rank(const Case& c) {
  return train(c, OneRank(model_of(c)).groups);
}

inline ParallelConfig layout(int pp, int dp, int tp) {
  ParallelConfig c;
  c.pp = pp;
  c.dp = dp;
  c.tp = tp;
  return c;
}

}  // namespace fathom::test
