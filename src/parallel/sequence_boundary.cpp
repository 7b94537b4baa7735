#include "parallel/sequence_boundary.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/error.h"
#include "core/trace.h"

namespace fathom {
namespace {

// Piece i of n of the rows.
Tensor piece_of(Tensor x, std::int64_t i, std::int64_t n) {
  const std::int64_t rows = x.rows() / n;
  return x.slice(i * rows, rows);
}

}  // namespace

SequenceBoundary::SequenceBoundary(Communicator& group, Communicator& beside,
                                   std::int64_t vocab_size, std::int64_t pieces, Overlap overlap)
    : TensorBoundary(group, vocab_size), beside_(beside), pieces_(pieces), overlap_(overlap) {}

SequenceBoundary::~SequenceBoundary() {
  // What the other ranks still need of this one was waited for, unless this one has failed.
  if (std::uncaught_exceptions() > 0) beside_.cancel();
}

CommQueue& SequenceBoundary::queue(Context& context) {
  if (!queue_) queue_ = std::make_unique<CommQueue>(context.device, overlap_);
  return *queue_;
}

std::int64_t SequenceBoundary::held_tokens(std::int64_t tokens) const {
  require(tokens % group().size() == 0, "{} tokens for {} ranks of sequence parallelism", tokens,
          group().size());
  return tokens / group().size();
}

std::int64_t SequenceBoundary::all_tokens(std::int64_t held) const {
  return held * group().size();
}

std::int64_t SequenceBoundary::pieces_of(Tensor all) const {
  return all.rows() % (pieces_ * group().size()) == 0 ? pieces_ : 1;
}

// One piece's sum goes to this rank's own part, which no other rank reads. Several have to lie
// together afterwards, in the first of the pieces: sum i goes to place i of that, which is in
// piece i / ranks. It is taken when the others have read pieces 0 to i, and this rank's own part
// of a later one lies behind place i. So sums are taken in their order.
Tensor SequenceBoundary::place_of_sum(Tensor all) const {
  const std::int64_t held = held_tokens(all.rows());
  return all.slice(pieces_of(all) == 1 ? group().rank() * held : 0, held);
}

Tensor SequenceBoundary::enter(Context& context, Arena& arena, Tensor held) {
  const Tensor all = arena.take(held.dtype, {all_tokens(held.rows()), held.cols()});
  const std::int64_t n = pieces_of(all);
  for (std::int64_t i = 0; i < n; ++i) {
    group().all_gather(context, piece_of(held, i, n), piece_of(all, i, n));
  }
  return all;
}

Tensor SequenceBoundary::leave(Context& context, Tensor all) {
  const Tensor held = place_of_sum(all);
  const std::int64_t n = pieces_of(all);
  for (std::int64_t i = 0; i < n; ++i) {
    group().reduce_scatter(context, piece_of(all, i, n), piece_of(held, i, n));
  }
  return held;
}

// This rank's own tokens are put in their place before: a copy within a GPU takes
// multiprocessors, which products beside it may not leave. Others have read what lay there, for
// what came to this memory before was waited for.
Tensor SequenceBoundary::begin_enter(Context& context, Arena& arena, Tensor held) {
  const Tensor all = arena.take(held.dtype, {all_tokens(held.rows()), held.cols()});
  if (context.device.type == DeviceType::meta) return all;
  const std::int64_t n = pieces_of(all);
  Arrival arrival{all.data, {}};
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor mine = piece_of(held, i, n), to = piece_of(all, i, n);
    const Tensor from = to.slice(group().rank() * mine.rows(), mine.rows());
    copy_bytes(from.data, from.device, mine.data, mine.device, mine.bytes(), context.stream);
    arrival.pieces.push_back(queue(context).submit(
        context, [this, from, to](Context& other) { beside_.all_gather(other, from, to); }));
  }
  arrivals_.push_back(std::move(arrival));
  return all;
}

std::vector<CommQueue::Ticket> SequenceBoundary::arrival_of(Tensor x) {
  const auto found = std::ranges::find(arrivals_, x.data, &Arrival::data);
  require(found != arrivals_.end(), "a linear reads {}, which did not come through its boundary",
          to_string(x));
  std::vector<CommQueue::Ticket> pieces = std::move(found->pieces);
  arrivals_.erase(found);
  return pieces;
}

void SequenceBoundary::begin_sum(Context& context, Tensor all, std::int64_t piece) {
  const std::int64_t n = pieces_of(all);
  const Tensor from = piece_of(all, piece, n);
  const Tensor to = piece_of(place_of_sum(all), piece, n);
  Sum sum{0, std::make_shared<std::function<void(Context&)>>()};
  sum.arrival = queue(context).submit(context, [this, from, to, add = sum.add](Context& other) {
    *add = beside_.begin_reduce_scatter(other, from, to);
  });
  sums_.push_back(std::move(sum));
}

Tensor SequenceBoundary::end_leave(Context& context, Tensor all) {
  for (const Sum& sum : std::exchange(sums_, {})) {
    // The queue's thread has set `add` before this returns.
    queue(context).wait(context, sum.arrival, "wait for sums of tokens");
    if (!*sum.add) continue;
    const TraceSpan span(context, TraceKind::communication, "sum");
    (*sum.add)(context);
  }
  return place_of_sum(all);
}

void SequenceBoundary::column_linear(Context& context, Tensor x, const Linear& linear, Tensor y) {
  if (context.device.type == DeviceType::meta)
    return Boundary::column_linear(context, x, linear, y);
  const std::vector<CommQueue::Ticket> pieces = arrival_of(x);
  const std::int64_t n = std::ssize(pieces);
  for (std::int64_t i = 0; i < n; ++i) {
    queue(context).wait(context, pieces[static_cast<std::size_t>(i)], "wait for tokens");
    linear.forward(context, piece_of(x, i, n), piece_of(y, i, n));
  }
}

void SequenceBoundary::column_linear_backward(Context& context, Tensor dy, Tensor x,
                                              const Linear& linear, Tensor dx) {
  if (context.device.type == DeviceType::meta) {
    return Boundary::column_linear_backward(context, dy, x, linear, dx);
  }
  const std::int64_t n = pieces_of(dx);
  for (std::int64_t i = 0; i < n; ++i) {
    linear.backward_input(context, piece_of(dy, i, n), piece_of(dx, i, n));
    begin_sum(context, dx, i);
  }
  queue(context).wait(context, arrival_of(x).back(), "wait for tokens");
  linear.backward_weight(context, dy, x);
}

void SequenceBoundary::row_linear(Context& context, Tensor x, const Linear& linear, Tensor y) {
  if (context.device.type == DeviceType::meta) return Boundary::row_linear(context, x, linear, y);
  const std::int64_t n = pieces_of(y);
  for (std::int64_t i = 0; i < n; ++i) {
    linear.forward(context, piece_of(x, i, n), piece_of(y, i, n));
    begin_sum(context, y, i);
  }
}

void SequenceBoundary::row_linear_backward(Context& context, Tensor dy, Tensor x,
                                           const Linear& linear, Tensor dx) {
  if (context.device.type == DeviceType::meta) {
    return Boundary::row_linear_backward(context, dy, x, linear, dx);
  }
  const std::vector<CommQueue::Ticket> pieces = arrival_of(dy);
  const std::int64_t n = std::ssize(pieces);
  for (std::int64_t i = 0; i < n; ++i) {
    queue(context).wait(context, pieces[static_cast<std::size_t>(i)], "wait for gradients");
    linear.backward_input(context, piece_of(dy, i, n), piece_of(dx, i, n));
  }
  linear.backward_weight(context, dy, x);
}

}  // namespace fathom
