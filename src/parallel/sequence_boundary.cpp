#include "parallel/sequence_boundary.h"

#include <exception>

#include "core/observer.h"
#include "core/trace.h"

namespace fathom {
namespace {

// Piece i of n of the rows.
Tensor piece_of(Tensor x, std::int64_t i, std::int64_t n) {
  const std::int64_t rows = x.rows() / n;
  return x.slice(i * rows, rows);
}

void copy_tokens(Context& context, Tensor from, Tensor to) {
  const auto copy = [from, to](Context& c) {
    copy_bytes(to.data, to.device, from.data, from.device, from.bytes(), c.stream);
  };
  if (!context.observer) return copy(context);
  context.observer->observe(context, {"copy_tokens", {from, to}, false, copy});
}

}  // namespace

SequenceBoundary::SequenceBoundary(Communicator& group, Communicator& beside,
                                   std::int64_t vocab_size, std::int64_t pieces, Overlap overlap)
    : TensorBoundary(group, vocab_size), beside_(beside), pieces_(pieces), overlap_(overlap) {}

SequenceBoundary::~SequenceBoundary() {
  // What the other ranks still need of this one was waited for, unless this one has failed.
  if (std::uncaught_exceptions() > 0) beside_.cancel();
}

CommQueue::Ticket SequenceBoundary::submit(Context& context, CommQueue::Work work) {
  if (context.device.type == DeviceType::meta && !context.observer) return 0;
  if (!queue_) queue_ = std::make_unique<CommQueue>(context.device, overlap_);
  return queue_->submit(context, std::move(work));
}

void SequenceBoundary::wait(Context& context, CommQueue::Ticket ticket, const char* name) {
  if (ticket > 0) queue_->wait(context, ticket, name);
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
  const Tensor all = arena.take(held.dtype, {gathered_tokens(held.rows()), held.cols()});
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
Entering SequenceBoundary::begin_enter(Context& context, Arena& arena, Tensor held) {
  const Tensor all = arena.take(held.dtype, {gathered_tokens(held.rows()), held.cols()});
  const std::int64_t n = pieces_of(all);
  Entering entering{all, {}};
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor mine = piece_of(held, i, n), to = piece_of(all, i, n);
    const Tensor from = to.slice(group().rank() * mine.rows(), mine.rows());
    copy_tokens(context, mine, from);
    entering.pieces.push_back(
        submit(context, [this, from, to](Context& other) { beside_.all_gather(other, from, to); }));
  }
  return entering;
}

// Pieces arrive in their order.
void SequenceBoundary::await(Context& context, const Entering& x) {
  wait(context, x.pieces.back(), "wait for tokens");
}

Leaving::Piece SequenceBoundary::begin_sum(Context& context, Tensor all, std::int64_t piece) {
  const std::int64_t n = pieces_of(all);
  const Tensor from = piece_of(all, piece, n);
  const Tensor to = piece_of(place_of_sum(all), piece, n);
  Leaving::Piece sum{0, std::make_shared<std::function<void(Context&)>>()};
  sum.number = submit(context, [this, from, to, add = sum.add](Context& other) {
    *add = beside_.begin_reduce_scatter(other, from, to);
  });
  return sum;
}

Tensor SequenceBoundary::end_leave(Context& context, const Leaving& x) {
  for (const Leaving::Piece& sum : x.pieces) {
    // The queue's thread has set `add` before this returns.
    wait(context, sum.number, "wait for sums of tokens");
    if (!*sum.add) continue;
    const TraceSpan span(context, TraceKind::communication, "sum");
    (*sum.add)(context);
  }
  return place_of_sum(x.tensor);
}

void SequenceBoundary::multiply_entering(Context& context, const Entering& x, const Linear& linear,
                                         Product product, Tensor y) {
  const std::int64_t n = std::ssize(x.pieces);
  for (std::int64_t i = 0; i < n; ++i) {
    wait(context, x.pieces[static_cast<std::size_t>(i)], "wait for tokens");
    (linear.*product)(context, piece_of(x.tensor, i, n), piece_of(y, i, n));
  }
}

Leaving SequenceBoundary::multiply_leaving(Context& context, const Operand& x, const Linear& linear,
                                           Product product, Tensor y) {
  Leaving leaving{y, {}};
  const std::int64_t n = pieces_of(y), rows = y.rows() / n;
  for (std::int64_t i = 0; i < n; ++i) {
    (linear.*product)(context, x.slice(i * rows, rows), piece_of(y, i, n));
    leaving.pieces.push_back(begin_sum(context, y, i));
  }
  return leaving;
}

}  // namespace fathom
