#include "ops/cuda/cudnn_attention.h"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "ops/cuda/cudnn_graph.h"
#include "ops/cuda/cudnn_library.h"
#include "ops/cuda/libraries.h"
#include "ops/cuda/ragged_offsets.h"

namespace fathom::ops::cuda {
namespace {

constexpr std::size_t MiB = std::size_t{1} << 20;

// What cuDNN's kernels take beside the matrices that are counted below.
constexpr std::size_t workspace_slack = 16 * MiB;
// In the reproducible backward each sequence has a matrix of num_heads · length² in
// memory; so many bytes of them are held at once, or one sequence's.
constexpr std::size_t square_limit = 512 * MiB;

std::size_t index_of(Operand operand) {
  return static_cast<std::size_t>(operand);
}

std::size_t round_up(std::int64_t bytes) {
  return (static_cast<std::size_t>(bytes) + 255) / 256 * 256;
}

// Bytes of dS [num_heads, length, length] bf16, in tiles of 64.
std::size_t square_bytes(const HeadShape& heads, std::int64_t length) {
  const std::int64_t padded = (length + 63) / 64 * 64;
  return static_cast<std::size_t>(heads.num_heads * padded * padded * 2);
}

// How many of `sequences` go through one graph: a divisor of them.
std::int64_t sequences_at_once(const HeadShape& heads, std::int64_t length, std::int64_t sequences,
                               Determinism determinism) {
  if (determinism == Determinism::fastest) return sequences;
  const auto most = static_cast<std::int64_t>(square_limit / square_bytes(heads, length));
  std::int64_t count = std::clamp<std::int64_t>(most, 1, sequences);
  while (sequences % count != 0) --count;
  return count;
}

std::array<const Tensor*, operand_count> tensors_of(const AttentionCall& call) {
  return {&call.q,    &call.k,  &call.v,  &call.out, &call.lse,
          &call.dout, &call.dq, &call.dk, &call.dv};
}

// Up to 9.15 the backward is wrong past the last whole tile of keys unless it is told the
// lengths. The frontend knows that too, but would copy them from the host at every call.
bool must_tell_lengths(const AttentionShape& shape) {
  return shape.pass == Pass::backward && shape.length % 128 != 0 &&
         cudnn_library().version <= 91500;
}

// Plans are few: lengths and numbers of ragged segments are rounded up to powers of 2.
AttentionShape shape_of(const AttentionCall& call, Determinism determinism) {
  AttentionShape shape;
  const Segments& segments = call.segments;
  const auto round = [](std::int64_t least, std::int64_t value) {
    return static_cast<std::int64_t>(
        std::bit_ceil(static_cast<std::uint64_t>(std::max(least, value))));
  };
  if (call.dq) shape.pass = Pass::backward;
  if (call.dq) shape.determinism = determinism;
  shape.num_heads = call.heads.num_heads;
  shape.num_kv_heads = call.heads.num_kv_heads;
  shape.head_dim = call.heads.head_dim;
  if (segments.uniform_length > 0) {
    shape.length = segments.uniform_length;
    shape.sequences = sequences_at_once(call.heads, shape.length, call.q.rows() / shape.length,
                                        shape.determinism);
    shape.told_lengths = must_tell_lengths(shape);
  } else {
    shape.length = round(128, segments.max_length);
    shape.sequences = round(8, segments.offsets.elements() - 1);
    shape.tokens = call.q.rows();
  }
  const auto tensors = tensors_of(call);
  for (std::size_t i = 0; i < shape.row_strides.size(); ++i) {
    if (tensors[i] && *tensors[i]) shape.row_strides[i] = tensors[i]->row_stride;
  }
  return shape;
}

}  // namespace

struct AttentionState {
  cudnnHandle_t handle = nullptr;
};

namespace {

cudnnHandle_t handle_of(Context& context) {
  std::shared_ptr<AttentionState>& state = libraries_of(context).attention;
  if (!state) {
    auto opened = std::make_shared<AttentionState>();
    opened->handle = open_cudnn_handle(context.device.index);
    state = std::move(opened);
  }
  return state->handle;
}

// A graph that all contexts of a device share: making one takes long, and runs side by side want
// the same ones at the same time. Whoever uses it holds its mutex.
struct SharedGraph {
  std::mutex mutex;
  std::unique_ptr<AttentionGraph> graph;  // null until the first use
};

// Never freed, because CUDA may shut down before static objects are destroyed.
SharedGraph& shared_graph(int device, const AttentionShape& shape) {
  static std::mutex mutex;
  static auto& graphs = *new std::map<std::pair<int, AttentionShape>, SharedGraph>;
  const std::lock_guard lock(mutex);
  return graphs[{device, shape}];
}

// The operands from row `first` on, where a sequence starts.
Addresses addresses_from(const AttentionCall& call, std::int64_t first) {
  Addresses addresses{};
  const auto tensors = tensors_of(call);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i] || !*tensors[i]) continue;
    const Tensor& tensor = *tensors[i];
    // Rows of lse are heads in its shape; in memory a sequence has num_heads · length.
    const std::int64_t row = i == index_of(Operand::lse) ? call.heads.num_heads : tensor.row_stride;
    addresses[i] = static_cast<std::byte*>(tensor.data) +
                   first * row * static_cast<std::int64_t>(size_of(tensor.dtype));
  }
  return addresses;
}

