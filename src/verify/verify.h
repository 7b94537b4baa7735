// `fathom verify`: whether a user's own model trains alike on several layouts. Each
// layout trains 2k steps from the same start; then each goes on for k steps from each
// one's checkpoint of step k. Compared are losses, weights, and the samples' order.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verify/layout_choice.h"

namespace fathom {

// Which checkpoints are opened by which layouts.
enum class Transfers {
  none,
  ring,  // each layout's by itself and by the next one
  all,   // each by each
};
inline std::span<const std::string_view> enum_names(Transfers) {
  static constexpr std::string_view names[] = {"none", "ring", "all"};
  return names;
}

struct VerifyOptions {
  std::int64_t steps = 5;  // k
  Transfers transfers = Transfers::all;
  // For checkpoints, which are removed in the end unless something differs.
  std::string directory;
  // Largest relative differences that pass; 0: 1e-5 and 1e-4 in f32, 1e-2 and 5e-2 in
  // bf16, 2e-2 and 2e-1 with products in FP8. Of weights: ‖a − b‖ / ‖b‖ of a tensor, in all the
  // digits that the run keeps.
  double loss_tolerance = 0, weight_tolerance = 0;
};

// A layout's 2k steps against one rank's, or `from`'s checkpoint continued on `layout`
// against one rank's steps k to 2k.
struct LayoutVerdict {
  std::string layout, from;  // from: empty for a whole run
  double loss = 0, weight = 0;
  bool same_samples = false;
  bool same_bits = false;     // losses, weights and moments equal those of `reference`
  bool must_be_bits = false;  // from == layout: they equal the layout's own whole run
  bool passed = false;
};

// Runs everything and tells each verdict as it comes. Ranks are threads of this
// process; under mpirun or srun its ranks, of which the layouts take the first ones, and
// the launcher's first rank is told. Returns whether all passed, on every rank. Throws
// an input Error for layouts that cannot be.
bool verify_layouts(const std::vector<LayoutChoice>& layouts, const VerifyOptions& options,
                    const std::function<void(const LayoutVerdict&)>& tell);

}  // namespace fathom
