// What became of documents: by language and reason, with samples.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/clean/personal.h"
#include "data/clean/score_histogram.h"
#include "text/document.h"

namespace fathom::clean {

inline constexpr std::string_view kept_reason = "kept";

struct Tally {
  std::int64_t documents = 0, bytes = 0;
};

struct Sample {
  std::uint64_t rank = 0;  // a hash of the place: the smallest are the samples
  std::string document;    // "file:line"
  double measure = 0;      // of the rule that is the reason
  std::string text;        // its beginning
};

class Counts {
 public:
  using Key = std::pair<std::string, std::string>;  // language, reason

  explicit Counts(std::int64_t max_samples = 0) : max_samples_(max_samples) {}

  // `sample` gives the text that a sample shows, when the document becomes one.
  void add(const std::string& language, const std::string& reason, const Document& document,
           double measure, const std::function<std::string()>& sample);
  void add(const Counts& later);
  // Web pages without a text become documents of their own reasons, in the language "-".
  void add_read(const DocumentCounts& counts);
  void add_edits(std::int64_t changed, std::int64_t lines) {
    changed_documents += changed;
    dropped_lines += lines;
  }
  void add_masked(const MaskedCounts& counts) {
    for (std::size_t i = 0; i < masked.size(); ++i) masked[i] += counts[i];
  }

  std::map<Key, Tally> tallies;
  std::map<std::string, std::vector<Sample>> samples;  // by reason, by rank
  DocumentCounts read;  // left out or repaired while reading; without the refused pages
  std::map<std::string, std::int64_t> cut_passages;  // of benchmarks, by task
  std::int64_t changed_documents = 0;                // by normalising or dropping lines
  std::int64_t dropped_lines = 0;
  std::int64_t repairs = 0;  // of mojibake
  MaskedCounts masked{};
  std::map<std::string, ScoreHistogram> scores;  // by name, of the documents that have one

  std::string to_json(const std::string& stamp) const;
  // Throws an input Error that names the file.
  static Counts load(const std::string& path, std::int64_t max_samples);

 private:
  void add_sample(const std::string& reason, Sample sample);

  std::int64_t max_samples_;  // of a reason
};

}  // namespace fathom::clean
