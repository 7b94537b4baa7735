#include "infer/weight_copy.h"

#include <cstring>
#include <utility>

#include "core/parallel.h"

namespace fathom::infer {

WeightCopy::~WeightCopy() {
  for (Moved& moved : moved_) {
    moved.parameter->weight = moved.in_file;
    moved.parameter->is_in_place = true;
  }
}

void WeightCopy::advance(int shares) {
  auto& all = parameters_.all();
  if (next_ == all.size()) return;
  std::size_t in_place = 0, moved = 0;
  for (const Moved& done : moved_) in_place += done.memory.bytes();
  for (const Parameter& parameter : all) {
    if (parameter.is_in_place) in_place += parameter.weight.bytes();
  }
  const std::size_t share = in_place / static_cast<std::size_t>(shares) + 1;
  for (; next_ < all.size() && moved < share; ++next_) {
    if (!all[next_].is_in_place) continue;
    moved += all[next_].weight.bytes();
    move(all[next_]);
  }
}

void WeightCopy::move(Parameter& parameter) {
  const Tensor from = parameter.weight;
  Buffer memory(from.device, from.bytes());
  const auto* const source = static_cast<const std::byte*>(from.data);
  auto* const target = static_cast<std::byte*>(memory.data());
  constexpr std::int64_t grain = std::int64_t{1} << 20;
  parallel_for(static_cast<std::int64_t>(from.bytes()), grain,
               [&](std::int64_t begin, std::int64_t end) {
                 std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
               });
  parameter.weight = memory.tensor(from.dtype, from.shape);
  parameter.is_in_place = false;
  moved_.push_back({&parameter, from, std::move(memory)});
}

}  // namespace fathom::infer
