// Documents in both languages, a classifier that tells the wanted ones, and a scorer in the place
// of a language model, for the tests of scores.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "data/clean/clean.h"
#include "data/quality_texts.h"
#include "io/line_reader.h"

namespace fathom::test {

// Bits per byte that can be told from the text: its length in hundredths.
class LengthScorer : public clean::TextScorer {
 public:
  std::vector<double> bits_per_byte(std::span<const std::string_view> texts) override {
    std::vector<double> results;
    for (const std::string_view text : texts) {
      seen.emplace(text);
      results.push_back(factor * static_cast<double>(text.size()) / 100);
    }
    return results;
  }
  std::string identity() const override { return name; }

  std::set<std::string> seen;
  std::string name = "lengths";
  double factor = 1;
};

// Wanted and other documents in turn, under a model that tells them apart.
struct ScoredWorld {
  TempDir dir;
  clean::CleanConfig config;

  ScoredWorld() {
    const quality::TrainConfig training = quality_config(dir);
    train_classifier(training);
    config.output = dir / "out";
    config.threads = 2;
    config.sources = {quality_class(dir, "web", 60, 2, [](int n) {
      return n / 2 % 2 == 0 ? wanted_text(300 + n) : other_text(300 + n);
    })};
    clean::FilterConfig characters;
    characters.rule = "characters";
    characters.min = 5;
    config.filters = {characters};
    clean::ClassifierConfig classifier;
    classifier.model = training.output;
    classifier.min = 0.5;
    config.classifiers = {classifier};
    config.write_dropped = true;
  }

  std::vector<nlohmann::json> rows(const std::string& file) const {
    std::vector<nlohmann::json> out;
    std::istringstream in(read_text(config.output + "/" + file));
    for (std::string line; std::getline(in, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(config.output)) {
      const std::string name = std::filesystem::relative(entry.path(), config.output);
      if (entry.is_regular_file() && !name.starts_with(".")) all[name] = read_file(entry.path());
    }
    return all;
  }
};

inline bool is_wanted(const nlohmann::json& row) {
  const std::string text = row.at("text");
  return text.find("scholars") != std::string::npos || text.find("学者") != std::string::npos;
}

inline std::map<std::string, std::int64_t> reasons_of(const clean::CleanReport& report) {
  std::map<std::string, std::int64_t> reasons;
  for (const auto& [key, tally] : report.sources.at(0).second.tallies) {
    reasons[key.second] += tally.documents;
  }
  return reasons;
}

}  // namespace fathom::test
