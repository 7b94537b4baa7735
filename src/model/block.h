// One transformer block on the residual stream:
//
//   h1 = residual + delta      delta = attention(norm1(h1))
//   h2 = h1 + delta            delta = mlp(norm2(h2))          residual = h2
#pragma once

#include <span>
#include <string_view>

#include "model/attention_layer.h"
#include "model/boundary.h"
#include "model/mlp.h"
#include "model/norm.h"

namespace fathom {

// What a block keeps for its backward, from most memory to least. The gradients
// are the same to the bit.
enum class Recompute {
  none,       // everything
  selective,  // all but what no matrix product is needed for: norms' and SwiGLU's outputs
  full,       // the block's input alone; its forward runs again
};
inline std::span<const std::string_view> enum_names(Recompute) {
  static constexpr std::string_view names[] = {"none", "selective", "full"};
  return names;
}

// The residual stream between blocks: its value is residual + delta.
struct ResidualStream {
  Tensor residual;  // [n, d]
  Tensor delta;     // [n, d]; absent: nothing to add yet
};

class Block {
 public:
  struct Saved {
    Norm::Saved norm1, norm2;
    Tensor y1, y2;  // the norms' outputs [n, d]; absent: computed again
    AttentionLayer::Saved attention;
    Mlp::Saved mlp;
    bool complete = false;  // false: only norm1.h is here
  };

  Block(const ModelConfig& config, ParameterStore& parameters, std::int64_t layer,
        Tensor rope_table, Boundary& boundary);

  // Runs the block, takes what `policy` keeps from `arena`, and returns it. Reads
  // `stream` and leaves the block's output in it: the residual in memory that is
  // kept, or under Recompute::full in `transient_residual` [n, d]; the delta in
  // `delta_memory` [n, d], which may hold the delta that comes in too. Under sequence
  // parallelism delta_memory alone has room for the tokens of all ranks.
  Saved forward(Context& context, Arena& arena, const TokenLayout& tokens,
                const KvCacheLayer* cache, Recompute policy, ResidualStream& stream,
                Tensor delta_memory, Tensor transient_residual) const;

  // dh [n, d]: on entry the gradient of the block's output stream, on return of
  // its input stream. `saved` is used up.
  void backward(Context& context, Arena& arena, const TokenLayout& tokens, Saved saved,
                Tensor dh) const;

 private:
  Saved allocate(Arena& arena, Tensor residual, Recompute policy) const;
  Leaving run_attention(Context& context, Arena& arena, const TokenLayout& tokens,
                        const KvCacheLayer* cache, const Saved& saved, const ResidualStream& stream,
                        Tensor delta_memory) const;
  // The MLP's input, in memory that lasts as long as the caller's scope.
  Entering enter_mlp(Context& context, Arena& arena, const Saved& saved, Tensor delta) const;

  Boundary& boundary_;
  Norm norm1_, norm2_;
  AttentionLayer attention_;
  Mlp mlp_;
};

}  // namespace fathom
