// Describing which part of a global tensor some memory holds.
#include <algorithm>

#include "checkpoint/checkpoint.h"
#include "core/error.h"

namespace fathom {

CheckpointTensor CheckpointTensor::whole(StateKind kind, std::string name, Tensor values) {
  const auto rank = static_cast<std::size_t>(values.shape.rank());
  return {kind, std::move(name), values.shape, std::vector<std::int64_t>(rank, 0), values};
}

std::vector<CheckpointTensor> checkpoint_range(StateKind kind, const std::string& name,
                                               const Shape& global_shape, std::int64_t first,
                                               Tensor values) {
  require(values.contiguous() && first >= 0 &&
              first + values.elements() <= global_shape.elements() && global_shape.rank() <= 2,
          "'{}' of shape {} has no {} values from {}", name, to_string(global_shape),
          values.elements(), first);
  std::vector<CheckpointTensor> boxes;
  if (global_shape.rank() == 1) {
    const std::int64_t count = values.elements();
    boxes.push_back({kind, name, global_shape, {first}, values.view({count})});
    return boxes;
  }
  // The end of a row, whole rows, the beginning of a row.
  const std::int64_t columns = global_shape[1], total = values.elements();
  Tensor flat = values.view({total});
  std::int64_t done = 0;
  while (done < total) {
    const std::int64_t row = (first + done) / columns, column = (first + done) % columns;
    const std::int64_t left = total - done;
    const bool whole_rows = column == 0 && left >= columns;
    const std::int64_t rows = whole_rows ? left / columns : 1;
    const std::int64_t width = whole_rows ? columns : std::min(columns - column, left);
    const Tensor box = flat.slice(done, rows * width).view({rows, width});
    boxes.push_back({kind, name, global_shape, {row, column}, box});
    done += rows * width;
  }
  return boxes;
}

}  // namespace fathom
