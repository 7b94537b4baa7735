// Sequence parallelism whose collectives run beside the products next to them. In a backward the
// gradient of a weight hides the sum of dx, of which it needs nothing, and x is gathered again
// beside what comes before it. The rest is hidden in pieces, where there are several:
//
//   computing       x₀ Wᵀ    x₁ Wᵀ    x₂ Wᵀ ...          x₀ Wᵀ   x₁ Wᵀ      x₂ Wᵀ
//   communication   x₁ ...   x₂ ...   gathered                   sum of y₀   sum of y₁ ...
//
// Each rank holds an equal run of every piece of the tokens, so that a piece is contiguous before
// and after its collective. All other operations on a rank's tokens work on each token by itself.
#pragma once

#include <memory>

#include "comm/comm_queue.h"
#include "parallel/tensor_boundary.h"

namespace fathom {

class SequenceBoundary final : public TensorBoundary {
 public:
  // `group` and `beside` are the tensor group, the second for what runs beside products; both
  // outlive this. Tokens that `pieces` times the ranks does not divide are one piece. Without
  // overlap the same is done in turn, with the same bits.
  SequenceBoundary(Communicator& group, Communicator& beside, std::int64_t vocab_size,
                   std::int64_t pieces, Overlap overlap);
  ~SequenceBoundary() override;

  int token_ranks() const override { return group().size(); }
  Tensor enter(Context& context, Arena& arena, Tensor x) override;
  Tensor leave(Context& context, Tensor x) override;
  Entering begin_enter(Context& context, Arena& arena, Tensor x) override;
  Tensor end_leave(Context& context, const Leaving& x) override;
  void cancel() override { queue_.reset(); }

 protected:
  void multiply_entering(Context& context, const Entering& x, const Linear& linear, Product product,
                         Tensor y) override;
  Leaving multiply_leaving(Context& context, const Operand& x, const Linear& linear,
                           Product product, Tensor y) override;
  void await(Context& context, const Entering& x) override;

 private:
  std::int64_t pieces_of(Tensor all) const;
  // Where in `all` the sum of this rank's tokens goes.
  Tensor place_of_sum(Tensor all) const;
  Leaving::Piece begin_sum(Context& context, Tensor all, std::int64_t piece);
  // As the queue's calls; on the meta device, where nothing is exchanged, they do nothing.
  CommQueue::Ticket submit(Context& context, CommQueue::Work work);
  void wait(Context& context, CommQueue::Ticket ticket, const char* name);

  Communicator& beside_;
  std::int64_t pieces_;
  Overlap overlap_;
  std::unique_ptr<CommQueue> queue_;  // made when the device is known; its work ends first
};

}  // namespace fathom
