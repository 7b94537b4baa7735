// The fastest layouts of a run on a cluster, of all that its GPUs allow.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "scaling/layout_plan.h"

namespace fathom::scaling {

struct SearchRequest {
  PlannedRun run;
  std::int64_t micro_batch = 0;        // sequences; 0: 1, 2, 4 and 8 are tried
  std::optional<Recompute> recompute;  // absent: each is tried
  std::size_t wanted = 10;             // layouts
};

struct FoundLayout {
  TrainPlan plan;
  StepTime time;
  RankMemory memory;
};

struct SearchResult {
  std::vector<FoundLayout> best;  // by time a token, the fastest first
  std::size_t possible = 0;       // layouts that divide the model, the batch and the GPUs
  std::size_t too_large = 0;      // of those that were looked at, that do not fit into the card
  std::size_t simulated = 0;
  std::size_t least_bytes = 0;  // that any of the too large ones takes on its fullest rank
};

// All layouts that divide: pp × dp × tp, tp within a node; with tp the sequence parallel or not, in
// 1, 2 or 4 pieces; 1F1B or interleaved; micro-batches; recomputation.
std::vector<LayoutOptions> possible_layouts(const SearchRequest& request, const Cluster& cluster);

// `progress`: called with layouts that were looked at, of how many at most.
SearchResult search_layouts(const SearchRequest& request, const Cluster& cluster,
                            const std::function<void(std::size_t, std::size_t)>& progress = {});

// Memory and time of one layout; none when it does not fit into the card. Throws the trainer's
// input Error when it is impossible.
FoundLayout look_at(const TrainPlan& plan, const Cluster& cluster, const OperationTime& time,
                    Picture picture = Picture::none);
bool fits(const RankMemory& memory, const Cluster& cluster);

}  // namespace fathom::scaling
