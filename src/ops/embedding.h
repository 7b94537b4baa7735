// Token embedding.
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom::ops {

// y[i] = table[ids[i] − first_id], or zero where that row lies outside the table
// (it belongs to another rank of a vocabulary split). ids: [n] i32; table:
// [rows, d]; y: [n, d] of the table's type, f32 or bf16.
void embedding(Context& context, Tensor ids, Tensor table, std::int64_t first_id, Tensor y);

// dtable[ids[i] − first_id] += dy[i], summed in an order that ids and d alone determine (on a CPU
// that of i): the same bits every time. dy: [n, d] f32 or bf16; dtable: [rows, d] f32.
void embedding_backward(Context& context, Tensor ids, Tensor dy, std::int64_t first_id,
                        Tensor dtable);

}  // namespace fathom::ops
