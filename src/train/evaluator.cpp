#include "train/evaluator.h"

#include <algorithm>
#include <cmath>

#include "train/metric_names.h"

namespace fathom {
namespace {

void add_figures(MetricsRecord& record, const std::string& loss_name, const std::string& bits_name,
                 double nats, const ShardCounts& counts) {
  record.add(loss_name, nats / static_cast<double>(counts.tokens));
  record.add(bits_name, nats / std::log(2.0) / static_cast<double>(counts.text_bytes));
}

}  // namespace

std::vector<double> Evaluator::own_sums(const EvaluateBatch& evaluate) const {
  const std::int64_t first = ranks_.place().dp, replicas = ranks_.plan().layout.dp;
  std::vector<double> nats(data_->sources.size());
  Batch batch;
  for (std::int64_t b = first; b < validation_.num_batches(); b += replicas) {
    validation_.fill(b, batch);
    const std::span<const float> losses = evaluate(batch);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const auto sequence = i / static_cast<std::size_t>(batch.sequence_length);
      const std::int32_t source = batch.sources[sequence];
      if (source >= 0) nats[static_cast<std::size_t>(source)] += double{losses[i]};
    }
  }
  return nats;
}

// All ranks of a replica have the same losses, so one of each replica counts.
std::vector<double> Evaluator::sums_of_all(const std::vector<double>& own) const {
  const std::vector<std::byte> bytes = ranks_.world().gather(std::as_bytes(std::span(own)));
  std::vector<double> all(bytes.size() / sizeof(double));
  std::ranges::copy(bytes, std::as_writable_bytes(std::span(all)).begin());
  const RankLayout& layout = ranks_.plan().layout;
  std::vector<double> sums(own.size());
  for (int replica = 0; replica < layout.dp; ++replica) {
    const auto rank = static_cast<std::size_t>(layout.rank_of({0, replica, 0}));
    for (std::size_t s = 0; s < sums.size(); ++s) sums[s] += all[rank * sums.size() + s];
  }
  return sums;
}

void Evaluator::run(const EvaluateBatch& evaluate, MetricsRecord& record) {
  const std::vector<double> nats = sums_of_all(own_sums(evaluate));
  double total = 0;
  for (std::size_t s = 0; s < nats.size(); ++s) {
    const ShardCounts& counts = validation_.counts(static_cast<int>(s));
    if (counts.tokens == 0) continue;
    const std::string& source = data_->sources[s].name;
    add_figures(record, metric::of_source(metric::validation_loss, source),
                metric::of_source(metric::bits_per_byte, source), nats[s], counts);
    total += nats[s];
  }
  add_figures(record, std::string(metric::validation_loss), std::string(metric::bits_per_byte),
              total, validation_.total());
}

}  // namespace fathom
