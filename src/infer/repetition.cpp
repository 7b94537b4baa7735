#include "infer/repetition.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace fathom::infer {
namespace {

// The Z function of the text read backwards: for each i how many tokens before the last i equal
// the text's last ones, [n].
std::vector<std::int64_t> matches_of_ends(std::span<const std::int32_t> tokens) {
  const std::int64_t n = std::ssize(tokens);
  const auto backwards = [&](std::int64_t i) {
    return tokens[static_cast<std::size_t>(n - 1 - i)];
  };
  std::vector<std::int64_t> matches(tokens.size(), n);
  // [left, right) is the match that reaches furthest.
  for (std::int64_t i = 1, left = 0, right = 0; i < n; ++i) {
    std::int64_t length =
        i < right ? std::min(right - i, matches[static_cast<std::size_t>(i - left)]) : 0;
    while (i + length < n && backwards(length) == backwards(i + length)) ++length;
    matches[static_cast<std::size_t>(i)] = length;
    if (i + length > right) {
      left = i;
      right = i + length;
    }
  }
  return matches;
}

}  // namespace

PeriodicTail periodic_tail(std::span<const std::int32_t> tokens) {
  const std::vector<std::int64_t> matches = matches_of_ends(tokens);
  for (std::int64_t period = 1; period * min_periods <= std::ssize(tokens); ++period) {
    const std::int64_t length = period + matches[static_cast<std::size_t>(period)];
    if (length >= min_periods * period) return {period, length};
  }
  return {};
}

bool repeats_without_end(const Answer& answer) {
  return !answer.ended && periodic_tail(answer.tokens).period > 0;
}

double repeated_ngrams(std::span<const std::int32_t> tokens, std::int64_t n) {
  require(n >= 1, "n-grams of {} tokens", n);
  const std::int64_t total = std::ssize(tokens) - n + 1;
  if (total < 1) return 0;
  std::vector<std::int64_t> begins(static_cast<std::size_t>(total));
  std::iota(begins.begin(), begins.end(), 0);
  const auto ngram = [&](std::int64_t begin) {
    return tokens.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n));
  };
  std::ranges::sort(begins, [&](std::int64_t a, std::int64_t b) {
    return std::ranges::lexicographical_compare(ngram(a), ngram(b));
  });
  const auto repeated = std::ranges::unique(begins, [&](std::int64_t a, std::int64_t b) {
    return std::ranges::equal(ngram(a), ngram(b));
  });
  return static_cast<double>(std::ssize(repeated)) / static_cast<double>(total);
}

RepetitionFigures repetition_of(std::span<const Answer> answers) {
  RepetitionFigures figures;
  if (answers.empty()) return figures;
  std::array<double, longest_ngram> long_enough{};
  for (const Answer& answer : answers) {
    figures.repeating += repeats_without_end(answer) ? 1 : 0;
    figures.ended += answer.ended ? 1 : 0;
    figures.mean_length += static_cast<double>(answer.tokens.size());
    for (std::size_t i = 0; i < longest_ngram && i < answer.tokens.size(); ++i) {
      figures.repeated_ngrams[i] +=
          repeated_ngrams(answer.tokens, static_cast<std::int64_t>(i) + 1);
      ++long_enough[i];
    }
  }
  const auto count = static_cast<double>(answers.size());
  figures.answers = std::ssize(answers);
  figures.repeating /= count;
  figures.ended /= count;
  figures.mean_length /= count;
  for (std::size_t i = 0; i < longest_ngram; ++i) {
    if (long_enough[i] > 0) figures.repeated_ngrams[i] /= long_enough[i];
  }
  return figures;
}

}  // namespace fathom::infer
