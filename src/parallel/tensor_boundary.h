// Tensor and sequence parallelism at the boundaries of the sub-layers (Shoeybi et al.,
// Megatron-LM, 2019; Korthikanti et al., 2022): two adjoint pairs.
//
//                    without                     with sequence parallelism
//   enter            identity                    all-gather
//   leave            all-reduce                  reduce-scatter
//   enter_backward   all-reduce                  reduce-scatter
//   leave_backward   identity                    all-gather
#pragma once

#include "comm/communicator.h"
#include "model/boundary.h"

namespace fathom {

class TensorBoundary : public Boundary {
 public:
  // `group` is the tensor group and outlives the boundary.
  TensorBoundary(Communicator& group, bool sequence_parallel, std::int64_t vocab_size)
      : group_(group), sequence_parallel_(sequence_parallel), vocab_size_(vocab_size) {}

  TensorShard shard() const override { return {group_.rank(), group_.size()}; }
  std::int64_t held_tokens(std::int64_t tokens) const override;
  std::int64_t all_tokens(std::int64_t held) const override;
  Tensor enter(Context& context, Arena& arena, Tensor x) override;
  Tensor leave(Context& context, Tensor x) override;
  Tensor enter_backward(Context& context, Tensor dx) override;
  Tensor leave_backward(Context& context, Arena& arena, Tensor dx) override;
  void cross_entropy(Context& context, Arena& arena, Tensor logits, Tensor targets,
                     ops::LogitsGradient gradient, float grad_scale, Tensor losses) override;
  // After its communicators were cancelled: ends what runs beside the computing, which would
  // go on with memory that is about to be freed.
  virtual void cancel() {}

 protected:
  // All ranks' tokens, and the sum of this rank's, under sequence parallelism.
  virtual void gather(Context& context, Tensor held, Tensor all);
  virtual void scatter(Context& context, Tensor all, Tensor held);
  Communicator& group() const { return group_; }

 private:
  Tensor gathered(Context& context, Arena& arena, Tensor x);
  Tensor sum(Context& context, Tensor x);

  Communicator& group_;
  bool sequence_parallel_;
  std::int64_t vocab_size_;
};

}  // namespace fathom
