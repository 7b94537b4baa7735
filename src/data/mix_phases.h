// Phases of a run: from a point on, its sources have other weights.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/config.h"
#include "data/prepared.h"

namespace fathom {

struct MixPhase {
  std::int64_t first_sample = 0;  // the first with these weights
  std::vector<double> weights;    // [sources of the data]; 0: not read
};

// "data.phases: the phase with begin_share = 0.8", for messages.
std::string description(const MixPhaseConfig& phase);

// Weights of the data's sources in each phase, [phases][sources]: those before it, with what it
// names in their place. Throws an input Error that names the phase when a source is not of the data
// (with the nearest name), a weight is negative or not finite, or none is above 0.
std::vector<std::vector<double>> phase_weights(const PreparedData& data,
                                               std::span<const MixPhaseConfig> phases);

}  // namespace fathom
