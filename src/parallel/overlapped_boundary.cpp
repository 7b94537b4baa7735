#include "parallel/overlapped_boundary.h"

#include <algorithm>
#include <exception>

#include "core/error.h"
#include "ops/matmul.h"

namespace fathom {
namespace {

// Piece i of n of the rows.
Tensor piece_of(Tensor x, std::int64_t i, std::int64_t n) {
  const std::int64_t rows = x.rows() / n;
  return x.slice(i * rows, rows);
}

}  // namespace

OverlappedBoundary::OverlappedBoundary(Communicator& group, Communicator& beside,
                                       std::int64_t vocab_size, std::int64_t pieces,
                                       Overlap overlap)
    : TensorBoundary(group, true, vocab_size),
      beside_(beside),
      pieces_(pieces),
      overlap_(overlap) {}

OverlappedBoundary::~OverlappedBoundary() {
  // What the other ranks still need of this one was waited for, unless this one has failed.
  if (std::uncaught_exceptions() > 0) beside_.cancel();
}

CommQueue& OverlappedBoundary::queue(Context& context) {
  if (!queue_) queue_ = std::make_unique<CommQueue>(context.device, overlap_);
  return *queue_;
}

std::int64_t OverlappedBoundary::pieces_of(Tensor all) const {
  return all.rows() % (pieces_ * group().size()) == 0 ? pieces_ : 1;
}

void OverlappedBoundary::gather(Context& context, Tensor held, Tensor all) {
  const std::int64_t n = pieces_of(all);
  for (std::int64_t i = 0; i < n; ++i) {
    group().all_gather(context, piece_of(held, i, n), piece_of(all, i, n));
  }
}

// A piece's sum goes where earlier pieces were, whose sums are taken.
void OverlappedBoundary::scatter(Context& context, Tensor all, Tensor held) {
  const std::int64_t n = pieces_of(all);
  for (std::int64_t i = 0; i < n; ++i) {
    group().reduce_scatter(context, piece_of(all, i, n), piece_of(held, i, n));
  }
}

Tensor OverlappedBoundary::begin_gather(Context& context, Arena& arena, Tensor held) {
  const Tensor all = arena.take(held.dtype, {all_tokens(held.rows()), held.cols()});
  if (context.device.type == DeviceType::meta) return all;
  const std::int64_t n = pieces_of(all);
  Arrival arrival{all.data, {}};
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor from = piece_of(held, i, n), to = piece_of(all, i, n);
    arrival.pieces.push_back(queue(context).submit(
        context, [this, from, to](Context& other) { beside_.all_gather(other, from, to); }));
  }
  arrivals_.push_back(std::move(arrival));
  return all;
}

std::vector<CommQueue::Ticket> OverlappedBoundary::arrival_of(Tensor x) {
  const auto found = std::ranges::find(arrivals_, x.data, &Arrival::data);
  require(found != arrivals_.end(), "a linear reads {}, which did not come through its boundary",
          to_string(x));
  std::vector<CommQueue::Ticket> pieces = std::move(found->pieces);
  arrivals_.erase(found);
  return pieces;
}

void OverlappedBoundary::begin_scatter(Context& context, Tensor all, std::int64_t piece) {
  const std::int64_t n = pieces_of(all);
  const Tensor from = piece_of(all, piece, n);
  const Tensor to = piece_of(all.slice(0, held_tokens(all.rows())), piece, n);
  last_sum_ = queue(context).submit(
      context, [this, from, to](Context& other) { beside_.reduce_scatter(other, from, to); });
}

Tensor OverlappedBoundary::end_scatter(Context& context, Tensor all) {
  if (context.device.type != DeviceType::meta) {
    queue(context).wait(context, last_sum_, "wait for sums of tokens");
  }
  return all.slice(0, held_tokens(all.rows()));
}

Tensor OverlappedBoundary::begin_enter(Context& context, Arena& arena, Tensor x) {
  return begin_gather(context, arena, x);
}

Tensor OverlappedBoundary::begin_leave_backward(Context& context, Arena& arena, Tensor dx) {
  return begin_gather(context, arena, dx);
}

Tensor OverlappedBoundary::end_leave(Context& context, Tensor x) {
  return end_scatter(context, x);
}

Tensor OverlappedBoundary::end_enter_backward(Context& context, Tensor dx) {
  return end_scatter(context, dx);
}

void OverlappedBoundary::column_linear(Context& context, Tensor x, const Parameter& w, Tensor y) {
  if (context.device.type == DeviceType::meta) return Boundary::column_linear(context, x, w, y);
  const std::vector<CommQueue::Ticket> pieces = arrival_of(x);
  const std::int64_t n = std::ssize(pieces);
  for (std::int64_t i = 0; i < n; ++i) {
    queue(context).wait(context, pieces[static_cast<std::size_t>(i)], "wait for tokens");
    ops::linear(context, piece_of(x, i, n), w.weight, piece_of(y, i, n));
  }
}

void OverlappedBoundary::column_linear_backward(Context& context, Tensor dy, Tensor x, Parameter& w,
                                                Tensor dx) {
  if (context.device.type == DeviceType::meta) {
    return Boundary::column_linear_backward(context, dy, x, w, dx);
  }
  const std::int64_t n = pieces_of(dx);
  for (std::int64_t i = 0; i < n; ++i) {
    ops::linear_backward_input(context, piece_of(dy, i, n), w.weight, piece_of(dx, i, n));
    begin_scatter(context, dx, i);
  }
  queue(context).wait(context, arrival_of(x).back(), "wait for tokens");
  ops::linear_backward_weight(context, dy, x, w.gradient, w.accumulate());
}

void OverlappedBoundary::row_linear(Context& context, Tensor x, const Parameter& w, Tensor y) {
  if (context.device.type == DeviceType::meta) return Boundary::row_linear(context, x, w, y);
  const std::int64_t n = pieces_of(y);
  for (std::int64_t i = 0; i < n; ++i) {
    ops::linear(context, piece_of(x, i, n), w.weight, piece_of(y, i, n));
    begin_scatter(context, y, i);
  }
}

void OverlappedBoundary::row_linear_backward(Context& context, Tensor dy, Tensor x, Parameter& w,
                                             Tensor dx) {
  if (context.device.type == DeviceType::meta) {
    return Boundary::row_linear_backward(context, dy, x, w, dx);
  }
  const std::vector<CommQueue::Ticket> pieces = arrival_of(dy);
  const std::int64_t n = std::ssize(pieces);
  for (std::int64_t i = 0; i < n; ++i) {
    queue(context).wait(context, pieces[static_cast<std::size_t>(i)], "wait for gradients");
    ops::linear_backward_input(context, piece_of(dy, i, n), w.weight, piece_of(dx, i, n));
  }
  ops::linear_backward_weight(context, dy, x, w.gradient, w.accumulate());
}

}  // namespace fathom
