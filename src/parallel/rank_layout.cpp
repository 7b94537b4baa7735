#include "parallel/rank_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace fathom {
namespace {

void check_at_least(const char* key, std::int64_t value, std::int64_t least) {
  if (value < least) fail_input("parallel.{} is {}: use {} or more", key, value, least);
}

void check_tensor_parallel(const ParallelConfig& c, const ModelConfig& model,
                           const ParallelFacts& facts) {
  const std::int64_t tp = c.tp;
  if (model.num_heads % tp != 0) {
    fail_input("parallel.tp ({}) does not divide model.num_heads ({})", tp, model.num_heads);
  }
  if (model.num_kv_heads % tp != 0 && tp % model.num_kv_heads != 0) {
    fail_input("parallel.tp ({}) neither divides model.num_kv_heads ({}) nor is a multiple of it",
               tp, model.num_kv_heads);
  }
  if (model.intermediate_size % tp != 0) {
    fail_input("parallel.tp ({}) does not divide model.intermediate_size ({}): use {}", tp,
               model.intermediate_size, (model.intermediate_size + tp - 1) / tp * tp);
  }
  const std::int64_t rows = (model.vocab_size + tp - 1) / tp;
  if (rows * (tp - 1) >= model.vocab_size) {
    fail_input("parallel.tp ({}) is too large for a vocabulary of {}", tp, model.vocab_size);
  }
  const std::int64_t tokens = facts.micro_batch * facts.sequence_length;
  check_at_least("sequence_pieces", c.sequence_pieces, 1);
  if (c.sequence_pieces > 1 && !c.sequence_parallel) {
    fail_input(
        "parallel.sequence_pieces is {}, but pieces are of a sequence that ranks share: set "
        "parallel.sequence_parallel",
        c.sequence_pieces);
  }
  if (c.sequence_parallel && tokens % tp != 0) {
    fail_input(
        "parallel.tp ({}) does not divide the {} tokens of a micro-batch, as "
        "parallel.sequence_parallel wants: change train.micro_batch or train.sequence_length",
        tp, tokens);
  }
  if (c.sequence_parallel && tp > 1 && tokens % (tp * c.sequence_pieces) != 0) {
    fail_input(
        "parallel.sequence_pieces ({}) times parallel.tp ({}) does not divide the {} tokens of a "
        "micro-batch: use fewer pieces",
        c.sequence_pieces, tp, tokens);
  }
}

void check_data_parallel(const RankLayout& layout, const ParallelFacts& facts) {
  if (facts.global_batch % (facts.micro_batch * layout.dp) != 0) {
    fail_input(
        "train.global_batch ({}) is not a multiple of train.micro_batch ({}) times parallel.dp "
        "({})",
        facts.global_batch, facts.micro_batch, layout.dp);
  }
}

void check_pipeline(const ParallelConfig& c, const RankLayout& layout, const ParallelFacts& facts) {
  check_at_least("virtual_stages", c.virtual_stages, 1);
  const bool interleaved = c.schedule == PipelineSchedule::interleaved;
  if (c.virtual_stages > 1 && (!interleaved || c.pp == 1)) {
    fail_input(
        "parallel.virtual_stages is {}: that wants parallel.schedule=\"interleaved\" and "
        "parallel.pp of 2 or more",
        c.virtual_stages);
  }
  const std::int64_t micro_batches = facts.global_batch / (facts.micro_batch * layout.dp);
  if (interleaved && micro_batches % c.pp != 0) {
    fail_input(
        "parallel.schedule is interleaved, and the {} micro-batches of a step are not a multiple "
        "of parallel.pp ({}): change train.micro_batch or train.global_batch",
        micro_batches, c.pp);
  }
}

std::vector<StageRange> choose_stages(const ParallelConfig& c, const ModelConfig& model,
                                      std::int64_t sequence_length) {
  const std::int64_t parts = c.pp * c.virtual_stages;
  if (parts > model.num_layers) {
    fail_input("parallel: {} parts (pp × virtual_stages) are more than the model's {} blocks",
               parts, model.num_layers);
  }
  if (c.stage_layers.empty()) {
    const std::int64_t head = model.vocab_size * model.hidden_size;
    const std::int64_t block = (count_matmul_parameters(model) - head) / model.num_layers +
                               model.query_width() * sequence_length;
    return balance_stages(model.num_layers, parts,
                          static_cast<double>(head) / static_cast<double>(block));
  }
  const auto sum = std::accumulate(c.stage_layers.begin(), c.stage_layers.end(), std::int64_t{0});
  const bool positive = *std::min_element(c.stage_layers.begin(), c.stage_layers.end()) > 0;
  if (std::ssize(c.stage_layers) != parts || sum != model.num_layers || !positive) {
    fail_input("parallel.stage_layers is [{}]: give {} numbers from 1 that make {} blocks together",
               fmt::join(c.stage_layers, ", "), parts, model.num_layers);
  }
  std::vector<StageRange> stages;
  std::int64_t first = 0;
  for (const std::int64_t layers : c.stage_layers) {
    stages.push_back({first, first + layers});
    first += layers;
  }
  return stages;
}

}  // namespace

