// The place of each rank in the layout: world = pp × dp × tp, tp fastest, so that the ranks that
// communicate most are neighbours.
#pragma once

#include <string>
#include <vector>

#include "model/stage.h"
#include "parallel/config.h"

namespace fathom {

struct RankPlace {
  int pp = 0, dp = 0, tp = 0;
  bool operator==(const RankPlace&) const = default;
};

struct RankLayout {
  int pp = 1, dp = 1, tp = 1;

  int world() const { return pp * dp * tp; }
  int rank_of(const RankPlace& place) const { return (place.pp * dp + place.dp) * tp + place.tp; }
  RankPlace place_of(int rank) const { return {rank / tp / dp, rank / tp % dp, rank % tp}; }
  // "rank 5 (pp 1, dp 0, tp 1)"
  std::string name_of(int rank) const;
  std::vector<std::string> names() const;
};

// All that follows from [parallel], the number of ranks and the model.
struct ParallelPlan {
  RankLayout layout;
  bool sequence_parallel = false;
  std::int64_t sequence_pieces = 1;
  bool zero = false;
  bool overlap = true;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  int virtual_stages = 1;
  std::vector<StageRange> stages;  // of the pp · virtual_stages parts, in the model's order

  // Part `chunk` of a pipeline rank is number chunk · pp + rank.
  StageRange part(int pipeline_rank, int chunk) const {
    return stages.at(static_cast<std::size_t>(chunk * layout.pp + pipeline_rank));
  }
};

// The batch that a layout has to divide.
struct ParallelFacts {
  std::int64_t global_batch = 1, micro_batch = 1;  // sequences
  std::int64_t sequence_length = 1;
};

// The layout alone, without the model and the batch. Throws an input Error when the ranks do not
// fit.
RankLayout choose_layout(const ParallelConfig& config, int ranks);

// Throws an input Error that names the key and a value that fits, when the layout is impossible
// with so many ranks, this model or this batch.
ParallelPlan resolve(const ParallelConfig& config, int ranks, const ModelConfig& model,
                     const ParallelFacts& facts);

// The whole model on one rank.
ParallelPlan one_rank_plan(const ModelConfig& model);

// num_layers blocks over `parts` parts in order, each at least one, so that the
// slowest part is as fast as can be: the last one has the head as well, which costs
// as much as `head_cost` blocks. Of equal parts the later ones get more blocks, for
// they keep fewer micro-batches.
std::vector<StageRange> balance_stages(std::int64_t num_layers, std::int64_t parts,
                                       double head_cost);

}  // namespace fathom
