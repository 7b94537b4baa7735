// Stage: the part of the transformer that one pipeline rank holds, a range of
// blocks with the embedding before the first and the head after the last. The
// trainer, the evaluation and the inference engine all run the model through it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/block.h"
#include "model/head.h"
#include "model/layer_observer.h"

namespace fathom {

// Blocks [first_layer, last_layer) of the model.
struct StageRange {
  std::int64_t first_layer = 0, last_layer = 0;
  bool has_embedding(const ModelConfig&) const { return first_layer == 0; }
  bool has_head(const ModelConfig& config) const { return last_layer == config.num_layers; }
};
inline StageRange whole_model(const ModelConfig& config) {
  return {0, config.num_layers};
}

struct StageOptions {
  Recompute recompute = Recompute::selective;
  std::int64_t logits_chunk = 1024;  // tokens whose logits are in memory at once
};

// The tokens of one forward pass; tensors on the stage's device.
struct MicroBatch {
  Tensor ids;      // [n] i32; read by the stage with the embedding
  Tensor targets;  // [n] i32, −1: not counted; read by the stage with the head
  // [n] f32: how much each target's loss counts in the gradient and in the step's loss;
  // absent: 1. Read by the stage with the head.
  Tensor loss_weights;
  // Sets loss_weights from the losses of a forward that is followed by backward. Empty: they are
  // set already.
  WeighLosses weigh;
  TokenLayout tokens;
  LayerObserver* observer = nullptr;  // of this pass; null: nobody
};

// What one micro-batch in flight keeps between its forward and its backward.
struct Activations {
  explicit Activations(Arena memory) : arena(std::move(memory)) {}
  Arena arena;
  ResidualStream stream;
  std::vector<Block::Saved> blocks;
  std::optional<Head::Saved> head;
};

class Stage {
 public:
  // `parameters` holds the parameters of the range and outlives the stage.
  // `boundary` null: no tensor parallelism.
  Stage(const ModelConfig& config, StageRange range, ParameterStore& parameters,
        StageOptions options, Device device, Boundary* boundary = nullptr);
  // The same weights behind another boundary of the same shard; null: as above. Takes no memory of
  // the device.
  Stage with_boundary(Boundary* boundary) const;

  // Forward of a micro-batch that will be followed by backward.
  // input: [n, d] from the stage before; absent on the first. It stays as it is until
  // the backward. Under sequence parallelism n is what the rank holds.
  // output: [n, d] for the next stage; absent on the last, which computes
  // `losses` [n] f32 instead, and starts on the gradient of
  // grad_scale · Σ_i weight_i · losses[i].
  void forward(Context& context, const MicroBatch& batch, Tensor input, Activations& activations,
               Tensor output, float grad_scale, Tensor losses) const;
  // Adds to the parameters' gradients. d_output: [n, d], absent on the last
  // stage; d_input: [n, d], absent on the first.
  void backward(Context& context, const MicroBatch& batch, Activations& activations,
                Tensor d_output, Tensor d_input) const;

  // Forward only: as `forward`, with nothing kept and no gradient.
  void forward_only(Context& context, const MicroBatch& batch, Tensor input, Arena& arena,
                    Tensor output, Tensor losses) const;
  // The same for the whole model: the losses [n] f32 of the batch's targets.
  void evaluate(Context& context, const MicroBatch& batch, Arena& arena, Tensor losses) const;
  // Forward only, on the stage with the head: instead of losses the logits [rows, V] of the tokens
  // numbered in `rows` (host), the same on every rank of the tensor group. Without rows only the
  // blocks run. With batch.tokens.cache, keys and values are stored.
  void forward_logits(Context& context, const MicroBatch& batch, Tensor input, Arena& arena,
                      std::span<const std::int32_t> rows, Tensor logits) const;
  // The same for the whole model.
  void logits(Context& context, const MicroBatch& batch, Arena& arena,
              std::span<const std::int32_t> rows, Tensor logits) const;
  // The same as many rows at a time as `memory` [m, V] holds.
  void logits_in_parts(Context& context, const MicroBatch& batch, Arena& arena,
                       std::span<const std::int32_t> rows, Tensor memory,
                       const TakeLogits& take) const;

  // Bytes of an Activations arena for micro-batches of `tokens` tokens, found by
  // running forward and backward on the meta device. Static, so that memory is
  // planned before any is taken.
  static std::size_t activation_bytes(const ModelConfig& config, StageRange range,
                                      const StageOptions& options, DType dtype, std::int64_t tokens,
                                      Boundary* boundary = nullptr);
  // The same for forward_only and evaluate.
  static std::size_t forward_bytes(const ModelConfig& config, StageRange range,
                                   const StageOptions& options, DType dtype, std::int64_t tokens,
                                   Boundary* boundary = nullptr);
  // The same for forward_logits, of `rows` of the tokens.
  static std::size_t logits_bytes(const ModelConfig& config, StageRange range, DType dtype,
                                  std::int64_t tokens, std::int64_t rows,
                                  Boundary* boundary = nullptr);

  const ModelConfig& config() const { return config_; }
  StageRange range() const { return range_; }
  const StageOptions& options() const { return options_; }
  DType dtype() const { return parameters_.dtype(); }

 private:
  Stage(const ModelConfig& config, StageRange range, ParameterStore& parameters,
        StageOptions options, std::shared_ptr<const Buffer> rope_table, Boundary* boundary);
  ResidualStream start(Context& context, const MicroBatch& batch, Tensor input, Arena& arena) const;
  // Runs all blocks and keeps nothing.
  ResidualStream run_forward_only(Context& context, const MicroBatch& batch, Tensor input,
                                  Arena& arena) const;
  // [n, d] for what a sub-layer puts out, of which a rank may keep less.
  Tensor take_delta(Arena& arena, Tensor stream) const;
  void before_head(Context& context, const MicroBatch& batch) const;
  std::int64_t layer_of(std::size_t block) const {
    return range_.first_layer + static_cast<std::int64_t>(block);
  }
  // The first token of this rank's part of the embedding.
  std::int64_t first_id() const;

  ModelConfig config_;
  StageRange range_;
  StageOptions options_;
  ParameterStore& parameters_;
  std::unique_ptr<Boundary> one_rank_;
  Boundary& boundary_;
  std::shared_ptr<const Buffer> rope_table_;
  std::vector<Block> blocks_;
  std::optional<Head> head_;
};

// The parameters that a stage of this range holds. With tied embeddings the last
// stage has its copy of the embedding too.
std::vector<ParameterSpec> stage_parameters(const ModelConfig& config, StageRange range);

// Cosines and sines of every position, [max_position, head_dim] f32 on the host:
// angle(p, i) = p · theta^(−2i / head_dim), for ops::rope.
std::vector<float> rope_table(const ModelConfig& config);

}  // namespace fathom
