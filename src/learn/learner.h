// The learning half of the trainer: weights, gradients, optimizer and the memory
// of a micro-batch, and what one step does with them. It knows nothing of where
// batches come from, of checkpoints, or of when to stop; supervised fine-tuning
// and preference training drive it as the trainer does.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "checkpoint/writer.h"
#include "core/stream.h"
#include "learn/optimizer.h"
#include "learn/recorded_step.h"
#include "model/hugging_face.h"
#include "parallel/gradient_sync.h"
#include "parallel/pipeline.h"

namespace fathom {

struct LearnerOptions {
  explicit LearnerOptions(const RankGroups& groups) : ranks(groups) {}

  const RankGroups& ranks;  // outlive the learner
  ModelConfig model;        // resolved
  DType dtype = DType::f32;
  Products products = Products::dtype;
  Device device;
  StageOptions stage;
  OptimizerConfig optimizer;
  std::int64_t micro_tokens = 0;     // most tokens of a micro-batch
  std::int64_t tokens_per_step = 0;  // most tokens of a step, on this rank
  // Longest segment in tokens; 0: micro_tokens. And whether all segments have that length.
  std::int64_t sequence_length = 0;
  bool uniform_segments = true;
  std::int64_t logit_rows = 0;  // most tokens that next_logits() is asked about at once
  Determinism determinism = Determinism::fastest;
};

// Sets the loss weights of one of a step's micro-batches, by its number, from its losses; both
// [tokens]. Called on all ranks of the last stage, which must do the same.
using WeighMicroBatch = std::function<void(std::size_t micro_batch, std::span<const float> losses,
                                           std::span<float> weights)>;

class Learner {
 public:
  // Bytes that a learner takes, by purpose.
  struct Bytes {
    std::size_t weights = 0, fp8_weights = 0, gradients = 0, remainders = 0, moments = 0,
                activations = 0;
    std::size_t rope_table = 0, workspace = 0, losses = 0;  // losses: or logits
    std::size_t exchanges = 0;                              // between ranks
    std::size_t checkpoint = 0;                             // host copy of a checkpoint

    // Of the device: all but the host copy.
    std::size_t device_total() const {
      return weights + fp8_weights + gradients + remainders + moments + activations + rope_table +
             workspace + losses + exchanges;
    }
  };
  static Bytes bytes(const LearnerOptions& options);

  // Takes all memory. Weights and moments are zero. Collective.
  explicit Learner(const LearnerOptions& options);
  ~Learner();
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  // Draws the initial weights, each by its name and the seed.
  void initialize_weights(std::uint64_t seed);

  // Runs every operation of a step and of an evaluation and throws the results away, so that a
  // device's code is loaded and its algorithms chosen by measurement before the first real step,
  // in the memory that is there anyway. Two of a step's micro-batches are enough. The weights
  // should be those of the run. Each rank does it by itself, and nothing is exchanged: none waits
  // on its GPU for one that still loads.
  void warm_up(std::span<const MicroBatch> micro_batches);

  struct Result {
    double loss = 0;           // Σ weight · loss over the step's targets, over its normaliser
    double gradient_norm = 0;  // before clipping
  };
  // Queues forward and backward of one step. The gradients become those of the step's loss:
  //   Σ_i loss_weights[i] · losses[i] / normaliser
  // over the targets of all micro-batches of all replicas. `normaliser` is this replica's
  // part of it (say, its number of targets: then the loss is their mean); the replicas'
  // parts are summed. Where the sum is 0 the gradients are 0. The model's weights stay.
  // With `weigh` the loss weights, which every micro-batch then has room for, are set between the
  // forward and the backward of the head; the host waits for each forward.
  void queue_gradients(std::span<const MicroBatch> micro_batches, double normaliser,
                       const WeighMicroBatch& weigh = {});
  // The result of the oldest queue_gradients() whose result was not fetched yet, the
  // same on every rank; waits for it. At most two may be outstanding, so that the device
  // goes on with the next step while this one's figures travel.
  Result next_result();
  // Both in one.
  Result compute_gradients(std::span<const MicroBatch> micro_batches, double normaliser,
                           const WeighMicroBatch& weigh = {}) {
    queue_gradients(micro_batches, normaliser, weigh);
    return next_result();
  }
  // Clips, and updates weights and moments. `step` as in Optimizer::update.
  void update(double learning_rate, std::int64_t step);

