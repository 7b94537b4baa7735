// Phases of a run's data, each by the place where it begins.
#pragma once

#include <cstdint>
#include <utility>

#include "data/config.h"

namespace fathom::test {

inline MixPhaseConfig at_share(double share, NumberTable weights) {
  return {share, {}, {}, std::move(weights)};
}
inline MixPhaseConfig at_tokens(std::int64_t tokens, NumberTable weights) {
  return {{}, tokens, {}, std::move(weights)};
}
inline MixPhaseConfig at_step(std::int64_t step, NumberTable weights) {
  return {{}, {}, step, std::move(weights)};
}

}  // namespace fathom::test
