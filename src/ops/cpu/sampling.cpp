#include "ops/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "core/parallel.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {
namespace {

constexpr float nothing = -std::numeric_limits<float>::infinity();

struct Candidate {
  std::int32_t token;
  float logit;
  std::uint64_t weight;  // see weight_unit
};

bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// ln Σ exp(logit), in double: a vocabulary has 10^5 terms.
double log_sum_exp(std::span<const float> logits) {
  float highest = nothing;
  for (const float x : logits) highest = std::max(highest, x);
  double sum = 0;
  for (const float x : logits) {
    if (x > nothing) sum += std::exp(double{x} - highest);  // NaN is skipped too
  }
  return highest + std::log(sum);
}

class RowDraw {
 public:
  RowDraw(std::span<float> logits, const DrawRow& row, std::span<LogitChange> changes)
      : logits_(logits), row_(row), changes_(changes) {}

  void report(double normalizer, std::int64_t wanted, float* log_probabilities,
              std::int32_t* tokens) const {
    std::vector<Candidate> order;
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      if (logits_[i] > nothing) order.push_back({static_cast<std::int32_t>(i), logits_[i], 0});
    }
    const std::int64_t count = std::min(wanted, std::ssize(order));
    std::partial_sort(order.begin(), order.begin() + count, order.end(), likelier);
    std::fill_n(tokens, wanted, -1);
    for (std::int64_t i = 0; i < count; ++i) {
      const Candidate& c = order[static_cast<std::size_t>(i)];
      tokens[i] = c.token;
      log_probabilities[i] = static_cast<float>(double{c.logit} - normalizer);
    }
  }

  std::int32_t draw() {
    for (LogitChange& change : changes_) {
      float& x = at(change.token);
      change.before = x;
      x = change.bias + (x < 0 ? x * change.penalty : x / change.penalty);
    }
    std::int32_t best = -1;
    float highest = nothing;
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      if (logits_[i] > highest) {
        highest = logits_[i];
        best = static_cast<std::int32_t>(i);
      }
    }
    if (best < 0 || std::isinf(highest)) return -1;
    if (row_.temperature == 0) return best;
    collect(highest);
    filter();
    std::uint64_t total = 0;
    for (const Candidate& c : candidates_) total += c.weight;
    // Rounding may take it to the total.
    const auto target =
        std::min(static_cast<std::uint64_t>(row_.uniform * static_cast<double>(total)), total - 1);
    std::uint64_t sum = 0;
    for (const Candidate& c : candidates_) {
      sum += c.weight;
      if (sum > target) return c.token;
    }
    return candidates_.back().token;
  }

  // The logit before its change.
  float original(std::int32_t token) const {
    for (const LogitChange& change : changes_) {
      if (change.token == token) return change.before;
    }
    return at(token);
  }

 private:
  float& at(std::int32_t token) const { return logits_[static_cast<std::size_t>(token)]; }

  // Differences are divided by the temperature, not logits, so that none overflows.
  void collect(float highest) {
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      if (!(logits_[i] > nothing)) continue;
      const double share = std::exp((double{logits_[i]} - highest) / row_.temperature);
      const auto weight = static_cast<std::uint64_t>(share * weight_unit);
      candidates_.push_back({static_cast<std::int32_t>(i), logits_[i], weight});
    }
  }

  void filter() {
    const auto k = static_cast<std::size_t>(row_.top_k);
    if (k > 0 && k < candidates_.size()) {
      std::nth_element(candidates_.begin(), candidates_.begin() + row_.top_k - 1, candidates_.end(),
                       likelier);
      candidates_.resize(k);
    }
    if (row_.top_p < 1) keep_top_p();
    const double least = double{row_.min_p} * weight_unit;
    std::erase_if(candidates_,
                  [&](const Candidate& c) { return static_cast<double>(c.weight) < least; });
    std::ranges::sort(candidates_, {}, &Candidate::token);
  }

  // Keeps a candidate if the likelier ones together have not reached p.
  void keep_top_p() {
    std::uint64_t total = 0;
    for (const Candidate& c : candidates_) total += c.weight;
    const double target = double{row_.top_p} * static_cast<double>(total);
    // All below this together weigh less than 1 − p, so that none of them is kept.
    const double negligible =
        (static_cast<double>(total) - target) / static_cast<double>(candidates_.size());
    std::erase_if(candidates_, [&](const Candidate& c) {
      return static_cast<double>(c.weight) < negligible;
    });
    std::sort(candidates_.begin(), candidates_.end(), likelier);
    std::uint64_t before = 0;
    std::size_t kept = 0;
    while (kept == 0 || (kept < candidates_.size() && static_cast<double>(before) < target)) {
      before += candidates_[kept++].weight;
    }
    candidates_.resize(kept);
  }

  std::span<float> logits_;
  const DrawRow& row_;
  std::span<LogitChange> changes_;
  std::vector<Candidate> candidates_;
};

void draw_row(std::span<float> logits, std::span<const std::int32_t> masked, const DrawRow& row,
              std::span<LogitChange> changes, std::int32_t& token, float* log_probabilities,
              std::int32_t* likeliest) {
  const double normalizer = row.report >= 0 ? log_sum_exp(logits) : 0;
  const float given = row.given >= 0 ? logits[static_cast<std::size_t>(row.given)] : 0;
  for (const std::int32_t id : masked) logits[static_cast<std::size_t>(id)] = nothing;
  RowDraw draw(logits, row, changes);
  if (row.report > 0) draw.report(normalizer, row.report, log_probabilities + 1, likeliest);
  token = row.given >= 0 ? row.given : draw.draw();
  if (row.report < 0 || token < 0) return;
  const double logit = row.given >= 0 ? given : draw.original(token);
  log_probabilities[0] = static_cast<float>(logit - normalizer);
}

template <class T>
std::span<T> span_of(const Tensor& tensor) {
  return {static_cast<T*>(tensor.data), static_cast<std::size_t>(tensor.bytes()) / sizeof(T)};
}

}  // namespace

void draw_tokens(Context&, Tensor logits, Tensor masked, Tensor rows, Tensor changes,
                 const DrawnTokens& drawn) {
  const auto vocabulary = static_cast<std::size_t>(logits.cols());
  const auto options = span_of<const DrawRow>(rows);
  const auto all_changes = span_of<LogitChange>(changes);
  const std::int64_t most = drawn.likeliest.cols();
  parallel_for(logits.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const DrawRow& row = options[static_cast<std::size_t>(i)];
      const auto first = static_cast<std::size_t>(row.change_begin);
      draw_row({logits.as<float>() + i * logits.row_stride, vocabulary},
               span_of<const std::int32_t>(masked), row,
               all_changes.subspan(first, static_cast<std::size_t>(row.change_end) - first),
               drawn.tokens.as<std::int32_t>()[i],
               drawn.log_probabilities.as<float>() + i * (1 + most),
               drawn.likeliest.as<std::int32_t>() + i * most);
    }
  });
}

}  // namespace fathom::ops::cpu
