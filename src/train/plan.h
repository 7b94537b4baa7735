// Every number that follows from a config, computed once. The plan never changes
// during a run, and its config is saved with the run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/training_state.h"
#include "data/prepared.h"
#include "parallel/rank_layout.h"
#include "train/config.h"
#include "train/loss_forecast.h"

namespace fathom {

// Facts of the data that the plan follows from.
struct DataFacts {
  std::int64_t vocab_size = 0;    // the tokenizer's
  std::int64_t train_tokens = 0;  // one pass over the data, padding included
  bool uniform_segments = true;   // attention spans whole sequences
};
DataFacts facts_of(const PreparedData& data, const DataConfig& config);

// How far a run has come. A run that continues another one (train/branch.h) counts from the
// beginning of the first.
struct RunPosition {
  std::int64_t steps = 0;        // done, skipped ones included
  std::int64_t tokens = 0;       // seen
  std::int64_t next_sample = 0;  // of the sampler's order
  double seconds = 0;            // trained so far, over all processes
};

// Where the steps of this plan go on: of the checkpoint that the run resumes, else all zero.
struct RunOrigin {
  RunPosition position;
  std::vector<PhaseState> phases;  // of its data, that had begun
};

struct TrainPlan {
  TrainConfig config;  // every automatic value is resolved
  Device device;
  DType dtype = DType::f32;
  int threads = 1;  // of each rank
  ParallelPlan parallel;

  std::int64_t micro_batches = 1;    // of a step on one rank
  std::int64_t micro_tokens = 0;     // of a micro-batch
  std::int64_t tokens_per_step = 0;  // global_batch · sequence_length
  // The limits, each in its own unit, 0 for none. A run may resume with another global_batch:
  // steps are then of another size, but tokens seen and steps done still count as they are.
  std::int64_t max_steps = 0, max_tokens = 0;
  double max_seconds = 0;
  double flops_per_token = 0;
  std::int64_t epoch_tokens = 0;      // of one pass over the data
  bool uniform_segments = true;       // see DataFacts
  std::optional<BranchState> branch;  // of a run that continues another one
  RunOrigin origin;
  std::optional<LossForecast> forecast;  // of a run by scaling laws

  StageOptions stage_options() const {
    return {policy_of(config.train.recompute).value(), config.train.logits_chunk};
  }
  // Prompts whose samples are drawn at once, at most; 0: none.
  std::int64_t sample_rows() const {
    const ValidationConfig& validation = config.validation;
    return validation.sample_tokens > 0 ? std::ssize(validation.sample_prompts) : 0;
  }
  // Share of the run that is done, [0, 1], for the schedule and the display: of the limit that
  // is nearest to being reached.
  double progress(const RunPosition& now) const;
  // Of the next step. A warm-up never falls behind what it had reached at the branch.
  ScheduleFactors schedule_factors(const RunPosition& now) const;
  double learning_rate(const RunPosition& now) const;
  // Whether a checkpoint of `now` is to be kept for good, for the schedule or the tokens have
  // passed a point since `before` where the config asks for it.
  bool keeps(const RunPosition& before, const RunPosition& now) const;
  bool finished(const RunPosition& now) const;
  // How often a run from the beginning reads its data; 0 when only time limits it.
  double epochs() const;
  // The last step of a run that goes on from there by steps of this plan's size; 0 when only
  // time limits it.
  std::int64_t last_step(const RunPosition& from) const;
};

// Throws an input Error that names the key of an impossible size.
TrainPlan resolve(TrainConfig config, const DataFacts& data, int ranks = 1);

// The largest divisor of a replica's batch, in sequences, that keeps a micro-batch near the size
// from which larger products are no faster.
std::int64_t choose_micro_batch(const LoopConfig& loop, std::int64_t replicas, DeviceType device);
// Tokens whose logits are in memory at once.
std::int64_t choose_logits_chunk(DeviceType device);

// Whether the device computes bf16 products natively (on a CPU: AVX512-BF16).
bool computes_bf16(Device device);
// Throws an input Error that names `key` when the device has no such products: FP8 takes a GPU of
// compute capability 8.9 or later, or a CPU, which emulates it.
void require_products(Products products, Device device, const std::string& key);
// The dtype that the config's choice means on this device.
DType choose_dtype(DTypeChoice choice, Device device);

}  // namespace fathom
