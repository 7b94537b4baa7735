#include "parallel/gradient_sync.h"

#include <algorithm>
#include <exception>

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

std::int64_t usual_bucket(std::int64_t elements, int replicas) {
  if (replicas == 1) return elements;
  constexpr std::int64_t least = std::int64_t{1} << 20, buckets = 32;
  return std::max(least, elements / buckets);
}

void add_once(std::vector<std::int64_t>& layers, std::int64_t layer) {
  if (std::ranges::find(layers, layer) == layers.end()) layers.push_back(layer);
}

}  // namespace

GradientSync::GradientSync(ParameterStore& parameters, const RankGroups& ranks, Device device,
                           std::int64_t bucket_elements)
    : parameters_(parameters),
      ranks_(ranks),
      queue_(device, ranks.plan().overlap && !ranks.alone() ? Overlap::on : Overlap::off) {
  // The flat vectors are a multiple of the ranks times the alignment, and so are all
  // buckets when the first is.
  const std::int64_t unit = std::int64_t{128} * ranks.plan().layout.dp;
  const std::int64_t total = parameters.flat_elements();
  const std::int64_t wanted =
      bucket_elements > 0 ? bucket_elements : usual_bucket(total, ranks.plan().layout.dp);
  const std::int64_t most = std::max<std::int64_t>(1, wanted / unit) * unit;
  for (std::int64_t first = 0; first < total; first += most) {
    buckets_.push_back({first, std::min(most, total - first), {}, {}});
  }
  for (const Parameter& parameter : parameters.all()) {
    const std::int64_t layer = parameter.spec.layer;
    add_once(layers_, layer);
    for (Bucket& bucket : buckets_) {
      const std::int64_t end = parameter.first + parameter.weight.elements();
      if (parameter.first < bucket.first + bucket.count && bucket.first < end) {
        add_once(bucket.layers, layer);
      }
    }
  }
  start_step();
  const bool planned = ranks.world().only_planned();
  if ((device.type == DeviceType::meta && !planned) || ranks.alone()) return;
  data_ = ranks.data().split(0, "data, beside");
  tensor_ = ranks.tensor().split(0, "tensor, beside");
  if (ranks.same_key_heads()) same_key_heads_ = ranks.same_key_heads()->split(0, "key heads");
  if (ranks.tied_embedding()) tied_embedding_ = ranks.tied_embedding()->split(0, "embedding");
  const Capacities c = capacities();
  data_->connect(device, c.data);
  if (ranks.plan().sequence_parallel) tensor_->connect(device, c.tensor);
  if (same_key_heads_) same_key_heads_->connect(device, c.same_key_heads);
  if (tied_embedding_) tied_embedding_->connect(device, c.tied_embedding);
}

// The largest tensors of reduce_bucket(), whose weights are no wider than their gradients, and of
// reduce_copies().
GradientSync::Capacities GradientSync::capacities() const {
  Capacities c;
  for (CollectiveCapacity* const capacity :
       {&c.data, &c.tensor, &c.same_key_heads, &c.tied_embedding}) {
    capacity->sums_beside = ranks_.plan().overlap;
  }
  const auto add = [](CollectiveCapacity& capacity, std::int64_t elements) {
    capacity.bytes = std::max(capacity.bytes, static_cast<std::size_t>(elements) * sizeof(float));
  };
  for (const Bucket& bucket : buckets_) add(c.data, bucket.count);
  for (const Parameter& parameter : parameters_.all()) {
    const ParameterSpec& spec = parameter.spec;
    if (spec.gradient_is_partial) add(c.tensor, parameter.gradient.elements());
    if (spec.layer == -1) add(c.tied_embedding, parameter.gradient.elements());
    if (spec.split_dim != 0) continue;
    for (const ShardBox& box : shard_boxes(spec, parameters_.shard())) {
      if (box.replicas > 1) add(c.same_key_heads, box.shape.elements());
    }
  }
  return c;
}

