// Pipeline: the parts of the model that a rank holds and the micro-batches in flight
// through them. It performs a schedule's actions; on one rank those are a forward and
// a backward in turn, and nothing is sent.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "parallel/pipeline_schedule.h"
#include "parallel/rank_groups.h"

namespace fathom {

struct PipelineOptions {
  explicit PipelineOptions(const RankGroups& groups) : ranks(groups) {}

  const RankGroups& ranks;  // outlive the pipeline
  ModelConfig model;
  StageOptions stage;
  DType dtype = DType::f32;
  Device device;
  std::int64_t micro_tokens = 0;   // most tokens of a micro-batch
  std::int64_t micro_batches = 1;  // of a step on this rank
  std::int64_t logit_rows = 0;     // most tokens whose logits are asked for at once
};

// The ranges of the model's blocks that the rank holds, and their parameters.
std::vector<StageRange> pipeline_parts(const PipelineOptions& options);
std::vector<ParameterSpec> pipeline_parameters(const PipelineOptions& options);

class Pipeline {
 public:
  // Takes all memory, and opens the routes to the other stages: all ranks make theirs at the
  // same time. `parameters` holds pipeline_parameters() and outlives this.
  Pipeline(const PipelineOptions& options, ParameterStore& parameters);
  static std::size_t bytes(const PipelineOptions& options);
  // Bytes of the device that its routes take.
  static std::size_t exchange_bytes(const PipelineOptions& options);

  // The observer of every forward's layers, and of the layers of a step's last backwards, when
  // their gradients are complete. It outlives this; null: none.
  void observe(LayerObserver* observer) { observer_ = observer; }

  // Forward and backward of a step: adds to the gradients of
  // grad_scale · Σ_i loss_weights[i] · losses[i].
  // The last stage writes `losses` [all tokens] f32; elsewhere it stays as it is.
  void run(Context& context, std::span<const MicroBatch> micro_batches, float grad_scale,
           Tensor losses);
  // Forward of one micro-batch, nothing kept; every rank gets the losses [n] f32.
  void evaluate(Context& context, const MicroBatch& batch, Tensor losses);
  // The same with the logits [rows, V] f32 of the tokens numbered in `rows` (host), of which
  // there is at least one.
  void next_logits(Context& context, const MicroBatch& batch, std::span<const std::int32_t> rows,
                   Tensor logits);
  // The model when this rank holds all of it, else null. A GradientSync may still gather weights.
  const Stage* whole_model() const;
  // Runs every operation of run() and evaluate() on such micro-batches, in the same memory, without
  // other ranks and without the observer. Afterwards `losses` [n] f32 and the gradients have no
  // meaning. Two micro-batches cover a step: the first overwrites the gradients, the second adds to
  // them.
  void warm_up(Context& context, std::span<const MicroBatch> micro_batches, Tensor losses);
  // The same of next_logits(); then `logits` mean nothing.
  void warm_up_logits(Context& context, const MicroBatch& batch, std::span<const std::int32_t> rows,
                      Tensor logits);

 private:
  // Runs the last part on the input from the part before, if there is one.
  using LastPart =
      std::function<void(const Stage& stage, const MicroBatch& batch, Tensor input, Arena& arena)>;

  // Memory of one micro-batch between its forward and its backward through one part.
  struct Slot {
    Activations activations;
    Buffer input;  // received; the first block reads it again in its backward
    bool used = false;
  };

  int part_of(int chunk) const { return chunk * stages() + stage_; }
  int stages() const { return ranks_.plan().layout.pp; }
  int next() const { return (stage_ + 1) % stages(); }
  int previous() const { return (stage_ + stages() - 1) % stages(); }
  Tensor stream(const Buffer& memory, const MicroBatch& batch) const;
  Tensor fill_stream(Context& context, const Buffer& memory, const MicroBatch& batch) const;
  // The part with the same weights, that exchanges nothing with its tensor group.
  Stage part_alone(int chunk) const;
  std::size_t take_slot();
  Tensor receive_input(Context& context, const MicroBatch& batch, int part, const Buffer& memory);
  void expect_next();
  void forward(Context& context, const MicroBatch& batch, int chunk, Slot& slot, float grad_scale,
               Tensor losses, int micro_batch);
  void backward(Context& context, const MicroBatch& batch, int chunk, Slot& slot, int micro_batch);
  // Nothing is kept. `result` is what the last part writes, for all ranks.
  void forward_only(Context& context, MicroBatch batch, const LastPart& last_part, Tensor result);

  PipelineOptions options_;
  const RankGroups& ranks_;
  LayerObserver* observer_ = nullptr;
  std::span<const Action> rest_;               // of the running step, after the present one
  std::span<const MicroBatch> micro_batches_;  // of the running step
  int stage_, last_part_;
  std::vector<Stage> parts_;
  std::vector<Slot> slots_;
  Buffer outgoing_, incoming_;  // stream or its gradient, on the way
};

}  // namespace fathom
