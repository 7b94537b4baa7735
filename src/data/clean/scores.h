// Scores that models give a document, the bounds that drop it by one, and the buckets that one
// sorts it into.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/quality/classifier.h"

namespace fathom::clean {

inline constexpr std::string_view bits_per_byte_name = "bits_per_byte";

// One [[classifiers]] table.
struct ClassifierConfig {
  std::string name = "quality";
  std::string model;
  std::string label;
  std::optional<double> min, max, keep;
  std::vector<std::string> languages;
};
template <class Visitor>
void visit_fields(ClassifierConfig& c, Visitor&& field) {
  field("name", c.name, "of the score: the key in rows, and the reason of what it drops");
  field("model", c.model, "a fastText model, as `fathom data quality train` makes");
  field("label", c.label, "whose probability is the score; empty: the model's wanted label");
  field("min", c.min, "a document is kept when its score is not below this");
  field("max", c.max, "and not above this");
  field("keep", c.keep,
        "in place of min: the share of the scored documents to keep, the best ones");
  field("languages", c.languages, "of the documents that are scored, or \"!en\": all but; empty: all");
}

// [perplexity]: CCNet (Wenzek et al., arXiv 1911.00359, section 3.4) with a transformer, and by
// bytes, so that models of other tokenizers compare.
struct PerplexityConfig {
  std::string model;
  std::string device = "cpu";
  std::int64_t max_tokens = 1024;
  std::optional<double> min, max;
  std::vector<std::string> languages;
};
template <class Visitor>
void visit_fields(PerplexityConfig& c, Visitor&& field) {
  field("model", c.model, "a language model as `fathom eval` takes; empty: none");
  field("device", c.device, "where it runs: cpu, cuda or cuda:N");
  field("max_tokens", c.max_tokens,
        "of a longer document so many tokens are scored, from its start");
  field("min", c.min, "a document is kept when its bits per byte are not below this");
  field("max", c.max, "and not above this");
  field("languages", c.languages, "of the documents that are scored, or \"!en\": all but; empty: all");
}

// [buckets]: texts of a part are written to a file for each interval of a score.
struct BucketConfig {
  std::string by;
  std::vector<double> edges;
  std::vector<std::string> names;
};
template <class Visitor>
void visit_fields(BucketConfig& c, Visitor&& field) {
  field("by", c.by, "the score: a classifier's name, or bits_per_byte; empty: no buckets");
  field("edges", c.edges, "ascending: a bucket ends below each, and the next begins at it");
  field("names", c.names, "one more than edges, from the lowest scores; empty: 0, 1, ...");
}

struct Score {
  std::string name;
  double value = 0;  // rounded to 4 decimals, as it is written
};

struct ScoreRule {
  std::string_view name, definition;
};
// What `fathom data clean --rules` says of scores.
std::span<const ScoreRule> score_rules();

// Throws an input Error that names the key.
void check_scores(const std::vector<ClassifierConfig>& classifiers,
                  const PerplexityConfig& perplexity, const BucketConfig& buckets);

// Whether a table is for documents of `language`; no languages: for all.
bool is_scored(std::string_view language, const std::vector<std::string>& languages);
bool is_within(double score, std::optional<double> min, std::optional<double> max);
double rounded_score(double value);

struct LoadedClassifier {
  ClassifierConfig config;
  quality::Classifier classifier;
};
// Throws the input Errors of quality::Classifier.
std::vector<LoadedClassifier> load_classifiers(const std::vector<ClassifierConfig>& tables);

// Appends the score of each classifier that is for the language. Returns the name of the first by
// which the document is to be dropped; empty: it is kept. Pure.
std::string classify(std::string_view text, std::string_view language,
                     std::span<const LoadedClassifier> classifiers, std::vector<Score>& scores);

// The names of buckets in the order of the scores; behind them "unscored", for documents without
// the score. One empty name when there are no buckets.
std::vector<std::string> bucket_names(const BucketConfig& config);
// The bucket of a document, an index of bucket_names().
std::size_t bucket_of(std::span<const Score> scores, const BucketConfig& config);

}  // namespace fathom::clean
