// Benchmarks that a training run asks its own weights at chosen steps ([eval] of the config).
//
// What a task is and how answers are scored is known further down, in eval: the command hands it in
// by TrainOptions::benchmarks, so that training depends on this interface alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "train/plan.h"
#include "train/run_tokenizer.h"

namespace fathom {

// The main score of a task.
struct BenchmarkScore {
  std::string task, score;  // "piqa", "acc"
  double value = 0;
  double standard_error = 0;  // NaN: not known
  std::int64_t items = 0;
};

class Benchmarks {
 public:
  virtual ~Benchmarks() = default;

  // Their names, the same on every rank, each once.
  virtual const std::vector<std::string>& tasks() const = 0;
  // Before the first ask(), when `learner` has the run's weights: takes the memory that this needs,
  // and lets a device get ready. The learner outlives this. No rank waits for another.
  virtual void start(Learner& learner, DeviceBatch& memory) = 0;
  // Evaluates task number `task` with the current weights: the same score on every rank. None when
  // `stopped`, which a rank calls while it works, was true on one of them; nothing is asked after
  // that. Takes no memory of a device. `memory` is for micro-batches. Collective.
  virtual std::optional<BenchmarkScore> ask(std::size_t task, Learner& learner, DeviceBatch& memory,
                                            const std::function<bool()>& stopped) = 0;
};

// Reads the tasks of plan.config.eval. Throws an input Error for a task, data or a layout that it
// cannot use. Collective.
using MakeBenchmarks = std::function<std::unique_ptr<Benchmarks>(
    const TrainPlan& plan, const RankGroups& ranks, const RunTokenizer& tokenizer)>;

// Whether the plan's tensor or pipeline parallelism divides the model among ranks.
bool ranks_share_model(const TrainPlan& plan);
// The engine that asks them on a rank that holds the whole model. Texts are as long as those that
// the run trains on. Throws an input Error when eval.cache_gib does not hold one of them.
infer::EngineOptions benchmark_engine(const TrainPlan& plan);
// Its memory; none without tasks, and where ranks share the model.
infer::Engine::Bytes benchmark_bytes(const TrainPlan& plan);
// Tokens whose logits the learner must give at once where ranks share the model.
std::int64_t benchmark_logit_rows(const TrainPlan& plan);

}  // namespace fathom
