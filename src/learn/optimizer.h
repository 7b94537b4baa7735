// AdamW with f32 master weights, over a flat list of slices. Behind bf16 weights the
// masters are kept as the bits that rounding took off (ops/master_weight.h).
//
// A slice is a range of one parameter's rows. On one rank it is the whole
// parameter; ZeRO-1 gives each rank other slices of the same global names, and
// everything here and in the checkpoints works on those.
#pragma once

#include <string>
#include <vector>

#include "core/context.h"
#include "model/parameters.h"
#include "ops/optimizer.h"
#include "parallel/gradient_sync.h"

namespace fathom {

struct OptimizerConfig {
  double beta1 = 0.9, beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;
  double clip = 1.0;
};

template <class Visitor>
void visit_fields(OptimizerConfig& c, Visitor&& field) {
  field("beta1", c.beta1, "decay of the first moment");
  field("beta2", c.beta2, "decay of the second moment");
  field("epsilon", c.epsilon, "added to the root of the second moment");
  field("weight_decay", c.weight_decay, "of matrices; norms have none");
  field("clip", c.clip, "largest global gradient norm; 0: no clipping");
}

// Throws an input Error that names the key.
void check(const OptimizerConfig& config);

// Entries [offset[i], offset[i] + shape[i]) of each dimension i of the global
// parameter `name`; all tensors have that shape.
struct OptimizerSlice {
  std::string name;
  Shape global_shape;
  std::vector<std::int64_t> offset;
  Tensor weight;     // f32 or bf16, inside the ParameterStore
  Tensor gradient;   // f32, inside the ParameterStore
  Tensor remainder;  // u16: the low half of the f32 master weight; absent for f32
  Tensor m, v;       // f32
  bool weight_decay = true;
  bool primary = true;  // of copies on several ranks one counts and is saved
};

class Optimizer {
 public:
  struct Bytes {
    std::size_t remainders = 0, moments = 0;
  };

  // Updates the slices `owned` of `parameters`, which outlives it. Takes remainders and moments,
  // all zero.
  Optimizer(ParameterStore& parameters, const std::vector<OwnedSlice>& owned,
            const OptimizerConfig& config, Device device);

  // Computes the norm of all gradients and the factor that clips it, on the
  // device. norm [1] f32. `world`: the ranks that have a part of them each.
  void measure_gradients(Context& context, Tensor norm, Communicator& world);
  // Sets the rate of the next update and its number: `step` counts the run's steps from 1, skipped
  // ones too, and is the exponent of the bias corrections.
  void set_step(Context& context, double learning_rate, std::int64_t step);
  // Updates moments, masters and weights with the gradients as measured, by the step as set;
  // leaves all as it is when their norm is not finite. What it queues is the same in every step.
  void update(Context& context);
  // Runs the operations of both without other ranks, and leaves all but `norm` as it is: for a
  // device that loads code when it is first used.
  void warm_up(Context& context, Tensor norm);

  const std::vector<OptimizerSlice>& slices() const { return slices_; }
  Bytes bytes() const { return {remainders_.bytes(), moments_.bytes()}; }

 private:
  void gather_updates(Device device);
  ops::AdamWConstants constants(bool weight_decay) const;
  Tensor scale() const { return step_.slice(0, 1); }

  OptimizerConfig config_;
  Buffer remainders_, moments_, scalars_;
  std::vector<OptimizerSlice> slices_;
  std::vector<ops::AdamWSlice> small_, large_;  // of all slices; the small ones are one update
  Buffer table_memory_;                         // 48 bytes for 2048 elements of the small ones
  Tensor table_;
  std::vector<Tensor> counted_;  // gradients of the primary slices, neighbours as one [n] f32
  Tensor sum_of_squares_;        // [1] f32
  Tensor step_;                  // [ops::adamw_scalars] f32, the clipping's scale first
};

}  // namespace fathom
