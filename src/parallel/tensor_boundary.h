// Tensor parallelism at the boundaries of the sub-layers (Shoeybi et al., Megatron-LM, 2019):
// two adjoint pairs. With sequence parallelism it is SequenceBoundary.
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
  TensorBoundary(Communicator& group, std::int64_t vocab_size)
      : group_(group), vocab_size_(vocab_size) {}

  TensorShard shard() const override { return {group_.rank(), group_.size()}; }
  Tensor leave(Context& context, Tensor x) override;
  void vocabulary_linear(Context& context, Arena& arena, Tensor x, const Linear& linear,
                         Tensor logits) override;
  void cross_entropy(Context& context, Arena& arena, Tensor logits, Tensor targets,
                     ops::LogitsGradient gradient, const ops::LossWeights& weights,
                     Tensor losses) override;
  // To be called after its communicators are cancelled: ends its work beside the computing, which
  // would otherwise use memory that is about to be freed.
  virtual void cancel() {}

 protected:
  Communicator& group() const { return group_; }

 private:
  Communicator& group_;
  std::int64_t vocab_size_;
};

}  // namespace fathom
