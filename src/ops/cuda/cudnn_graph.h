// Attention as a graph of cuDNN's: what identifies one, and how it is built and
// run. cuDNN's own headers are read by cudnn_graph.cpp alone.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>

#include "core/context.h"

struct cudnnContext;

namespace fathom::ops::cuda {

enum class Pass : std::uint8_t { forward, backward };

// The operands of a graph, by number.
enum class Operand : std::uint8_t {
  q,
  k,
  v,
  out,
  lse,
  dout,  // from here on backward only
  dq,
  dk,
  dv,
  lengths,    // [sequences] i32: ragged, and uniform where they are told
  q_offsets,  // from here on ragged only: [sequences + 1] i64 each: where a sequence starts, in
              // elements; of dq too
  k_offsets,
  v_offsets,
  out_offsets,  // of dout too
  lse_offsets,
};
inline constexpr std::size_t operand_count = 15;
using Addresses = std::array<void*, operand_count>;

// Segments are uniform, all of one length, or ragged: each of its own length and where
// its offsets say.
struct AttentionShape {
  Pass pass = Pass::forward;
  Determinism determinism = Determinism::fastest;
  std::int64_t sequences = 0;
  std::int64_t length = 0;  // of a sequence; ragged: at most
  std::int64_t tokens = 0;  // ragged: of all sequences; uniform: 0
  // Uniform, and yet cuDNN is told the lengths.
  bool told_lengths = false;
  std::int64_t num_heads = 0, num_kv_heads = 0, head_dim = 0;
  // From a row to the next, in elements, by Operand; 0 for what the pass does not have.
  std::array<std::int64_t, static_cast<std::size_t>(Operand::lengths)> row_strides{};

  bool ragged() const { return tokens > 0; }
  bool has_lengths() const { return ragged() || told_lengths; }
  auto operator<=>(const AttentionShape&) const = default;
};

// The plan that cuDNN makes of a graph, for one device.
class AttentionGraph {
 public:
  // Takes from some milliseconds to seconds. Throws a run-time Error with cuDNN's words
  // when it has no way to compute this. `handle`: a cudnnHandle_t, as below.
  AttentionGraph(Device device, cudnnContext* handle, const AttentionShape& shape);
  ~AttentionGraph();

  std::size_t workspace_bytes() const { return workspace_bytes_; }
  // Queues the work by any handle of the device; one thread at a time, for not all of cuDNN's plans
  // may be run by several. `workspace`: workspace_bytes(), aligned to 256.
  void run(const Context& context, cudnnContext* handle, const Addresses& addresses,
           void* workspace) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::size_t workspace_bytes_ = 0;
};

}  // namespace fathom::ops::cuda
