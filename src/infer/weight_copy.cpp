#include "infer/weight_copy.h"

#include <cstring>

#include "core/parallel.h"

namespace fathom::infer {

namespace {

// Bytes of memory for the weights that are in place.
std::size_t bytes_in_place(const ParameterStore& parameters) {
  Arena arena = Arena::measuring();
  for (const Parameter& parameter : parameters.all()) {
    if (parameter.is_in_place) arena.take(parameter.weight.dtype, parameter.weight.shape);
  }
  return arena.peak();
}

}  // namespace

WeightCopy::WeightCopy(ParameterStore& parameters)
    : parameters_(parameters), memory_(cpu_device, bytes_in_place(parameters)) {}

WeightCopy::~WeightCopy() {
  for (Moved& moved : moved_) {
    moved.parameter->weight = moved.in_file;
    moved.parameter->is_in_place = true;
  }
}

void WeightCopy::advance(int shares) {
  auto& all = parameters_.all();
  const std::size_t end =
      memory_.mark() + memory_.capacity() / static_cast<std::size_t>(shares) + 1;
  for (; next_ < all.size() && memory_.mark() < end; ++next_) {
    if (all[next_].is_in_place) move(all[next_]);
  }
}

void WeightCopy::move(Parameter& parameter) {
  const Tensor from = parameter.weight, to = memory_.take(from.dtype, from.shape);
  const auto* const source = static_cast<const std::byte*>(from.data);
  auto* const target = static_cast<std::byte*>(to.data);
  constexpr std::int64_t grain = std::int64_t{1} << 18;
  parallel_for(static_cast<std::int64_t>(from.bytes()), grain,
               [&](std::int64_t begin, std::int64_t end) {
                 std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
               });
  parameter.weight = to;
  parameter.is_in_place = false;
  moved_.push_back({&parameter, from});
}

}  // namespace fathom::infer
