#include "learn/objective.h"

#include <algorithm>
#include <cstddef>

namespace fathom {

StepFigures figures_of(const StepTerms& terms, const RankGroups& ranks) {
  if (!terms.loss && terms.sums.empty() && !terms.counts) return {};
  const TokenCounts counts = terms.counts.value_or(TokenCounts{});
  std::vector<double> mine{terms.normaliser, terms.loss.value_or(0), counts.tokens, counts.padding,
                           counts.targets};
  const std::size_t first_sum = mine.size();
  for (const auto& [name, sum] : terms.sums) mine.push_back(sum);
  if (!ranks.tells_losses()) std::ranges::fill(mine, 0.0);
  const std::vector<std::byte> bytes = ranks.world().gather(std::as_bytes(std::span(mine)));
  std::vector<double> all(bytes.size() / sizeof(double)), sums(mine.size());
  std::ranges::copy(bytes, std::as_writable_bytes(std::span(all)).begin());
  for (std::size_t i = 0; i < all.size(); ++i) sums[i % sums.size()] += all[i];
  const auto mean = [&](std::size_t i) { return sums[0] > 0 ? sums[i] / sums[0] : 0.0; };
  StepFigures figures;
  if (terms.loss) figures.loss = mean(1);
  for (std::size_t i = 0; i < terms.sums.size(); ++i) {
    figures.values.emplace_back(terms.sums[i].first, mean(first_sum + i));
  }
  if (terms.counts) figures.counts = {sums[2], sums[3], sums[4]};
  return figures;
}

TokenCounts count_tokens(std::span<const Batch> batches) {
  TokenCounts counts;
  for (const Batch& batch : batches) {
    counts.tokens += static_cast<double>(batch.inputs.size());
    counts.padding += static_cast<double>(batch.num_padding);
    counts.targets += static_cast<double>(batch.num_targets);
  }
  return counts;
}

StepTerms NextTokenPrediction::prepare(std::span<Batch> batches) {
  StepTerms terms;
  for (const Batch& batch : batches) terms.normaliser += static_cast<double>(batch.num_targets);
  return terms;
}

}  // namespace fathom
