// Sequence parallelism whose collectives run beside the products next to them. In a backward the
// gradient of a weight hides the sum of dx, of which it needs nothing, and x is gathered again
// beside what comes before it. The rest is hidden in pieces, where there are several:
//
//   computing       x₀ Wᵀ    x₁ Wᵀ    x₂ Wᵀ ...          x₀ Wᵀ   x₁ Wᵀ      x₂ Wᵀ
//   communication   x₁ ...   x₂ ...   gathered                   sum of y₀   sum of y₁ ...
//
// Of every piece of the tokens each rank holds an equal run, so that a piece lies in one
// place before and after its collective. What else happens to the tokens that a rank holds
// happens to each by itself.
#pragma once

#include <functional>
#include <memory>
#include <vector>

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

  std::int64_t held_tokens(std::int64_t tokens) const override;
  std::int64_t all_tokens(std::int64_t held) const override;
  // The adjoint of one is the other, so a backward does what a forward does at the other end.
  Tensor enter(Context& context, Arena& arena, Tensor x) override;
  Tensor leave(Context& context, Tensor x) override;
  Tensor enter_backward(Context& context, Tensor dx) override { return leave(context, dx); }
  Tensor leave_backward(Context& context, Arena& arena, Tensor dx) override {
    return enter(context, arena, dx);
  }
  Tensor begin_enter(Context& context, Arena& arena, Tensor x) override;
  Tensor end_leave(Context& context, Tensor x) override;
  Tensor end_enter_backward(Context& context, Tensor dx) override { return end_leave(context, dx); }
  Tensor begin_leave_backward(Context& context, Arena& arena, Tensor dx) override {
    return begin_enter(context, arena, dx);
  }
  void column_linear(Context& context, Tensor x, const Linear& linear, Tensor y) override;
  void column_linear_backward(Context& context, Tensor dy, Tensor x, const Linear& linear,
                              Tensor dx) override;
  void row_linear(Context& context, Tensor x, const Linear& linear, Tensor y) override;
  void row_linear_backward(Context& context, Tensor dy, Tensor x, const Linear& linear,
                           Tensor dx) override;
  void cancel() override { queue_.reset(); }

 private:
  // Tokens on their way into `data`.
  struct Arrival {
    const void* data;
    std::vector<CommQueue::Ticket> pieces;
  };
  // A piece's sum: what is on its way, and what is then left to be added.
  struct Sum {
    CommQueue::Ticket arrival = 0;
    std::shared_ptr<std::function<void(Context&)>> add;
  };

  std::int64_t pieces_of(Tensor all) const;
  // Where in `all` the sum of this rank's tokens goes.
  Tensor place_of_sum(Tensor all) const;
  // A piece of what end_leave() returns the sum of.
  void begin_sum(Context& context, Tensor all, std::int64_t piece);
  // The tickets of what arrives in x.
  std::vector<CommQueue::Ticket> arrival_of(Tensor x);
  CommQueue& queue(Context& context);

  Communicator& beside_;
  std::int64_t pieces_;
  Overlap overlap_;
  std::vector<Arrival> arrivals_;
  std::vector<Sum> sums_;
  std::unique_ptr<CommQueue> queue_;  // made when the device is known; its work ends first
};

}  // namespace fathom
