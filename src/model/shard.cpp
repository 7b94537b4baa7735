#include "model/shard.h"

#include <algorithm>

namespace fathom {
namespace {

// Units [begin, end) of a part, and how many ranks hold them.
struct Units {
  std::int64_t begin, end;
  int replicas, place;
};

Units units_of(std::int64_t units, const TensorShard& shard) {
  if (units < shard.ranks && shard.ranks % units == 0) {
    const auto replicas = static_cast<int>(shard.ranks / units);
    const std::int64_t unit = shard.rank / replicas;
    return {unit, unit + 1, replicas, shard.rank % replicas};
  }
  const std::int64_t each = (units + shard.ranks - 1) / shard.ranks;
  return {std::min(units, shard.rank * each), std::min(units, (shard.rank + 1) * each), 1, 0};
}

ShardBox whole_box(const ParameterSpec& spec, const TensorShard& shard) {
  ShardBox box;
  box.offset.assign(static_cast<std::size_t>(spec.shape.rank()), 0);
  box.shape = spec.shape;
  box.replicas = shard.ranks;
  box.primary = shard.rank == 0;
  return box;
}

}  // namespace

std::vector<ShardBox> shard_boxes(const ParameterSpec& spec, const TensorShard& shard) {
  if (spec.split_dim < 0 || shard.ranks == 1) return {whole_box(spec, shard)};
  if (spec.split_dim == 1) {
    ShardBox box;
    const Units columns = units_of(spec.shape[1], shard);
    box.offset = {0, columns.begin};
    box.shape = {spec.shape[0], columns.end - columns.begin};
    return {box};
  }
  std::vector<ShardBox> boxes;
  std::int64_t first_row = 0, local = 0;
  for (const ParameterSpec::HuggingFacePart& part : spec.parts) {
    const std::int64_t units = part.units > 0 ? part.units : part.rows;
    const std::int64_t rows_each = part.rows / units;
    const Units here = units_of(units, shard);
    ShardBox box;
    box.offset = {first_row + here.begin * rows_each, 0};
    box.shape = {(here.end - here.begin) * rows_each, spec.shape[1]};
    box.local = local;
    box.replicas = here.replicas;
    box.primary = here.place == 0;
    first_row += part.rows;
    local += box.shape[0];
    boxes.push_back(std::move(box));
  }
  return boxes;
}

Shape shard_shape(const ParameterSpec& spec, const TensorShard& shard) {
  const std::vector<ShardBox> boxes = shard_boxes(spec, shard);
  if (spec.split_dim != 0) return boxes.front().shape;
  return {boxes.back().local + boxes.back().shape[0], spec.shape[1]};
}

ModelConfig shard_config(ModelConfig c, const TensorShard& shard) {
  c.num_heads /= shard.ranks;
  c.num_kv_heads = std::max<std::int64_t>(1, c.num_kv_heads / shard.ranks);
  c.intermediate_size /= shard.ranks;
  return c;
}

}  // namespace fathom
