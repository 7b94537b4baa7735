#include "ops/embedding.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void embedding(Context& context, Tensor ids, Tensor table, std::int64_t first_id, Tensor y) {
  const Argument arg_ids{"ids", ids}, arg_table{"table", table}, arg_y{"y", y};
  const Check check("embedding", {arg_ids, arg_table, arg_y});
  check.on(context).rank(arg_ids, 1).is(arg_ids, DType::i32).rank(arg_table, 2);
  check.shaped(arg_y, {ids.shape[0], table.shape[1]});
  check.floating(arg_table).same_type(arg_table, arg_y);
  on_device(context, cpu::embedding, cuda::embedding, ids, table, first_id, y);
}

void embedding_backward(Context& context, Tensor ids, Tensor dy, std::int64_t first_id,
                        Tensor dtable) {
  const Argument arg_ids{"ids", ids}, arg_dy{"dy", dy}, arg_dtable{"dtable", dtable};
  const Check check("embedding_backward", {arg_ids, arg_dy, arg_dtable});
  check.on(context).rank(arg_ids, 1).is(arg_ids, DType::i32).rank(arg_dtable, 2);
  check.shaped(arg_dy, {ids.shape[0], dtable.shape[1]}).floating(arg_dy);
  check.is(arg_dtable, DType::f32);
  on_device(context, cpu::embedding_backward, cuda::embedding_backward, ids, dy, first_id, dtable);
}

}  // namespace fathom::ops
