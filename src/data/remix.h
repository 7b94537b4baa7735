// From the sizes of sources to their shares of a token budget.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom {

struct RemixSource {
  std::string name;
  double tokens = 0;      // that it has; more than 0
  double weight = 1;      // factor of its share; up-weights a rare domain
  double max_epochs = 0;  // cap on repetition; 0: that of RemixOptions
  double read = 0;        // tokens of it that were read before, which count for its cap
};

struct RemixOptions {
  double budget = 0;       // tokens of the training; more than 0
  double temperature = 1;  // a share is proportional to weight * tokens^(1 / temperature)
  double max_epochs = 4;   // Muennighoff et al., arXiv 2305.16264: up to 4 cost little
};

struct RemixShare {
  std::string name;
  double share = 0;   // of the budget; all shares sum to 1
  double tokens = 0;  // share * budget
  double epochs = 0;  // how often its tokens are read here
  bool capped = false;
};

// Shares by the formula above, but none beyond its cap: what a capped source leaves goes to the
// others in proportion to their shares (Conneau et al., arXiv 1911.02116, for the temperature).
// Throws an input Error when the caps of all sources together are below the budget.
std::vector<RemixShare> remix(const std::vector<RemixSource>& sources, const RemixOptions& options);

// From a share of the budget on the sources have other weights.
struct RemixPhase {
  double begin = 0;             // in (0, 1), ascending
  std::vector<double> weights;  // [sources]
};

// The shares before the first phase and in each of them, [1 + phases], each of the tokens of its
// own part of the budget. Caps are on the whole: a phase has what those before it left. Throws as
// remix(), naming the phase.
std::vector<std::vector<RemixShare>> remix_phases(std::vector<RemixSource> sources,
                                                  const std::vector<RemixPhase>& phases,
                                                  const RemixOptions& options);

}  // namespace fathom
