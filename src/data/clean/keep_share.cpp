#include "data/clean/keep_share.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "data/parts.h"
#include "io/checksum.h"

namespace fathom::clean {
namespace {

constexpr std::size_t sample_documents = 20000;

// Documents by the hashes of their places, the lowest ones.
class PlaceSample {
 public:
  void add(Document&& document) {
    const std::uint64_t rank = checksum_of(document.source);
    if (held_.size() == sample_documents && rank >= std::prev(held_.end())->first) return;
    document.metadata.clear();  // as large as the text
    held_.emplace(rank, std::move(document));
    if (held_.size() > sample_documents) held_.erase(std::prev(held_.end()));
  }
  std::vector<Document> take() {
    std::vector<Document> documents;
    for (auto& [rank, document] : held_) documents.push_back(std::move(document));
    return documents;
  }

 private:
  std::multimap<std::uint64_t, Document> held_;
};

void add_first(const TextSourceConfig& source, std::vector<std::string> files,
               std::int64_t documents, PlaceSample& sample) {
  const DocumentOptions options = document_options(source);
  DocumentReader reader(std::move(files), options);
  DocumentCounts not_counted;
  for (RawDocument raw; documents > 0 && reader.next(raw); raw = {}, --documents) {
    if (auto read = read_document(std::move(raw), options, not_counted)) {
      sample.add(std::move(*read));
    }
  }
}

std::vector<Document> drawn_documents(const CleanConfig& config, int threads,
                                      std::int64_t documents) {
  std::vector<std::vector<std::string>> files;
  std::uint64_t bytes = 0;
  for (const TextSourceConfig& source : config.sources) {
    files.emplace_back();
    for (const SourcePart& part : parts_of(source, config.part_mb)) {
      std::ranges::copy(part.paths(), std::back_inserter(files.back()));
      bytes += part.bytes();
    }
  }
  PlaceSample sample;
  Progress progress("drawing a sample", bytes, Progress::Unit::bytes);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const TextSourceConfig& source = config.sources[i];
    if (documents > 0) {
      add_first(source, files[i], documents, sample);
      continue;
    }
    for_each_chunk<DocumentChunk>(
        source, files[i], threads, progress, [](DocumentChunk&& chunk) { return std::move(chunk); },
        [&](DocumentChunk&& chunk) {
          for (Document& document : chunk.documents) sample.add(std::move(document));
        });
  }
  progress.finish();
  return sample.take();
}

// The scores by their names.
std::map<std::string, std::vector<double>> scores_of(const std::vector<Document>& documents,
                                                     const CleanConfig& config,
                                                     const Judges& judges, int threads) {
  std::map<std::string, std::vector<double>> scores;
  Progress progress("scoring the sample", documents.size());
  std::size_t next = 0;
  run_ordered<std::size_t, std::vector<Score>>(
      threads,
      [&](std::size_t& i) {
        i = next++;
        return i < documents.size();
      },
      [&](std::size_t&& i) {
        return judge_document(documents[i].text, config, judges.filters, judges.benchmarks,
                              judges.classifiers)
            .scores;
      },
      [&](std::vector<Score>&& found) {
        for (const Score& score : found) scores[score.name].push_back(score.value);
        progress.advance(1);
      });
  progress.finish();
  return scores;
}

}  // namespace

double bound_of(std::vector<double> scores, double keep) {
  if (scores.empty()) return 0;
  std::ranges::sort(scores, std::greater{});
  const auto kept =
      static_cast<std::int64_t>(std::ceil(keep * static_cast<double>(scores.size()) - 1e-9));
  return scores[static_cast<std::size_t>(std::clamp<std::int64_t>(kept, 1, std::ssize(scores)) -
                                         1)];
}

void set_bounds(CleanConfig& config, Judges& judges, int threads, std::int64_t documents) {
  if (std::ranges::none_of(config.classifiers, [](const auto& c) { return c.keep.has_value(); })) {
    return;
  }
  auto scores = scores_of(drawn_documents(config, threads, documents), config, judges, threads);
  for (std::size_t i = 0; i < config.classifiers.size(); ++i) {
    ClassifierConfig& classifier = config.classifiers[i];
    if (!classifier.keep) continue;
    const std::vector<double>& found = scores[classifier.name];
    if (found.empty()) {
      fail_input("classifiers: '{}': keep has nothing to measure, for no document of the sample "
                 "reaches it; give min",
                 classifier.name);
    }
    const double min = bound_of(found, *classifier.keep);
    if (classifier.max && min > *classifier.max) {
      fail_input("classifiers: '{}': keep = {} means min = {}, above max {}", classifier.name,
                 *classifier.keep, min, *classifier.max);
    }
    classifier.min = judges.classifiers[i].config.min = min;
    const auto kept = std::ranges::count_if(found, [&](double score) { return score >= min; });
    log::info("classifiers: '{}': min = {} keeps {:.4g} % of the {} documents scored in a sample",
              classifier.name, min,
              100 * static_cast<double>(kept) / static_cast<double>(found.size()), found.size());
  }
}

}  // namespace fathom::clean
