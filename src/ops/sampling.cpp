#include "ops/sampling.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void draw_tokens(Context& context, Tensor logits, Tensor masked, Tensor rows, Tensor changes,
                 const DrawnTokens& drawn) {
  const Argument arg_logits{"logits", logits}, arg_masked{"masked", masked}, arg_rows{"rows", rows},
      arg_changes{"changes", changes}, arg_tokens{"tokens", drawn.tokens},
      arg_log_probabilities{"log_probabilities", drawn.log_probabilities},
      arg_likeliest{"likeliest", drawn.likeliest};
  const Check check("draw_tokens", {arg_logits, arg_masked, arg_rows, arg_changes, arg_tokens,
                                    arg_log_probabilities, arg_likeliest});
  check.on(context).rank(arg_logits, 2).is(arg_logits, DType::f32);
  const std::int64_t n = logits.shape[0];
  check.that(logits.shape[1] <= 1 << 23, "the sum of so many tokens' weights does not fit");
  check.rank(arg_masked, 1).is(arg_masked, DType::i32).contiguous(arg_masked);
  check.shaped(arg_rows, {n, sizeof(DrawRow)}).is(arg_rows, DType::u8).contiguous(arg_rows);
  check.rank(arg_changes, 2).is(arg_changes, DType::u8).contiguous(arg_changes);
  check.that(changes.cols() == sizeof(LogitChange), "a row of changes is a LogitChange");
  check.shaped(arg_tokens, {n}).is(arg_tokens, DType::i32).contiguous(arg_tokens);
  check.rank(arg_likeliest, 2).is(arg_likeliest, DType::i32).contiguous(arg_likeliest);
  check.shaped(arg_likeliest, {n, drawn.likeliest.cols()});
  check.shaped(arg_log_probabilities, {n, 1 + drawn.likeliest.cols()})
      .is(arg_log_probabilities, DType::f32)
      .contiguous(arg_log_probabilities);
  on_device(context, cpu::draw_tokens, cuda::draw_tokens, logits, masked, rows, changes, drawn);
}

}  // namespace fathom::ops
