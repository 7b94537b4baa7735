#include "scaling/layout_search.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "scaling/block_times.h"

namespace fathom::scaling {
namespace {

// Tokens of a micro-batch; more make nothing faster.
constexpr std::int64_t useful_tokens = 32768;
constexpr std::int64_t most_virtual_stages = 8;
// An estimate may be too long by this share of the exact time, for products are faster while ranks
// wait.
constexpr double estimate_slack = 0.08;

bool divides(std::int64_t a, std::int64_t b) {
  return b % a == 0;
}

std::vector<std::int64_t> micro_batches(const SearchRequest& r) {
  if (r.micro_batch > 0) return {r.micro_batch};
  std::vector<std::int64_t> all{1};
  for (std::int64_t n = 2; n <= 8 && n * r.run.sequence_length <= useful_tokens; n *= 2) {
    all.push_back(n);
  }
  return all;
}

std::vector<Recompute> policies(const SearchRequest& r) {
  if (r.recompute) return {*r.recompute};
  return {Recompute::none, Recompute::selective, Recompute::full};
}

bool tensor_parallel_divides(std::int64_t tp, const ModelConfig& model) {
  const bool key_heads = divides(tp, model.num_kv_heads) || divides(model.num_kv_heads, tp);
  return divides(tp, model.num_heads) && divides(tp, model.intermediate_size) && key_heads;
}

// The ways to share a sequence among `tp` ranks.
std::vector<ParallelConfig> sequence_choices(const ParallelConfig& axes, std::int64_t tokens) {
  std::vector<ParallelConfig> choices{axes};
  if (axes.tp == 1) return choices;
  for (const std::int64_t pieces : {1, 2, 4}) {
    if (!divides(axes.tp * pieces, tokens)) continue;
    choices.push_back(axes);
    choices.back().sequence_parallel = true;
    choices.back().sequence_pieces = pieces;
  }
  return choices;
}

std::vector<ParallelConfig> schedule_choices(const ParallelConfig& axes, std::int64_t num_layers,
                                             std::int64_t micro_batches) {
  std::vector<ParallelConfig> choices{axes};
  if (axes.pp == 1 || !divides(axes.pp, micro_batches)) return choices;
  for (std::int64_t v = 2; v <= std::min(num_layers / axes.pp, most_virtual_stages); ++v) {
    choices.push_back(axes);
    choices.back().schedule = PipelineSchedule::interleaved;
    choices.back().virtual_stages = v;
  }
  return choices;
}

// The layouts with these axes.
void add_layouts(const SearchRequest& request, const ParallelConfig& axes,
                 std::vector<LayoutOptions>& all) {
  const PlannedRun& run = request.run;
  for (const std::int64_t micro_batch : micro_batches(request)) {
    if (!divides(axes.dp * micro_batch, run.global_batch)) continue;
    const std::int64_t count = run.global_batch / axes.dp / micro_batch;
    for (const ParallelConfig& shared : sequence_choices(axes, micro_batch * run.sequence_length)) {
      for (const ParallelConfig& parallel : schedule_choices(shared, run.model.num_layers, count)) {
        for (const Recompute recompute : policies(request)) {
          all.push_back({parallel, micro_batch, recompute});
        }
      }
    }
  }
}

struct Candidate {
  LayoutOptions options;
  double estimate = 0;  // seconds of a step
};

std::vector<Candidate> by_estimate(const SearchRequest& request, const Cluster& cluster,
                                   const OperationTime& time) {
  BlockEstimates estimates(request.run, cluster, time);
  std::vector<Candidate> candidates;
  for (const LayoutOptions& options : possible_layouts(request, cluster)) {
    candidates.push_back({options, estimates.step_seconds(options)});
  }
  std::ranges::stable_sort(candidates, {}, &Candidate::estimate);
  return candidates;
}

// Weights, their gradients and the optimizer's state of an average rank, which the fullest exceeds.
double state_bytes(const PlannedRun& run, const ParallelConfig& p) {
  const auto parameters = static_cast<double>(count_parameters(run.model));
  const double here = parameters / static_cast<double>(p.pp * p.tp);
  return here * (2 + 4 + 10.0 / static_cast<double>(p.zero ? p.dp : 1));
}

double card_bytes(const Cluster& cluster) {
  return cluster.card().memory_gib * (std::int64_t{1} << 30);
}

void keep_best(std::vector<FoundLayout>& best, FoundLayout found, std::size_t wanted) {
  const auto seconds = [](const FoundLayout& f) { return f.time.seconds; };
  const auto after = std::ranges::upper_bound(best, found.time.seconds, {}, seconds);
  best.insert(after, std::move(found));
  if (best.size() > wanted) best.pop_back();
}

}  // namespace

std::vector<LayoutOptions> possible_layouts(const SearchRequest& request, const Cluster& cluster) {
  const ModelConfig& model = request.run.model;
  std::vector<LayoutOptions> all;
  for (std::int64_t tp = 1; tp <= cluster.gpus_per_node(); ++tp) {
    if (!divides(tp, cluster.gpus_per_node()) || !tensor_parallel_divides(tp, model)) continue;
    const std::int64_t rest = cluster.gpus() / tp;
    for (std::int64_t pp = 1; pp <= std::min(rest, model.num_layers); ++pp) {
      if (!divides(pp, rest)) continue;
      ParallelConfig axes;
      axes.tp = tp;
      axes.pp = pp;
      axes.dp = rest / pp;
      add_layouts(request, axes, all);
    }
  }
  return all;
}

bool fits(const RankMemory& memory, const Cluster& cluster) {
  return static_cast<double>(memory.table.device_total()) <= card_bytes(cluster);
}

FoundLayout look_at(const TrainPlan& plan, const Cluster& cluster, const OperationTime& time,
                    Picture picture) {
  RankMemory memory = fullest_rank(plan, cluster);
  const StageSteps steps(plan, cluster, time);
  return {plan, simulate_step(plan, steps, cluster, picture), std::move(memory)};
}

SearchResult search_layouts(const SearchRequest& request, const Cluster& cluster,
                            const std::function<void(std::size_t, std::size_t)>& progress) {
  const OperationTime time(cluster.card());
  const std::vector<Candidate> candidates = by_estimate(request, cluster, time);
  SearchResult result;
  result.possible = candidates.size();
  const auto note_too_large = [&](double bytes) {
    ++result.too_large;
    const auto whole = static_cast<std::size_t>(bytes);
    result.least_bytes = result.least_bytes == 0 ? whole : std::min(result.least_bytes, whole);
  };
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& [options, estimate] = candidates[i];
    const bool full = result.best.size() == request.wanted;
    if (full && estimate > result.best.back().time.seconds * (1 + estimate_slack)) break;
    if (progress) progress(i + 1, candidates.size());
    if (const double bytes = state_bytes(request.run, options.parallel);
        bytes > card_bytes(cluster)) {
      note_too_large(bytes);
      continue;
    }
    const TrainPlan plan = plan_layout(request.run, options, cluster.gpus());
    RankMemory memory = fullest_rank(plan, cluster);
    if (!fits(memory, cluster)) {
      note_too_large(static_cast<double>(memory.table.device_total()));
      continue;
    }
    ++result.simulated;
    const StageSteps steps(plan, cluster, time);
    keep_best(result.best, {plan, simulate_step(plan, steps, cluster), std::move(memory)},
              request.wanted);
  }
  return result;
}

}  // namespace fathom::scaling
