// One call of attention and its backward on a device, with what it should give. The reference is
// computed where it is asked for: most calls are compared with other calls alone.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/attention_reference.h"
#include "ops/device_tensor.h"
#include "ops/guarded_matrix.h"

namespace fathom::ops {

struct AttentionCase {
  HeadShape heads;
  std::vector<std::int32_t> lengths;
  double deviation = 1;  // of q and k
};

// The operation run on a device, its operands inside one fused matrix.
struct AttentionRun {
  Context context;
  AttentionCase shape;
  AttentionReference reference;
  Doubles dout;
  GuardedMatrix qkv, out, dqkv, upstream;
  test::DeviceTensor lse;
  Buffer offsets;
  Segments segments;

  static AttentionReference make_reference(const AttentionCase& c, DType dtype) {
    AttentionReference r{c.heads, {0}, {}, {}, {}, {}, {}, {}, {}, {}};
    for (const auto length : c.lengths) r.offsets.push_back(r.offsets.back() + length);
    const std::int64_t n = r.rows(), d = c.heads.head_dim;
    r.q = normal_values(n * c.heads.num_heads * d, 1, dtype, c.deviation);
    r.k = normal_values(n * c.heads.num_kv_heads * d, 2, dtype, c.deviation);
    r.v = normal_values(n * c.heads.num_kv_heads * d, 3, dtype);
    return r;
  }

  static std::size_t workspace(Device device, DType dtype, const AttentionCase& c) {
    AttentionBounds bounds;
    for (const auto length : c.lengths) {
      bounds.tokens += length;
      bounds.max_length = std::max<std::int64_t>(bounds.max_length, length);
      bounds.uniform = bounds.uniform && length == c.lengths[0] && length > 0;
    }
    std::size_t most = std::size_t{16} << 20;
    for (const auto determinism : {Determinism::fastest, Determinism::reproducible}) {
      most = std::max(most, attention_workspace(device, dtype, c.heads, bounds, determinism));
    }
    return most;
  }

  AttentionRun(Device device, DType dtype, const AttentionCase& c, Rows place = Rows::odd)
      : context(device, workspace(device, dtype, c)),
        shape(c),
        reference(make_reference(c, dtype)),
        dout(normal_values(reference.q.size(), 4, dtype)),
        qkv(context, dtype, reference.rows(), fused_width(), place),
        out(context, dtype, reference.rows(), query_width(), place),
        dqkv(context, dtype, reference.rows(), fused_width(), place),
        upstream(context, dtype, reference.rows(), query_width(), place),
        lse(context, DType::f32, {c.heads.num_heads, reference.rows()}),
        offsets(device, reference.offsets.size() * 4) {
    qkv.set(reference.q, 0, query_width());
    qkv.set(reference.k, query_width(), key_width());
    qkv.set(reference.v, query_width() + key_width(), key_width());
    upstream.set(dout);
    copy_bytes(offsets.data(), device, reference.offsets.data(), cpu_device, offsets.bytes(),
               context.stream);
    segments = describe_segments(
        offsets.tensor(DType::i32, {std::int64_t(reference.offsets.size())}), reference.offsets);
  }

  std::int64_t query_width() const { return shape.heads.num_heads * shape.heads.head_dim; }
  std::int64_t key_width() const { return shape.heads.num_kv_heads * shape.heads.head_dim; }
  std::int64_t fused_width() const { return query_width() + 2 * key_width(); }
  Tensor q_of(const GuardedMatrix& m) const { return m.view().columns(0, query_width()); }
  Tensor k_of(const GuardedMatrix& m) const { return m.view().columns(query_width(), key_width()); }
  Tensor v_of(const GuardedMatrix& m) const {
    return m.view().columns(query_width() + key_width(), key_width());
  }

  const AttentionReference& expected_forward() {
    if (reference.out.empty()) reference.forward();
    return reference;
  }
  const AttentionReference& expected_backward() {
    expected_forward();
    reference.backward(dout);
    return reference;
  }

  // In the reference's order, [num_heads, n], from the device's own.
  Doubles log_sums() const {
    const Doubles stored = lse.download();
    if (context.device == cpu_device) return stored;
    const std::int64_t n = reference.rows(), heads = shape.heads.num_heads;
    const std::int64_t length = segments.uniform_length;
    Doubles ordered(stored.size());
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t at =
            length > 0 ? (i / length * heads + h) * length + i % length : i * heads + h;
        ordered[h * n + i] = stored[at];
      }
    }
    return ordered;
  }

  void forward() {
    attention(context, q_of(qkv), k_of(qkv), v_of(qkv), segments, shape.heads, out.view(),
              lse.tensor());
  }
  void backward() {
    attention_backward(context, upstream.view(), q_of(qkv), k_of(qkv), v_of(qkv), out.view(),
                       lse.tensor(), segments, shape.heads, q_of(dqkv), k_of(dqkv), v_of(dqkv));
  }
};

}  // namespace fathom::ops
