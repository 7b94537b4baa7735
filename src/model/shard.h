// Which part of each parameter a rank of a tensor-parallel group holds. The layers
// see a smaller model; global names and places stay with the parameters.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/parameters.h"

namespace fathom {

// A box of a global parameter that a rank holds: the entries [offset[i], offset[i] +
// shape[i]) of each dimension. They stand in the rank's tensor from `local` on, along
// the dimension that is split.
struct ShardBox {
  std::vector<std::int64_t> offset;
  Shape shape;
  std::int64_t local = 0;
  int replicas = 1;     // neighbouring ranks of the group that hold the same box
  bool primary = true;  // this rank is the first of them
};

// In order, covering the rank's tensor: one a part (Q, K, V; gate, up), else one.
// Units of a part are dealt out in equal runs, the last rank's shorter where they do
// not divide (the vocabulary); where there are fewer units than ranks (key heads),
// each is held by several ranks.
std::vector<ShardBox> shard_boxes(const ParameterSpec& spec, const TensorShard& shard);

// The shape of the rank's tensor.
Shape shard_shape(const ParameterSpec& spec, const TensorShard& shard);

// The sizes that the layers of one rank compute with: its heads and its part of the
// MLP. The sizes divide (parallel/rank_layout.h refuses others).
ModelConfig shard_config(ModelConfig config, const TensorShard& shard);

}  // namespace fathom
