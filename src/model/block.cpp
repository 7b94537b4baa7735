#include "model/block.h"

#include "model/shard.h"

namespace fathom {
namespace {

std::string prefix_of(std::int64_t layer) {
  return "layers." + std::to_string(layer) + ".";
}

// `kept`, or memory for it that lasts as long as the caller's scope.
Tensor or_take(Tensor kept, Arena& arena, Tensor like) {
  return kept ? kept : arena.take(like.dtype, like.shape);
}

}  // namespace

Block::Block(const ModelConfig& config, ParameterStore& parameters, std::int64_t layer,
             Tensor rope_table, Boundary& boundary)
    : boundary_(boundary),
      norm1_(config, parameters, prefix_of(layer) + "attention_norm.weight"),
      norm2_(config, parameters, prefix_of(layer) + "mlp_norm.weight"),
      attention_(shard_config(config, boundary.shard()), parameters, prefix_of(layer), rope_table,
                 boundary),
      mlp_(shard_config(config, boundary.shard()), parameters, prefix_of(layer), boundary) {}

// All that a backward reads but norm1.h, which the caller sets. Under `full`,
// norm2.h is the caller's too.
Block::Saved Block::allocate(Arena& arena, Tensor residual, Recompute policy) const {
  const std::int64_t tokens = residual.rows();
  const DType dtype = residual.dtype;
  Saved saved;
  saved.norm1.rstd = arena.take(DType::f32, {tokens});
  saved.norm2.rstd = arena.take(DType::f32, {tokens});
  const std::int64_t gathered = boundary_.gathered_tokens(tokens);
  saved.attention = attention_.allocate(arena, gathered, dtype);
  if (policy != Recompute::full) saved.norm2.h = arena.take(dtype, residual.shape);
  if (policy == Recompute::none) {
    saved.y1 = arena.take(dtype, residual.shape);
    saved.y2 = arena.take(dtype, residual.shape);
  }
  saved.mlp =
      mlp_.allocate(arena, gathered, dtype,
                    policy == Recompute::none ? Mlp::KeepActivated::yes : Mlp::KeepActivated::no);
  saved.complete = true;
  return saved;
}

Leaving Block::run_attention(Context& context, Arena& arena, const TokenLayout& tokens,
                             const KvCacheLayer* cache, const Saved& saved,
                             const ResidualStream& stream, Tensor delta_memory) const {
  const ArenaScope scope(arena);
  const Tensor y = or_take(saved.y1, arena, stream.residual);
  norm1_.forward(context, stream.residual, stream.delta, saved.norm1, y);
  const Entering x = boundary_.begin_enter(context, arena, y);
  return attention_.forward(context, tokens, cache, x, saved.attention, delta_memory);
}

Entering Block::enter_mlp(Context& context, Arena& arena, const Saved& saved, Tensor delta) const {
  const Tensor y = or_take(saved.y2, arena, saved.norm1.h);
  norm2_.forward(context, saved.norm1.h, delta, saved.norm2, y);
  return boundary_.begin_enter(context, arena, y);
}

Block::Saved Block::forward(Context& context, Arena& arena, const TokenLayout& tokens,
                            const KvCacheLayer* cache, Recompute policy, ResidualStream& stream,
                            Tensor delta_memory, Tensor transient_residual) const {
  Saved kept;
  kept.norm1.h =
      stream.delta ? arena.take(stream.residual.dtype, stream.residual.shape) : stream.residual;
  const std::size_t mark = arena.mark();
  Saved saved = allocate(arena, stream.residual, policy);
  saved.norm1.h = kept.norm1.h;
  if (policy == Recompute::full) saved.norm2.h = transient_residual;

  const Tensor delta = boundary_.end_leave(
      context, run_attention(context, arena, tokens, cache, saved, stream, delta_memory));
  {
    const ArenaScope scope(arena);
    const Entering x = enter_mlp(context, arena, saved, delta);
    const Leaving y = mlp_.forward(context, arena, x, saved.mlp, delta_memory);
    stream = {saved.norm2.h, boundary_.end_leave(context, y)};
  }

  if (policy != Recompute::full) return saved;
  arena.release_to(mark);
  return kept;
}

void Block::backward(Context& context, Arena& arena, const TokenLayout& tokens, Saved saved,
                     Tensor dh) const {
  const ArenaScope scope(arena);
  if (!saved.complete) {
    const Tensor h = saved.norm1.h;
    saved = allocate(arena, h, Recompute::none);
    saved.norm1.h = h;
    const ArenaScope again(arena);
    const Tensor delta = arena.take(h.dtype, {boundary_.gathered_tokens(h.rows()), h.cols()});
    const Leaving leaving =
        run_attention(context, arena, tokens, nullptr, saved, {h, Tensor{}}, delta);
    const Entering x = enter_mlp(context, arena, saved, boundary_.end_leave(context, leaving));
    mlp_.restore(context, x, saved.mlp);
  }
  const Tensor y = arena.take(dh.dtype, dh.shape);  // a norm's output, when not kept
  // Its gradient, of the tokens of all ranks until the boundary has summed it.
  const Tensor dy = arena.take(dh.dtype, {boundary_.gathered_tokens(dh.rows()), dh.cols()});
  Leaving leaving;

  if (!saved.y2) norm2_.repeat(context, saved.norm2, y);
  {
    const ArenaScope sub_layer(arena);
    const Entering dout = boundary_.begin_leave_backward(context, arena, dh);
    const Entering x = boundary_.begin_enter(context, arena, saved.y2 ? saved.y2 : y);
    leaving = mlp_.backward(context, arena, dout, x, saved.mlp, dy);
  }
  norm2_.backward(context, boundary_.end_enter_backward(context, leaving), saved.norm2,
                  ops::Incoming::add, dh);

  if (!saved.y1) norm1_.repeat(context, saved.norm1, y);
  {
    const ArenaScope sub_layer(arena);
    const Entering dout = boundary_.begin_leave_backward(context, arena, dh);
    const Entering x = boundary_.begin_enter(context, arena, saved.y1 ? saved.y1 : y);
    leaving = attention_.backward(context, arena, tokens, dout, x, saved.attention, dy);
  }
  norm1_.backward(context, boundary_.end_enter_backward(context, leaving), saved.norm1,
                  ops::Incoming::add, dh);
}

}  // namespace fathom
