// Choosing the micro-batch and what backward computes again, so that a run fills its
// device and is as fast as the memory allows.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "train/plan.h"

namespace fathom {

struct Fit {
  std::int64_t micro_batch = 1;  // sequences
  Recompute recompute = Recompute::none;
  bool operator==(const Fit&) const = default;
};

struct FitRequest {
  std::int64_t batch = 1;  // sequences of a step, which micro-batches divide
  std::int64_t sequence_length = 1;
  std::int64_t micro_batch = 0;        // 0: to be chosen
  std::optional<Recompute> recompute;  // absent: to be chosen
  std::int64_t useful_tokens = 16384;  // of a micro-batch; more make nothing faster
};

// The fastest that takes at most `available` bytes, as `bytes` tells of each; when none
// does, the one that takes least. How fast one is, is an estimate from its policy and its
// tokens alone.
Fit choose_fit(const FitRequest& request, std::size_t available,
               const std::function<std::size_t(const Fit&)>& bytes);

// resolve(), with what the config leaves open of train.micro_batch and train.recompute
// chosen for a GPU with `free_bytes` of free memory. On a CPU, on several ranks, or with 0,
// not known, resolve() itself chooses, whatever the memory.
TrainPlan resolve_to_fit(const TrainConfig& config, const DataFacts& data, int ranks,
                         std::size_t free_bytes);

}  // namespace fathom
