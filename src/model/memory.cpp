// Memory planning: the stage's own code, run on the meta device.
#include "model/stage.h"

namespace fathom {
namespace {

// A stage without memory, and a micro-batch for it.
struct MetaStage {
  ParameterStore parameters;
  Stage stage;
  Context context{meta_device};
  MicroBatch batch;
  Tensor stream, losses;

  MetaStage(const ModelConfig& config, StageRange range, const StageOptions& options, DType dtype,
            std::int64_t tokens, Boundary* boundary)
      : parameters(stage_parameters(config, range), dtype, Gradients::f32, meta_device,
                   boundary ? boundary->shard() : TensorShard{}),
        stage(config, range, parameters, options, meta_device, boundary),
        stream(
            meta(dtype, {boundary ? boundary->held_tokens(tokens) : tokens, config.hidden_size})),
        losses(meta(DType::f32, {tokens})) {
    batch.ids = batch.targets = batch.tokens.positions = meta(DType::i32, {tokens});
    batch.tokens.segments = {meta(DType::i32, {2}), tokens};
  }

  static Tensor meta(DType dtype, Shape shape) {
    return Tensor(nullptr, dtype, shape, meta_device);
  }
};

}  // namespace

std::size_t Stage::activation_bytes(const ModelConfig& config, StageRange range,
                                    const StageOptions& options, DType dtype, std::int64_t tokens,
                                    Boundary* boundary) {
  MetaStage meta(config, range, options, dtype, tokens, boundary);
  Activations activations(Arena::measuring());
  const bool first = range.has_embedding(config), last = range.has_head(config);
  const Tensor none;
  meta.stage.forward(meta.context, meta.batch, first ? none : meta.stream, activations,
                     last ? none : meta.stream, 1.0f, meta.losses);
  meta.stage.backward(meta.context, meta.batch, activations, last ? none : meta.stream,
                      first ? none : meta.stream);
  return activations.arena.peak();
}

std::size_t Stage::forward_bytes(const ModelConfig& config, StageRange range,
                                 const StageOptions& options, DType dtype, std::int64_t tokens,
                                 Boundary* boundary) {
  MetaStage meta(config, range, options, dtype, tokens, boundary);
  Arena arena = Arena::measuring();
  meta.stage.forward_only(meta.context, meta.batch,
                          range.has_embedding(config) ? Tensor{} : meta.stream, arena, meta.stream,
                          meta.losses);
  return arena.peak();
}

std::size_t Stage::logits_bytes(const ModelConfig& config, StageRange range, DType dtype,
                                std::int64_t tokens, std::int64_t rows, Boundary* boundary) {
  MetaStage meta(config, range, {}, dtype, tokens, boundary);
  Arena arena = Arena::measuring();
  const std::vector<std::int32_t> numbers(static_cast<std::size_t>(rows), 0);
  meta.stage.forward_logits(meta.context, meta.batch,
                            range.has_embedding(config) ? Tensor{} : meta.stream, arena, numbers,
                            MetaStage::meta(DType::f32, {rows, config.vocab_size}));
  return arena.peak();
}

}  // namespace fathom
