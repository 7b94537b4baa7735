// Draws the next tokens of a batch of sequences from their logits, so that of a model's output
// only tokens and the requested log-probabilities leave the device.
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom::ops {

// How the token of a row is drawn.
//
// The filters and their order are those of Hugging Face's transformers: changes of logits (such as
// penalties), temperature, top-k, top-p, min-p. Equal logits count in the order of their ids. The
// token is the one at `uniform` of the remaining tokens' summed probabilities, in the order of ids.
struct DrawRow {
  double uniform = 0;         // in [0, 1)
  float temperature = 1;      // 0: the likeliest token
  float top_p = 1;            // keep the fewest likeliest whose probabilities reach p; 1: all
  float min_p = 0;            // keep tokens at least min_p times as likely as the likeliest
  std::int32_t top_k = 0;     // keep the k likeliest; 0: all
  std::int32_t report = -1;   // likeliest tokens to report beside the drawn one; −1: no
                              // log-probability at all
  std::int32_t change_begin = 0, change_end = 0;  // range of this row's changes
  std::int32_t given = -1;  // the token to report in place of a drawn one; −1: draw
};

// Before it draws, a row's logit x of `token` becomes bias + (x < 0 ? x · penalty : x / penalty).
// A token is changed at most once a row.
struct LogitChange {
  std::int32_t token = 0;
  float penalty = 1, bias = 0;
  float before = 0;  // scratch of the operation
};

// What draw_tokens() writes: tokens [n] i32, −1 where no token that may be drawn has a finite
// logit; log_probabilities [n, 1 + k] f32 and likeliest [n, k] i32 for any k, both contiguous.
// Column 0 is ln p of the drawn token, then come those of the likeliest, likeliest first; ln p is
// under the model itself: before changes, temperature and filters, over all rows of the model.
// A row that asks for fewer leaves the rest as it is; where there are fewer tokens, −1.
struct DrawnTokens {
  Tensor tokens, log_probabilities, likeliest;
};

// logits: [n, V] f32, changed by the operation. masked: [m] i32, tokens that are neither drawn nor
// reported. rows: [n, sizeof(DrawRow)] u8; changes: [c, sizeof(LogitChange)] u8, changed too. A
// row's result depends on that row alone.
void draw_tokens(Context& context, Tensor logits, Tensor masked, Tensor rows, Tensor changes,
                 const DrawnTokens& drawn);

// A token's weight is its probability as a share of the likeliest's in units of 2^-40, rounded
// down: integers add up to the same in any order.
inline constexpr double weight_unit = 1099511627776.0;  // 2^40

}  // namespace fathom::ops
