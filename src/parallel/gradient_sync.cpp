#include "parallel/gradient_sync.h"

#include <algorithm>

#include "model/shard.h"

namespace fathom {
namespace {

// Appends entries [begin, end) of a box's row-major order as boxes of the parameter:
// the end of a row, whole rows, the beginning of a row. `flat` is the box's first
// place in the flat vectors.
void append_run(const ShardBox& box, std::int64_t flat, std::int64_t begin, std::int64_t end,
                const OwnedSlice& like, std::vector<OwnedSlice>& out) {
  const bool vector = box.shape.rank() == 1;
  const std::int64_t columns = vector ? 1 : box.shape[1];
  while (begin < end) {
    const std::int64_t row = begin / columns, column = begin % columns;
    const bool whole_rows = column == 0 && end - begin >= columns;
    const std::int64_t rows = whole_rows ? (end - begin) / columns : 1;
    const std::int64_t width = whole_rows ? columns : std::min(columns - column, end - begin);
    OwnedSlice slice = like;
    slice.offset = {box.offset[0] + row};
    slice.shape = {rows};
    if (!vector) {
      slice.offset.push_back(box.offset[1] + column);
      slice.shape = {rows, width};
    }
    slice.first = flat + begin;
    out.push_back(std::move(slice));
    begin += rows * width;
  }
}

}  // namespace

GradientSync::GradientSync(ParameterStore& parameters, const RankGroups& ranks,
                           std::int64_t bucket_elements)
    : parameters_(parameters), ranks_(ranks) {
  // The flat vectors are a multiple of the ranks times the alignment, and so are all
  // buckets when the first is.
  const std::int64_t unit = std::int64_t{128} * ranks.plan().layout.dp;
  const std::int64_t most = std::max<std::int64_t>(1, bucket_elements / unit) * unit;
  const std::int64_t total = parameters.flat_elements();
  for (std::int64_t first = 0; first < total; first += most) {
    buckets_.push_back({first, std::min(most, total - first)});
  }
}

std::int64_t GradientSync::share_first(const Bucket& bucket) const {
  return ranks_.plan().zero ? bucket.first + ranks_.place().dp * share_count(bucket) : bucket.first;
}

std::int64_t GradientSync::share_count(const Bucket& bucket) const {
  return ranks_.plan().zero ? bucket.count / ranks_.plan().layout.dp : bucket.count;
}

// Whether this rank speaks for the parameter where stages and replicas hold copies.
bool GradientSync::primary_copy(const ParameterSpec& spec) const {
  const bool tied_copy =
      spec.layer == -1 && ranks_.tied_embedding() != nullptr && !ranks_.on_first_stage();
  return !tied_copy && (ranks_.plan().zero || ranks_.place().dp == 0);
}

std::vector<OwnedSlice> GradientSync::owned() const {
  std::vector<OwnedSlice> slices;
  for (std::size_t i = 0; i < parameters_.all().size(); ++i) {
    const Parameter& parameter = parameters_.all()[i];
    for (const ShardBox& box : shard_boxes(parameter.spec, parameters_.shard())) {
      const std::int64_t elements = box.shape.elements();
      const std::int64_t flat =
          parameter.first + box.local * (elements / std::max<std::int64_t>(1, box.shape[0]));
      OwnedSlice like;
      like.parameter = i;
      like.primary = box.primary && primary_copy(parameter.spec);
      for (const Bucket& bucket : buckets_) {
        const std::int64_t begin = std::max(flat, share_first(bucket));
        const std::int64_t end =
            std::min(flat + elements, share_first(bucket) + share_count(bucket));
        if (begin < end) append_run(box, flat, begin - flat, end - flat, like, slices);
      }
    }
  }
  return slices;
}

// Sums over ranks that hold the same parameter and each saw a part of its uses.
void GradientSync::reduce_copies(Context& context) {
  for (Parameter& parameter : parameters_.all()) {
    const ParameterSpec& spec = parameter.spec;
    if (spec.layer == -1 && ranks_.tied_embedding()) {
      ranks_.tied_embedding()->all_reduce(context, parameter.gradient);
    }
    if (spec.gradient_is_partial && ranks_.plan().sequence_parallel) {
      ranks_.tensor().all_reduce(context, parameter.gradient);
    }
    if (spec.split_dim != 0 || !ranks_.same_key_heads()) continue;
    for (const ShardBox& box : shard_boxes(spec, parameters_.shard())) {
      if (box.replicas == 1) continue;
      ranks_.same_key_heads()->all_reduce(context,
                                          parameter.gradient.slice(box.local, box.shape[0]));
    }
  }
}

void GradientSync::reduce(Context& context) {
  reduce_copies(context);
  if (ranks_.plan().layout.dp == 1) return;
  const Tensor all = parameters_.flat_gradients();
  for (const Bucket& bucket : buckets_) {
    const Tensor part = all.slice(bucket.first, bucket.count);
    if (ranks_.plan().zero) {
      ranks_.data().reduce_scatter(context, part,
                                   all.slice(share_first(bucket), share_count(bucket)));
    } else {
      ranks_.data().all_reduce(context, part);
    }
  }
}

void GradientSync::gather_weights(Context& context) {
  if (!ranks_.plan().zero) return;
  const Tensor all = parameters_.flat_weights();
  for (const Bucket& bucket : buckets_) {
    ranks_.data().all_gather(context, all.slice(share_first(bucket), share_count(bucket)),
                             all.slice(bucket.first, bucket.count));
  }
}

}  // namespace fathom