  // Losses of the targets of one micro-batch, without learning from them. Valid
  // until the next call. All ranks of a replica are given the same batch, and get its losses;
  // replicas may evaluate different batches, or none.
  std::span<const float> evaluate(const MicroBatch& batch);
  // Logits [rows, V] of the tokens that may follow the tokens numbered in `rows`, on the host;
  // else as evaluate(). The batch needs no targets.
  std::span<const float> next_logits(const MicroBatch& batch, std::span<const std::int32_t> rows);
  // The same for a device that is warmed up: its result means nothing, see warm_up().
  void warm_up_logits(const MicroBatch& batch, std::span<const std::int32_t> rows);

  // This rank's tensors of a checkpoint, and their way back: f32 and bf16 checkpoints
  // load into either. Throws an input Error when a tensor is missing or has another shape, and a
  // DamagedCheckpoint on all ranks when one of them finds it damaged. Collective.
  std::vector<CheckpointTensor> checkpoint_tensors() const;
  void load(const Checkpoint& checkpoint);
  // The weights alone, for a run of its own: the moments stay zero.
  void load_weights(const Checkpoint& checkpoint);
  // The same from a Hugging Face directory, of which this rank reads its own slices. Returns the
  // bytes read.
  std::uint64_t load_weights(const DirectoryWeights& directory);

  const LearnerOptions& options() const { return options_; }
  Context& context() { return context_; }
  // The weights as they are after the last update.
  const ParameterStore& parameters();
  // The model with these weights, for an engine beside the training; null where ranks share it.
  // Work queued on context() after parameters() reads the weights as they are then.
  const Stage* whole_model() const { return pipeline_.whole_model(); }
  Optimizer& optimizer() { return optimizer_; }
  const RecordedStep& recorded_step() const { return recorded_; }

 private:
  // Results of a step or an evaluation, copied to the host.
  struct Readback {
    HostBuffer memory;
    Event arrived;
    std::int64_t tokens = 0;  // each has a loss
    bool weighted = false;    // each has a weight too
    double normaliser = 0;    // of all replicas

    // Losses [tokens], their weights [tokens] if there are any, the norm [1].
    std::span<const float> values(std::int64_t first, std::int64_t count) const {
      return std::span(static_cast<const float*>(memory.data()) + first,
                       static_cast<std::size_t>(count));
    }
    std::span<const float> losses() const { return values(0, tokens); }
    std::span<const float> weights() const { return values(tokens, weighted ? tokens : 0); }
    float norm() const { return values(weighted ? 2 * tokens : tokens, 1).front(); }
  };

  // Queues forward, backward and what follows them up to the norm, which `results` ends with.
  void run_gradients(std::span<const MicroBatch> micro_batches, float scale, Tensor results);
  std::vector<MicroBatch> weighed_by(const WeighMicroBatch& weigh,
                                     std::span<const MicroBatch> micro_batches);
  void collect_weights(std::span<const MicroBatch> micro_batches, Tensor weights);
  void read_back(Readback& into, Tensor values);
  void load_slices(const std::function<void(const OptimizerSlice&)>& load);

  LearnerOptions options_;
  // Not the default one, which ranks that share a GPU would share too: they would wait for
  // each other's every operation.
  OwnedStream stream_;
  Context context_;
  ParameterStore parameters_;
  Pipeline pipeline_;
  std::unique_ptr<GradientSync> sync_;
  Optimizer optimizer_;
  Buffer results_;                   // a Readback copies it to the host
  std::vector<Readback> readbacks_;  // of steps in turn; the last is of a forward alone
  int next_ = 0, outstanding_ = 0;   // the step's that is fetched next, and how many are out
  RecordedStep recorded_;
};

}  // namespace fathom
