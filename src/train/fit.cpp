#include "train/fit.h"

#include <algorithm>
#include <vector>

#include "train/machine.h"

namespace fathom {
namespace {

// Share of a step's time that a choice costs, from what was measured on large models: full
// recomputation repeats nearly all of the forward, a third of the work; selective rereads
// norms and SwiGLU's input; a smaller micro-batch makes smaller products, and reads and
// writes the f32 gradients once more for each.
double estimated_cost(const Fit& fit, std::int64_t sequence_length) {
  const double tokens = static_cast<double>(fit.micro_batch * sequence_length);
  const double again = fit.recompute == Recompute::full        ? 0.3
                       : fit.recompute == Recompute::selective ? 0.015
                                                               : 0;
  return again + 200 / tokens;
}

std::vector<std::int64_t> micro_batches(const FitRequest& r) {
  if (r.micro_batch > 0) return {r.micro_batch};
  std::vector<std::int64_t> all{1};
  for (std::int64_t n = 2; n <= r.batch && n * r.sequence_length <= r.useful_tokens; ++n) {
    if (r.batch % n == 0) all.push_back(n);
  }
  return all;
}

std::vector<Recompute> policies(const FitRequest& r) {
  if (r.recompute) return {*r.recompute};
  return {Recompute::none, Recompute::selective, Recompute::full};
}

}  // namespace

Fit choose_fit(const FitRequest& request, std::size_t available,
               const std::function<std::size_t(const Fit&)>& bytes) {
  std::vector<Fit> choices;
  for (const Recompute recompute : policies(request)) {
    for (const std::int64_t n : micro_batches(request)) choices.push_back({n, recompute});
  }
  std::ranges::stable_sort(
      choices, {}, [&](const Fit& fit) { return estimated_cost(fit, request.sequence_length); });
  Fit least = choices.front();
  std::size_t least_bytes = ~std::size_t{0};
  for (const Fit& fit : choices) {
    const std::size_t wanted = bytes(fit);
    if (wanted <= available) return fit;
    if (wanted < least_bytes) {
      least = fit;
      least_bytes = wanted;
    }
  }
  return least;
}

TrainPlan resolve_to_fit(const TrainConfig& config, const DataFacts& data, int ranks,
                         std::size_t free_bytes) {
  TrainPlan plan = resolve(config, data, ranks);
  const LoopConfig& asked = config.train;
  const bool open = asked.micro_batch == 0 || asked.recompute == RecomputeChoice::automatic;
  if (!open || free_bytes == 0 || ranks > 1 || plan.device.type == DeviceType::cpu) return plan;

  FitRequest request;
  request.batch = asked.global_batch;
  request.sequence_length = asked.sequence_length;
  request.micro_batch = asked.micro_batch;
  request.recompute = policy_of(asked.recompute);
  const auto with = [&](const Fit& fit) {
    TrainConfig chosen = config;
    chosen.train.micro_batch = fit.micro_batch;
    chosen.train.recompute = choice_of(fit.recompute);
    return resolve(chosen, data, ranks);
  };
  return with(choose_fit(request, free_bytes, [&](const Fit& fit) {
    const TrainPlan choice = with(fit);
    return plan_memory(choice, OneRank(choice.config.model).groups).device_total();
  }));
}

}  // namespace fathom
