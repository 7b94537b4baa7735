#include "data/clean/scores.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>
#include <set>

#include "core/error.h"
#include "data/clean/filters.h"

namespace fathom::clean {
namespace {

constexpr std::array all_score_rules = {
    ScoreRule{"classifier",
              "The probability of a label by a fastText model, 0 to 1: a table of [[classifiers]], "
              "whose name is the reason."},
    ScoreRule{bits_per_byte_name,
              "The sum of -log2 p of a document's first tokens under the language model of "
              "[perplexity], divided by the bytes of these tokens."},
};

constexpr std::string_view unscored = "unscored";

bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](unsigned char c) {
    return (c < 128 && std::isalnum(c)) || c == '-' || c == '_';
  });
}

void check_bounds(std::string_view table, std::optional<double> min, std::optional<double> max) {
  if (min && max && *min > *max) fail_input("{}: min {} is above max {}", table, *min, *max);
  if ((min && std::isnan(*min)) || (max && std::isnan(*max))) {
    fail_input("{}: a bound is not a number", table);
  }
}

// As filters name them: those that are meant, or by '!' those that are not.
void check_languages(std::string_view table, const std::vector<std::string>& languages) {
  const auto excepts = [](const std::string& name) { return name.starts_with('!'); };
  const auto excepted = std::ranges::count_if(languages, excepts);
  if (excepted != 0 && excepted != std::ssize(languages)) {
    fail_input("{}: languages names some with '!' and some without; give one kind", table);
  }
  for (const std::string& name : languages) {
    if (name.empty() || name == "!") fail_input("{}: languages has an empty name", table);
  }
}

void check_classifiers(const std::vector<ClassifierConfig>& classifiers) {
  static const std::set<std::string_view> taken = {
      "text", "title", "source", "language", "reason",          "bucket",
      "kept", "empty", "url",    "date",     bits_per_byte_name};
  std::set<std::string> names;
  for (const ClassifierConfig& c : classifiers) {
    if (!is_plain(c.name) || taken.contains(c.name) || find_rule(c.name)) {
      fail_input(
          "classifiers: '{}' cannot be a score's name; use letters, digits, '-' and '_', and no "
          "name of a rule or key of rows",
          c.name);
    }
    if (!names.insert(c.name).second) {
      fail_input("classifiers: two are called '{}'; give each its own name", c.name);
    }
    if (c.model.empty()) {
      fail_input("classifiers: '{}' has no model; `fathom data quality train` makes one", c.name);
    }
    check_bounds("classifiers: '" + c.name + "'", c.min, c.max);
    check_languages("classifiers: '" + c.name + "'", c.languages);
    if (c.keep && c.min) fail_input("classifiers: '{}' has both min and keep; give one", c.name);
    if (c.keep && !(*c.keep > 0 && *c.keep <= 1)) {
      fail_input("classifiers: '{}': keep {} is not in (0, 1]", c.name, *c.keep);
    }
  }
}

void check_buckets(const std::vector<ClassifierConfig>& classifiers,
                   const PerplexityConfig& perplexity, const BucketConfig& buckets) {
  if (buckets.by.empty()) {
    if (!buckets.edges.empty() || !buckets.names.empty()) {
      fail_input("buckets.by: missing; name the score whose edges these are");
    }
    return;
  }
  const bool known = buckets.by == bits_per_byte_name
                         ? !perplexity.model.empty()
                         : std::ranges::count(classifiers, buckets.by, &ClassifierConfig::name) > 0;
  if (!known) fail_input("buckets.by: no score '{}' is computed by this config", buckets.by);
  // Each bucket of a part is an open file.
  constexpr std::size_t most_edges = 100;
  if (buckets.edges.size() > most_edges) {
    fail_input("buckets.edges: {} given; use at most {}", buckets.edges.size(), most_edges);
  }
  // A comparison with what is not a number is false.
  const auto rises = [](double a, double b) { return a < b; };
  if (buckets.edges.empty() || !std::isfinite(buckets.edges.front()) ||
      std::ranges::adjacent_find(buckets.edges, std::not_fn(rises)) != buckets.edges.end()) {
    fail_input("buckets.edges: give one score or more, each above the one before");
  }
  if (buckets.names.empty()) return;
  if (buckets.names.size() != buckets.edges.size() + 1) {
    fail_input("buckets.names: {} edges need {} names, not {}", buckets.edges.size(),
               buckets.edges.size() + 1, buckets.names.size());
  }
  std::set<std::string_view> names = {unscored};
  for (const std::string& name : buckets.names) {
    if (!is_plain(name) || !names.insert(name).second) {
      fail_input(
          "buckets.names: '{}' cannot be the name of a bucket; use letters, digits, '-' and '_', "
          "each name once, and not '{}'",
          name, unscored);
    }
  }
}

}  // namespace

std::span<const ScoreRule> score_rules() {
  return all_score_rules;
}

void check_scores(const std::vector<ClassifierConfig>& classifiers,
                  const PerplexityConfig& perplexity, const BucketConfig& buckets) {
  check_classifiers(classifiers);
  check_bounds("perplexity", perplexity.min, perplexity.max);
  check_languages("perplexity", perplexity.languages);
  if (perplexity.model.empty() && (perplexity.min || perplexity.max)) {
    fail_input(
        "perplexity.model: missing; name the language model whose bits per byte are bounded");
  }
  if (perplexity.max_tokens < 1 || perplexity.max_tokens > 1 << 20) {
    fail_input("perplexity.max_tokens: {} is not in [1, {}]", perplexity.max_tokens, 1 << 20);
  }
  check_buckets(classifiers, perplexity, buckets);
}

bool is_scored(std::string_view language, const std::vector<std::string>& languages) {
  Filter filter;
  filter.languages = languages;
  return filter.applies_to(language);
}

bool is_within(double score, std::optional<double> min, std::optional<double> max) {
  return (!min || score >= *min) && (!max || score <= *max);
}

double rounded_score(double value) {
  return std::round(value * 1e4) / 1e4;
}

std::vector<LoadedClassifier> load_classifiers(const std::vector<ClassifierConfig>& tables) {
  std::vector<LoadedClassifier> loaded;
  for (const ClassifierConfig& table : tables) {
    loaded.push_back({table, with_location("classifiers: '" + table.name + "'", [&] {
                        return quality::Classifier(table.model, table.label);
                      })});
  }
  return loaded;
}

std::string classify(std::string_view text, std::string_view language,
                     std::span<const LoadedClassifier> classifiers, std::vector<Score>& scores) {
  std::string reason;
  for (const LoadedClassifier& loaded : classifiers) {
    const ClassifierConfig& config = loaded.config;
    if (!is_scored(language, config.languages)) continue;
    const double score = rounded_score(loaded.classifier.score(text));
    scores.push_back({config.name, score});
    if (reason.empty() && !is_within(score, config.min, config.max)) reason = config.name;
  }
  return reason;
}

std::vector<std::string> bucket_names(const BucketConfig& config) {
  if (config.by.empty()) return {""};
  std::vector<std::string> names = config.names;
  for (std::size_t i = names.size(); i <= config.edges.size(); ++i) {
    names.push_back(std::to_string(i));
  }
  names.emplace_back(unscored);
  return names;
}

std::size_t bucket_of(std::span<const Score> scores, const BucketConfig& config) {
  if (config.by.empty()) return 0;
  const auto found = std::ranges::find(scores, config.by, &Score::name);
  if (found == scores.end()) return config.edges.size() + 1;
  const auto above = std::ranges::upper_bound(config.edges, found->value);
  return static_cast<std::size_t>(above - config.edges.begin());
}

}  // namespace fathom::clean