// Lets a kernel write the segments' lengths, and the offsets of ragged ones, into the
// workspace.
void add_lengths(Context& context, const AttentionCall& call, const AttentionShape& shape,
                 Addresses& addresses) {
  const auto starts = [&](Operand operand) -> std::int64_t* {
    if (!shape.ragged()) return nullptr;
    const auto bytes = static_cast<std::int64_t>(sizeof(std::int64_t)) * (shape.sequences + 1);
    const Tensor memory = context.workspace.take(DType::u8, {bytes});
    addresses[index_of(operand)] = memory.data;
    return static_cast<std::int64_t*>(memory.data);
  };
  const Tensor lengths = context.workspace.take(DType::i32, {shape.sequences});
  addresses[index_of(Operand::lengths)] = lengths.data;
  const RaggedOffsets ragged{
      {call.q.row_stride, call.k.row_stride, call.v.row_stride, call.out.row_stride,
       call.heads.num_heads},
      {starts(Operand::q_offsets), starts(Operand::k_offsets), starts(Operand::v_offsets),
       starts(Operand::out_offsets), starts(Operand::lse_offsets)},
      lengths.as<std::int32_t>(),
      static_cast<int>(shape.sequences)};
  fill_ragged_offsets(context.stream, call.segments.offsets, ragged);
}

void run(Context& context, const AttentionCall& call) {
  const AttentionShape shape = shape_of(call, context.determinism);
  const cudnnHandle_t handle = handle_of(context);
  SharedGraph& shared = shared_graph(context.device.index, shape);
  const std::lock_guard lock(shared.mutex);
  if (!shared.graph) {
    shared.graph = std::make_unique<AttentionGraph>(context.device, handle, shape);
  }
  const AttentionGraph& graph = *shared.graph;
  const ArenaScope scope(context.workspace);
  Addresses lengths{};
  if (shape.has_lengths()) add_lengths(context, call, shape, lengths);
  const std::size_t available = context.workspace.capacity() - context.workspace.mark();
  if (round_up(static_cast<std::int64_t>(graph.workspace_bytes())) > available) {
    fail_runtime(
        "attention of {} heads over {} tokens needs {} bytes of workspace, and {} are left: the "
        "Context was made for less",
        shape.num_heads, call.q.rows(), graph.workspace_bytes(), available);
  }
  const Tensor workspace =
      context.workspace.take(DType::u8, {static_cast<std::int64_t>(graph.workspace_bytes())});
  const std::int64_t rows = shape.ragged() ? call.q.rows() : shape.sequences * shape.length;
  for (std::int64_t first = 0; first < call.q.rows(); first += rows) {
    Addresses addresses = addresses_from(call, first);
    for (std::size_t i = 0; i < operand_count; ++i) {
      if (lengths[i]) addresses[i] = lengths[i];
    }
    graph.run(context, handle, addresses, workspace.data);
  }
}

bool aligned(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

bool same_strides(const AttentionCall& call) {
  return call.dq.row_stride == call.q.row_stride && call.dk.row_stride == call.k.row_stride &&
         call.dv.row_stride == call.v.row_stride && call.dout.row_stride == call.out.row_stride;
}

}  // namespace

bool cudnn_takes(const HeadShape& heads) {
  return heads.head_dim % 8 == 0 && heads.head_dim >= 32 && heads.head_dim <= 128;
}

bool cudnn_takes(const Context& context, const AttentionCall& call) {
  if (call.q.dtype != DType::bf16 || !cudnn_takes(call.heads)) return false;
  for (const Tensor* tensor : tensors_of(call)) {
    if (!tensor || !*tensor) continue;
    if (!aligned(tensor->data)) return false;
    if (tensor != &call.lse && tensor->row_stride % 8 != 0) return false;
  }
  // A single token has nothing to attend to but itself, and cuDNN refuses it.
  if (call.segments.uniform_length > 0) return call.segments.uniform_length > 1;
  if (compute_capability(context.device.index) < 90) return false;
  return !call.dq || (context.determinism == Determinism::fastest && same_strides(call));
}

void cudnn_attention(Context& context, const AttentionCall& call) {
  run(context, call);
}

void cudnn_attention_backward(Context& context, const AttentionCall& call) {
  run(context, call);
}

// What the backward holds beside its operands, in f32 unless said otherwise: the sums
// of dQ and, where query heads share keys, of dK and dV of every query head, and a
// number per row. Of ragged segments each has the row stride of the fused QKV matrix,
// that of dK and dV times the query heads that share a key head. Batches of documents
// may happen to be uniform.
std::size_t cudnn_workspace(const HeadShape& heads, const AttentionBounds& bounds,
                            Determinism determinism) {
  const std::int64_t group = heads.num_heads / heads.num_kv_heads;
  const std::int64_t head_dim = (heads.head_dim + 63) / 64 * 64;  // as kernels pad it
  const std::int64_t width = heads.num_heads * head_dim;
  const std::int64_t fused = width + 2 * heads.num_kv_heads * head_dim;
  const std::int64_t keys = group > 1 ? 2 : 0;
  const auto sums = [&](std::int64_t tokens, std::int64_t row, std::int64_t key_row) {
    return round_up(tokens * 4 * (row + keys * key_row + heads.num_heads));
  };
  const bool reproducible = determinism == Determinism::reproducible;
  std::size_t squares = 0;
  if (reproducible) squares = std::max(square_limit, square_bytes(heads, bounds.max_length));
  std::size_t bytes = squares + sums(bounds.tokens, width, width);
  if (!bounds.uniform && !reproducible) {
    bytes = std::max(bytes, sums(bounds.tokens, fused, group * fused));
  }
  return workspace_slack + bytes;
}

}  // namespace fathom::ops::cuda