RankLayout choose_layout(const ParallelConfig& c, int ranks) {
  check_at_least("pp", c.pp, 1);
  check_at_least("dp", c.dp, 0);
  check_at_least("tp", c.tp, 1);
  const std::int64_t fixed = c.pp * c.tp;
  if (c.dp == 0 && ranks % fixed != 0) {
    fail_input("parallel.pp ({}) times parallel.tp ({}) does not divide the {} ranks", c.pp, c.tp,
               ranks);
  }
  const std::int64_t dp = c.dp == 0 ? ranks / fixed : c.dp;
  if (fixed * dp != ranks) {
    fail_input(
        "parallel: pp ({}) × dp ({}) × tp ({}) is {}, and there are {} ranks: launch as many, or "
        "set parallel.dp=0",
        c.pp, dp, c.tp, fixed * dp, ranks);
  }
  return {static_cast<int>(c.pp), static_cast<int>(dp), static_cast<int>(c.tp)};
}

std::string RankLayout::name_of(int rank) const {
  const RankPlace place = place_of(rank);
  return fmt::format("rank {} (pp {}, dp {}, tp {})", rank, place.pp, place.dp, place.tp);
}

std::vector<std::string> RankLayout::names() const {
  std::vector<std::string> names;
  for (int rank = 0; rank < world(); ++rank) names.push_back(name_of(rank));
  return names;
}

ParallelPlan resolve(const ParallelConfig& c, int ranks, const ModelConfig& model,
                     const ParallelFacts& facts) {
  ParallelPlan plan;
  plan.layout = choose_layout(c, ranks);
  check_tensor_parallel(c, model, facts);
  check_data_parallel(plan.layout, facts);
  check_pipeline(c, plan.layout, facts);
  plan.sequence_parallel = c.sequence_parallel && plan.layout.tp > 1;
  plan.sequence_pieces = plan.sequence_parallel ? c.sequence_pieces : 1;
  plan.zero = c.zero && plan.layout.dp > 1;
  plan.overlap = c.overlap;
  // On one stage no schedule but this one keeps a single micro-batch in flight.
  plan.schedule = plan.layout.pp > 1 ? c.schedule : PipelineSchedule::one_f_one_b;
  plan.virtual_stages = static_cast<int>(c.virtual_stages);
  plan.stages = choose_stages(c, model, facts.sequence_length);
  return plan;
}

ParallelPlan one_rank_plan(const ModelConfig& model) {
  ParallelPlan plan;
  plan.stages = {whole_model(model)};
  return plan;
}

std::vector<StageRange> balance_stages(std::int64_t num_layers, std::int64_t parts,
                                       double head_cost) {
  require(parts >= 1 && num_layers >= parts, "{} blocks for {} parts", num_layers, parts);
  std::vector<std::int64_t> layers(static_cast<std::size_t>(parts), 1);
  const auto cost = [&](std::size_t part) {
    return static_cast<double>(layers[part]) + (part + 1 == layers.size() ? head_cost : 0.0);
  };
  for (std::int64_t left = num_layers - parts; left > 0; --left) {
    std::size_t cheapest = layers.size() - 1;
    for (std::size_t part = layers.size(); part-- > 0;) {
      if (cost(part) < cost(cheapest)) cheapest = part;
    }
    ++layers[cheapest];
  }
  std::vector<StageRange> stages;
  std::int64_t first = 0;
  for (const std::int64_t count : layers) {
    stages.push_back({first, first + count});
    first += count;
  }
  return stages;
}

}  // namespace fathom
