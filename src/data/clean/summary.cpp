// The report of `data clean` for people.
#include <fmt/format.h>

#include <algorithm>

#include "data/clean/clean.h"

namespace fathom::clean {
namespace {

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

Tally total(const Counts& counts) {
  Tally sum;
  for (const auto& [key, tally] : counts.tallies) {
    sum.documents += tally.documents;
    sum.bytes += tally.bytes;
  }
  return sum;
}

// The tallies of one source, kept ones first, then the most frequent reasons.
std::string rows(const std::string& source, const Counts& counts) {
  using Row = std::pair<Counts::Key, Tally>;
  std::vector<Row> sorted(counts.tallies.begin(), counts.tallies.end());
  std::ranges::stable_sort(sorted, [](const Row& a, const Row& b) {
    const bool first = a.first.second == kept_reason, second = b.first.second == kept_reason;
    return first != second ? first : a.second.documents > b.second.documents;
  });
  const Tally all = total(counts);
  std::string text;
  for (const auto& [key, tally] : sorted) {
    text += fmt::format("{:<16} {:<9} {:<30} {:>12} {:>8.2f} {:>16} {:>8.2f}\n", source, key.first,
                        key.second, tally.documents, percent(tally.documents, all.documents),
                        tally.bytes, percent(tally.bytes, all.bytes));
  }
  text += fmt::format("{:<16} {:<9} {:<30} {:>12} {:>8} {:>16}\n", source, "all", "", all.documents,
                      "", all.bytes);
  if (counts.read.pages > 0) {
    text += fmt::format("{:<16} {} web pages were read\n", source, counts.read.pages);
  }
  if (counts.read.empty_documents > 0) {
    text += fmt::format("{:<16} {} empty documents are left out\n", source,
                        counts.read.empty_documents);
  }
  for (const std::string& line : lines_about(counts.read)) {
    text += fmt::format("{:<16} {}\n", source, line);
  }
  for (const auto& [task, passages] : counts.cut_passages) {
    text += fmt::format("{:<16} {} passages of {} were cut\n", source, passages, task);
  }
  if (counts.changed_documents > 0) {
    text += fmt::format("{:<16} {} documents were changed, {} lines dropped from them\n", source,
                        counts.changed_documents, counts.dropped_lines);
  }
  if (counts.repairs > 0) {
    text += fmt::format(
        "{:<16} {} mojibake repaired\n", source,
        counts.repairs == 1 ? "1 piece of" : fmt::format("{} pieces of", counts.repairs));
  }
  const auto kinds = enum_names(PersonalKind{});
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (counts.masked[i] == 0) continue;
    text += fmt::format("{:<16} {} masked: {}\n", source, kinds[i], counts.masked[i]);
  }
  for (const auto& [name, histogram] : counts.scores) {
    text += fmt::format(
        "{:<16} {} of {} documents: 10 % are below {:.2f}, 25 % below {:.2f}, 50 % below {:.2f}, "
        "75 % below {:.2f}, 90 % below {:.2f}\n",
        source, name, histogram.total(), histogram.below(0.1), histogram.below(0.25),
        histogram.below(0.5), histogram.below(0.75), histogram.below(0.9));
  }
  return text;
}

}  // namespace

std::string summary(const CleanReport& report) {
  std::string text = fmt::format("{:<16} {:<9} {:<30} {:>12} {:>8} {:>16} {:>8}\n", "source",
                                 "language", "reason", "documents", "%", "bytes", "%");
  for (const auto& [name, counts] : report.sources) text += rows(name, counts);
  return text;
}

std::string samples_text(const CleanReport& report) {
  std::string text;
  for (const auto& [name, counts] : report.sources) {
    for (const auto& [reason, samples] : counts.samples) {
      for (const Sample& sample : samples) {
        std::string line = sample.text.substr(0, sample.text.find('\n'));
        text += fmt::format("{} {} ({:.4g}) {}: {}\n", name, reason, sample.measure,
                            sample.document, line);
      }
    }
  }
  return text;
}

}  // namespace fathom::clean