std::size_t GradientSync::exchange_bytes(Device device) const {
  const Capacities c = capacities();
  std::size_t bytes = planned_bytes(ranks_.data(), device, c.data);
  if (ranks_.plan().sequence_parallel) bytes += planned_bytes(ranks_.tensor(), device, c.tensor);
  if (ranks_.same_key_heads()) {
    bytes += planned_bytes(*ranks_.same_key_heads(), device, c.same_key_heads);
  }
  if (ranks_.tied_embedding()) {
    bytes += planned_bytes(*ranks_.tied_embedding(), device, c.tied_embedding);
  }
  return bytes;
}

GradientSync::~GradientSync() {
  // What has begun on other ranks is finished with them, unless this one has failed.
  if (std::uncaught_exceptions() == 0) {
    queue_.drain();
  } else {
    cancel();
  }
}

void GradientSync::cancel() {
  for (Communicator* group :
       {data_.get(), tensor_.get(), same_key_heads_.get(), tied_embedding_.get()}) {
    if (group) group->cancel();
  }
}

void GradientSync::start_step() {
  left_ = layers_;
  for (Bucket& bucket : buckets_) bucket.waits_for = bucket.layers;
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
void GradientSync::reduce_copies(Context& context, const Parameter& parameter) {
  const ParameterSpec& spec = parameter.spec;
  if (spec.layer == -1 && tied_embedding_) tied_embedding_->all_reduce(context, parameter.gradient);
  if (spec.gradient_is_partial && ranks_.plan().sequence_parallel) {
    tensor_->all_reduce(context, parameter.gradient);
  }
  if (spec.split_dim != 0 || !same_key_heads_) return;
  for (const ShardBox& box : shard_boxes(spec, parameters_.shard())) {
    if (box.replicas == 1) continue;
    same_key_heads_->all_reduce(context, parameter.gradient.slice(box.local, box.shape[0]));
  }
}

void GradientSync::reduce_bucket(Context& context, const Bucket& bucket) {
  const Tensor all = parameters_.flat_gradients();
  const Tensor part = all.slice(bucket.first, bucket.count);
  if (ranks_.plan().zero) {
    data_->reduce_scatter(context, part, all.slice(share_first(bucket), share_count(bucket)));
  } else {
    data_->all_reduce(context, part);
  }
}

// Every rank of a stage comes here with the same layers in the same order, which is the
// order of the work in the queues.
void GradientSync::reduce_layer(Context& context, std::int64_t layer) {
  if (std::erase(left_, layer) == 0) return;
  queue_.submit(context, [this, layer](Context& beside) {
    for (const Parameter& parameter : parameters_.all()) {
      if (parameter.spec.layer == layer) reduce_copies(beside, parameter);
    }
  });
  if (ranks_.plan().layout.dp == 1) return;
  for (Bucket& bucket : buckets_) {
    if (std::erase(bucket.waits_for, layer) == 0 || !bucket.waits_for.empty()) continue;
    queue_.submit(context, [this, &bucket](Context& beside) { reduce_bucket(beside, bucket); });
  }
}

void GradientSync::after_backward(Context& context, std::int64_t layer) {
  if (data_) reduce_layer(context, layer);
}

void GradientSync::reduce(Context& context) {
  if (!data_) return;
  for (std::size_t i = layers_.size(); i-- > 0;) reduce_layer(context, layers_[i]);
  queue_.wait(context, queue_.last(), "wait for gradients");
  start_step();
}

void GradientSync::gather_weights(Context& context) {
  if (!ranks_.plan().zero || !data_) return;
  const Tensor all = parameters_.flat_weights();
  for (Bucket& bucket : buckets_) {
    bucket.gathered = queue_.submit(context, [this, all, &bucket](Context& beside) {
      data_->all_gather(beside, all.slice(share_first(bucket), share_count(bucket)),
                        all.slice(bucket.first, bucket.count));
    });
  }
}

void GradientSync::before_forward(Context& context, std::int64_t layer) {
  if (!data_) return;
  for (const Bucket& bucket : buckets_) {
    if (std::ranges::find(bucket.layers, layer) == bucket.layers.end()) continue;
    queue_.wait(context, bucket.gathered, "wait for weights");
  }
}

void GradientSync::wait_for_weights(Context& context) {
  queue_.wait(context, queue_.last(), "wait for weights");
}

}  // namespace fathom
