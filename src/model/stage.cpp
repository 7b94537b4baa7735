#include "model/stage.h"

#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "model/shard.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/int8.h"

namespace fathom {
namespace {

void before_forward(Context& context, const MicroBatch& batch, std::int64_t layer) {
  if (batch.observer) batch.observer->before_forward(context, layer);
}

void after_backward(Context& context, const MicroBatch& batch, std::int64_t layer) {
  if (batch.observer) batch.observer->after_backward(context, layer);
}

}  // namespace

std::vector<ParameterSpec> stage_parameters(const ModelConfig& config, StageRange range) {
  std::vector<ParameterSpec> here;
  for (ParameterSpec& spec : parameter_table(config)) {
    const bool in_blocks = spec.layer >= range.first_layer && spec.layer < range.last_layer;
    const bool embedding = spec.layer == -1 && (range.has_embedding(config) ||
                                                (config.tie_embeddings && range.has_head(config)));
    const bool head = spec.layer == config.num_layers && range.has_head(config);
    if (in_blocks || embedding || head) here.push_back(std::move(spec));
  }
  return here;
}

std::vector<float> rope_table(const ModelConfig& config) {
  const std::int64_t half = config.head_dim / 2;
  std::vector<double> frequencies(static_cast<std::size_t>(half));
  for (std::int64_t i = 0; i < half; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    frequencies[static_cast<std::size_t>(i)] = std::pow(config.rope_theta, exponent);
  }
  std::vector<float> table(static_cast<std::size_t>(config.max_position * config.head_dim));
  parallel_for(config.max_position, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      float* const row = table.data() + p * config.head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(p) * frequencies[static_cast<std::size_t>(i)];
        row[i] = static_cast<float>(std::cos(angle));
        row[half + i] = static_cast<float>(std::sin(angle));
      }
    }
  });
  return table;
}

namespace {

std::shared_ptr<const Buffer> rope_table_on(Device device, const ModelConfig& config) {
  const auto elements = static_cast<std::size_t>(config.max_position * config.head_dim);
  Buffer memory(device, elements * sizeof(float));
  if (device.type != DeviceType::meta) {
    const std::vector<float> table = rope_table(config);
    copy_bytes(memory.data(), device, table.data(), cpu_device, memory.bytes(), nullptr);
    synchronize(device, nullptr);
  }
  return std::make_shared<const Buffer>(std::move(memory));
}

}  // namespace

Stage::Stage(const ModelConfig& config, StageRange range, ParameterStore& parameters,
             StageOptions options, Device device, Boundary* boundary)
    : Stage(config, range, parameters, options, rope_table_on(device, config), boundary) {}

Stage Stage::with_boundary(Boundary* boundary) const {
  return Stage(config_, range_, parameters_, options_, rope_table_, boundary);
}

Stage::Stage(const ModelConfig& config, StageRange range, ParameterStore& parameters,
             StageOptions options, std::shared_ptr<const Buffer> rope_table, Boundary* boundary)
    : config_(config),
      range_(range),
      options_(options),
      parameters_(parameters),
      one_rank_(boundary ? nullptr : std::make_unique<Boundary>()),
      boundary_(boundary ? *boundary : *one_rank_),
      rope_table_(std::move(rope_table)) {
  const Tensor table = rope_table_->tensor(DType::f32, {config.max_position, config.head_dim});
  for (std::int64_t layer = range.first_layer; layer < range.last_layer; ++layer) {
    blocks_.emplace_back(config, parameters, layer, table, boundary_);
  }
  if (range.has_head(config)) head_.emplace(config, parameters, boundary_, options.logits_chunk);
}

ResidualStream Stage::start(Context& context, const MicroBatch& batch, Tensor input,
                            Arena& arena) const {
  if (!range_.has_embedding(config_)) return {input, Tensor{}};
  before_forward(context, batch, -1);
  const Tensor h = arena.take(dtype(), {batch.ids.elements(), config_.hidden_size});
  const Parameter& table = parameters_.at("embedding.weight");
  if (table.is_int8()) {
    ops::embedding_int8(context, batch.ids, table.int8(), first_id(), h);
  } else {
    ops::embedding(context, batch.ids, table.weight, first_id(), h);
  }
  return {boundary_.leave(context, h), Tensor{}};
}

// With tied embeddings the head's weight is the embedding's.
void Stage::before_head(Context& context, const MicroBatch& batch) const {
  if (config_.tie_embeddings) before_forward(context, batch, -1);
  before_forward(context, batch, config_.num_layers);
}

std::int64_t Stage::first_id() const {
  const ParameterSpec& spec = parameters_.at("embedding.weight").spec;
  return shard_boxes(spec, boundary_.shard()).front().offset.front();
}

Tensor Stage::take_delta(Arena& arena, Tensor stream) const {
  return arena.take(stream.dtype, {boundary_.gathered_tokens(stream.rows()), stream.cols()});
}

