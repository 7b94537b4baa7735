#include "align/pair_log_probs.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "core/progress.h"

namespace fathom {
namespace {

float log_prob_of(const AnswerTokens& answer, std::span<const float> losses) {
  const auto own = losses.subspan(static_cast<std::size_t>(answer.begin),
                                  static_cast<std::size_t>(answer.count()));
  return static_cast<float>(-std::accumulate(own.begin(), own.end(), 0.0));
}

// Every replica has the values of its own pairs, and zeros.
void add_replicas(std::vector<PairLogProbs>& values, Communicator& replicas) {
  static_assert(sizeof(PairLogProbs) == 2 * sizeof(float));
  Context context(cpu_device, 0);
  const PatientWaits patience(replicas);  // one may have had a micro-batch more
  replicas.all_reduce(context, Tensor(values.data(), DType::f32, {2 * std::ssize(values)}));
}

}  // namespace

PairLogProbs log_probs_of(const PlacedPair& pair, std::span<const float> losses) {
  return {log_prob_of(pair.chosen, losses), log_prob_of(pair.rejected, losses)};
}

std::vector<PairLogProbs> evaluate_pairs(const PairSource& source, const EvaluatePairs& options,
                                         const EvaluateBatch& evaluate, Communicator& replicas) {
  std::vector<PairLogProbs> values(static_cast<std::size_t>(source.pairs().size()));
  std::optional<Progress> progress;
  if (!options.label.empty()) progress.emplace(options.label, values.size());
  const std::int64_t rows = options.micro_batch, stride = rows * replicas.size();
  Batch batch;
  for (std::int64_t first = rows * replicas.rank(); first < source.rows(); first += stride) {
    replicas.throw_if_failed();
    source.fill(first, rows, batch);  // the last one goes on with the second epoch
    const std::span<const float> losses = evaluate(batch);
    for (const PlacedPair& pair : source.placed(first, std::min(rows, source.rows() - first))) {
      values[static_cast<std::size_t>(pair.pair)] = log_probs_of(pair, losses);
    }
    if (!progress) continue;
    progress->advance(source.placed(first, std::min(stride, source.rows() - first)).size());
  }
  add_replicas(values, replicas);
  if (progress) progress->finish();
  return values;
}

}  // namespace fathom
