#include "data/quality/accuracy.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom::quality {
namespace {

double share_of(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double auc_of(std::vector<Judged> documents, const Accuracy& counts) {
  if (counts.wanted == 0 || counts.others == 0) return 0.5;
  std::ranges::sort(documents, {}, &Judged::score);
  double won = 0;  // pairs in which the wanted document scores higher
  std::int64_t others_below = 0;
  for (auto run = documents.begin(); run != documents.end();) {
    const auto end = std::find_if(run, documents.end(),
                                  [&](const Judged& judged) { return judged.score > run->score; });
    const auto wanted = std::count_if(run, end, [](const Judged& judged) { return judged.wanted; });
    const std::int64_t others = (end - run) - wanted;
    won += static_cast<double>(wanted) *
           (static_cast<double>(others_below) + static_cast<double>(others) / 2);
    others_below += others;
    run = end;
  }
  return won / static_cast<double>(counts.wanted) / static_cast<double>(counts.others);
}

}  // namespace

Accuracy accuracy_of(std::span<const Judged> documents, std::span<const double> thresholds) {
  Accuracy result;
  for (const Judged& judged : documents) ++(judged.wanted ? result.wanted : result.others);
  result.auc = auc_of({documents.begin(), documents.end()}, result);
  for (const double threshold : thresholds) {
    std::int64_t wanted = 0, others = 0;
    for (const Judged& judged : documents) {
      if (judged.score >= threshold) ++(judged.wanted ? wanted : others);
    }
    result.thresholds.push_back({threshold, share_of(wanted, wanted + others),
                                 share_of(wanted, result.wanted), share_of(others, result.others)});
  }
  return result;
}

std::string table_of(const Accuracy& accuracy) {
  std::string text =
      fmt::format("{:>9} {:>9} {:>9} {:>11}\n", "min", "precision", "recall", "others kept");
  for (const KeptShare& kept : accuracy.thresholds) {
    text += fmt::format("{:>9.2f} {:>9.4f} {:>9.4f} {:>11.4f}\n", kept.threshold, kept.precision,
                        kept.recall, kept.others_kept);
  }
  return text;
}

}  // namespace fathom::quality