void Stage::forward(Context& context, const MicroBatch& batch, Tensor input,
                    Activations& activations, Tensor output, float grad_scale,
                    Tensor losses) const {
  Arena& arena = activations.arena;
  arena.release_to(0);
  activations.blocks.clear();
  ResidualStream stream = start(context, batch, input, arena);
  const Tensor delta = take_delta(arena, stream.residual);
  const Tensor transient = options_.recompute == Recompute::full
                               ? arena.take(stream.residual.dtype, stream.residual.shape)
                               : Tensor{};
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    before_forward(context, batch, layer_of(i));
    activations.blocks.push_back(blocks_[i].forward(context, arena, batch.tokens, nullptr,
                                                    options_.recompute, stream, delta, transient));
  }
  activations.stream = stream;
  if (!head_) return ops::add(context, stream.residual, stream.delta, output);
  before_head(context, batch);
  const LossTerms terms{batch.targets, {grad_scale, batch.loss_weights}, batch.weigh};
  activations.head =
      head_->forward_loss(context, arena, stream.residual, stream.delta, terms, losses);
}

void Stage::backward(Context& context, const MicroBatch& batch, Activations& activations,
                     Tensor d_output, Tensor d_input) const {
  Arena& arena = activations.arena;
  // The last delta has been consumed, and its memory takes the gradient that
  // travels back along the stream.
  const Tensor dh = activations.stream.delta;
  if (head_) {
    head_->backward(context, *activations.head, dh);
    after_backward(context, batch, config_.num_layers);
  } else {
    ops::convert(context, d_output, dh);
  }
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    blocks_[i].backward(context, arena, batch.tokens, activations.blocks[i], dh);
    after_backward(context, batch, layer_of(i));
  }
  if (range_.has_embedding(config_)) {
    ops::embedding_backward(context, batch.ids, boundary_.leave_backward(context, arena, dh),
                            first_id(), parameters_.at("embedding.weight").gradient);
    after_backward(context, batch, -1);
  } else {
    ops::convert(context, dh, d_input);
  }
  arena.release_to(0);
}

ResidualStream Stage::run_forward_only(Context& context, const MicroBatch& batch, Tensor input,
                                       Arena& arena) const {
  ResidualStream stream = start(context, batch, input, arena);
  const Tensor delta = take_delta(arena, stream.residual);
  const Tensor residual = arena.take(stream.residual.dtype, stream.residual.shape);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const ArenaScope scope(arena);
    before_forward(context, batch, layer_of(i));
    const KvCacheLayer* cache = batch.tokens.cache ? batch.tokens.cache + i : nullptr;
    blocks_[i].forward(context, arena, batch.tokens, cache, Recompute::full, stream, delta,
                       residual);
  }
  return stream;
}

void Stage::forward_only(Context& context, const MicroBatch& batch, Tensor input, Arena& arena,
                         Tensor output, Tensor losses) const {
  const ArenaScope scope(arena);
  const ResidualStream stream = run_forward_only(context, batch, input, arena);
  if (!head_) return ops::add(context, stream.residual, stream.delta, output);
  before_head(context, batch);
  head_->evaluate(context, arena, stream.residual, stream.delta, batch.targets, losses);
}

void Stage::evaluate(Context& context, const MicroBatch& batch, Arena& arena, Tensor losses) const {
  require(head_ && range_.has_embedding(config_), "evaluate: this stage is not the whole model");
  forward_only(context, batch, Tensor{}, arena, Tensor{}, losses);
}

void Stage::forward_logits(Context& context, const MicroBatch& batch, Tensor input, Arena& arena,
                           std::span<const std::int32_t> rows, Tensor logits) const {
  const ArenaScope scope(arena);
  const ResidualStream stream = run_forward_only(context, batch, input, arena);
  if (rows.empty()) return;
  require(head_.has_value(), "logits: this stage has no head");
  before_head(context, batch);
  head_->logits(context, arena, stream.residual, stream.delta, rows, logits);
}

void Stage::logits(Context& context, const MicroBatch& batch, Arena& arena,
                   std::span<const std::int32_t> rows, Tensor logits) const {
  require(head_ && range_.has_embedding(config_), "logits: this stage is not the whole model");
  forward_logits(context, batch, Tensor{}, arena, rows, logits);
}

void Stage::logits_in_parts(Context& context, const MicroBatch& batch, Arena& arena,
                            std::span<const std::int32_t> rows, Tensor memory,
                            const TakeLogits& take) const {
  require(head_ && range_.has_embedding(config_), "logits: this stage is not the whole model");
  const ArenaScope scope(arena);
  const ResidualStream stream = run_forward_only(context, batch, Tensor{}, arena);
  if (rows.empty()) return;
  before_head(context, batch);
  head_->logits_in_parts(context, arena, stream.residual, stream.delta, rows, memory, take);
}

}  // namespace fathom
