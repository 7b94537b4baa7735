#include <gmock/gmock.h>

#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "data/clean/clean.h"
#include "data/clean/scores.h"
#include "data/quality_texts.h"
#include "io/checksum.h"
#include "io/line_reader.h"

namespace fathom::clean {
namespace {

namespace fs = std::filesystem;
using test::input_error_of;
using test::other_text;
using test::quality_class;
using test::quality_config;
using test::read_file;
using test::runtime_error_of;
using test::TempDir;
using test::wanted_text;
using testing::ElementsAre;
using testing::HasSubstr;

// Bits per byte that can be told from the text: its length in hundredths.
class LengthScorer : public TextScorer {
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
  CleanConfig config;

  ScoredWorld() {
    const quality::TrainConfig training = quality_config(dir);
    train_classifier(training);
    config.output = dir / "out";
    config.threads = 2;
    config.sources = {quality_class(dir, "web", 60, 2, [](int n) {
      return n / 2 % 2 == 0 ? wanted_text(300 + n) : other_text(300 + n);
    })};
    FilterConfig characters;
    characters.rule = "characters";
    characters.min = 5;
    config.filters = {characters};
    ClassifierConfig classifier;
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
    for (const auto& entry : fs::recursive_directory_iterator(config.output)) {
      const std::string name = fs::relative(entry.path(), config.output);
      if (entry.is_regular_file() && !name.starts_with(".")) all[name] = read_file(entry.path());
    }
    return all;
  }
};

bool is_wanted(const nlohmann::json& row) {
  const std::string text = row.at("text");
  return text.find("scholars") != std::string::npos || text.find("学者") != std::string::npos;
}

std::map<std::string, std::int64_t> reasons_of(const CleanReport& report) {
  std::map<std::string, std::int64_t> reasons;
  for (const auto& [key, tally] : report.sources.at(0).second.tallies) {
    reasons[key.second] += tally.documents;
  }
  return reasons;
}

TEST(CleanScores, ClassifierDropsWithItsNameAsTheReason) {
  ScoredWorld world;
  const CleanReport report = clean_data(world.config);
  EXPECT_THAT(reasons_of(report),
              ElementsAre(testing::Pair("kept", 30), testing::Pair("quality", 30)));
  std::set<std::string> languages;
  for (const auto& row : world.rows("texts/web-00000.jsonl.zst")) {
    EXPECT_TRUE(is_wanted(row)) << row;
    EXPECT_GE(row.at("quality").get<double>(), 0.5);
    EXPECT_FALSE(row.contains("bucket"));
    languages.insert(row.at("language").get<std::string>().substr(0, 2));
  }
  EXPECT_EQ(languages.count("en") + languages.count("zh"), 2u);
  for (const auto& row : world.rows("dropped/web-00000.jsonl.zst")) {
    EXPECT_FALSE(is_wanted(row)) << row;
    EXPECT_EQ(row.at("reason"), "quality");
    EXPECT_LT(row.at("quality").get<double>(), 0.5);
  }
  EXPECT_THAT(summary(report), HasSubstr("quality of 60 documents: 10 % are below 0."));
  EXPECT_EQ(summary(try_out(world.config, 100)), summary(report));
}

TEST(CleanScores, ClassifierIsForItsLanguages) {
  ScoredWorld world;
  world.config.classifiers[0].languages = {"zh"};
  world.config.classifiers[0].name = "edu";
  clean_data(world.config);
  int scored = 0, unscored = 0;
  for (const auto& row : world.rows("texts/web-00000.jsonl.zst")) {
    const bool chinese = row.at("language").get<std::string>().starts_with("zh");
    EXPECT_EQ(row.contains("edu"), chinese) << row;
    EXPECT_TRUE(!chinese || is_wanted(row)) << row;
    ++(chinese ? scored : unscored);
  }
  EXPECT_EQ(scored, 15);
  EXPECT_EQ(unscored, 30);
}

// What a filter drops is not scored.
TEST(CleanScores, FiltersComeFirst) {
  ScoredWorld world;
  world.config.filters[0].min = 10000;
  const CleanReport report = clean_data(world.config);
  EXPECT_THAT(reasons_of(report), ElementsAre(testing::Pair("characters", 60)));
  EXPECT_TRUE(report.sources[0].second.scores.empty());
}

TEST(CleanScores, BucketsAreFiles) {
  ScoredWorld world;
  world.config.classifiers[0].min.reset();
  world.config.classifiers[0].languages = {"en", "zh"};
  world.config.buckets = {"quality", {0.3, 0.9}, {"tail", "middle", "head"}};
  clean_data(world.config);
  std::size_t rows = 0;
  for (const auto& [name, low, high] :
       {std::tuple{"tail", 0.0, 0.3}, {"middle", 0.3, 0.9}, {"head", 0.9, 1.1}}) {
    for (const auto& row : world.rows(fmt::format("texts/web-00000.{}.jsonl.zst", name))) {
      EXPECT_EQ(row.at("bucket"), name);
      EXPECT_GE(row.at("quality").get<double>(), low);
      EXPECT_LT(row.at("quality").get<double>(), high);
      ++rows;
    }
  }
  rows += world.rows("texts/web-00000.unscored.jsonl.zst").size();
  EXPECT_EQ(rows, 60u);
  EXPECT_FALSE(fs::exists(world.config.output + "/texts/web-00000.jsonl.zst"));
  // A call that goes on finds its files; one without buckets refuses them.
  clean_data(world.config);
  world.config.buckets = {};
  EXPECT_THAT(input_error_of([&] { clean_data(world.config); }),
              HasSubstr("cleaned with another config"));
}

TEST(CleanScores, BucketsOfScores) {
  const BucketConfig buckets{"quality", {0.3, 0.9}, {}};
  const auto bucket = [&](double score) {
    const std::vector<Score> scores = {{"other", 0.95}, {"quality", score}};
    return bucket_names(buckets)[bucket_of(scores, buckets)];
  };
  EXPECT_EQ(bucket(0), "0");
  EXPECT_EQ(bucket(0.2999), "0");
  EXPECT_EQ(bucket(0.3), "1");
  EXPECT_EQ(bucket(0.9), "2");
  EXPECT_EQ(bucket(1), "2");
  EXPECT_EQ(bucket_names(buckets)[bucket_of({}, buckets)], "unscored");
  EXPECT_THAT(bucket_names({}), ElementsAre(""));
}

TEST(CleanScores, LanguageModelDropsOutsideItsBounds) {
  ScoredWorld world;
  world.config.classifiers.clear();
  world.config.perplexity.model = "model";
  world.config.perplexity.min = 0.8;
  world.config.perplexity.max = 0.85;
  LengthScorer scorer;
  const CleanReport report = clean_data(world.config, nullptr, &scorer);
  EXPECT_EQ(scorer.seen.size(), 60u);
  const auto reasons = reasons_of(report);
  EXPECT_EQ(reasons.at("kept") + reasons.at("bits_per_byte"), 60);
  EXPECT_GT(reasons.at("kept"), 0);
  for (const char* folder : {"texts", "dropped"}) {
    for (const auto& row : world.rows(std::string(folder) + "/web-00000.jsonl.zst")) {
      const double length = static_cast<double>(row.at("text").get<std::string>().size()) / 100;
      EXPECT_DOUBLE_EQ(row.at("bits_per_byte").get<double>(), length);
      EXPECT_EQ(length >= 0.8 && length <= 0.85, folder == std::string("texts"));
      if (folder == std::string("dropped")) {
        EXPECT_EQ(row.at("reason"), "bits_per_byte");
      }
    }
  }
  EXPECT_EQ(summary(try_out(world.config, 100, nullptr, &scorer)), summary(report));
}

// Only what all others keep costs a language model's time, and it reads text as it was written.
TEST(CleanScores, LanguageModelComesLastButForMasking) {
  ScoredWorld world;
  const std::string mail = "Write to the scholars of the academy at jane.doe@river.org today.";
  world.config.sources = {quality_class(world.dir, "web", 20, 1, [&](int n) {
    return n == 0 ? mail : n % 2 == 0 ? wanted_text(n) : other_text(n);
  })};
  world.config.classifiers[0].min = 0.5;
  world.config.classifiers[0].languages = {"zh"};
  world.config.personal.emails = true;
  world.config.perplexity.model = "model";
  world.config.perplexity.languages = {"en"};
  LengthScorer scorer;
  clean_data(world.config, nullptr, &scorer);
  EXPECT_EQ(scorer.seen.count(mail), 1u);
  for (const std::string& text : scorer.seen) EXPECT_LT(text[0], 0x7f) << text;
  const auto rows = world.rows("texts/web-00000.jsonl.zst");
  EXPECT_THAT(rows.at(0).at("text").get<std::string>(), HasSubstr("email@example.com"));
  for (const auto& row : rows) {
    const bool chinese = row.at("language").get<std::string>().starts_with("zh");
    EXPECT_EQ(row.contains("bits_per_byte"), !chinese) << row;
    EXPECT_EQ(row.contains("quality"), chinese) << row;
  }
}

TEST(CleanScores, OutputDependsNeitherOnThreadsNorOnAKill) {
  ScoredWorld world;
  world.config.part_mb = 1;
  const std::string& path = world.config.sources[0].paths[0];  // the first of two parts
  const std::string text = read_file(path);
  std::string all;
  while (all.size() < 1'050'000) all += text;
  test::write_file(path, all);
  world.config.perplexity.model = "model";
  world.config.perplexity.max = 0.8;
  world.config.buckets = {"bits_per_byte", {0.65}, {"head", "tail"}};
  LengthScorer scorer;
  world.config.threads = 1;
  clean_data(world.config, nullptr, &scorer);
  const auto expected = world.files();
  EXPECT_EQ(expected.size(), 11u);
  world.config.threads = 4;
  world.config.output = world.dir / "four";
  clean_data(world.config, nullptr, &scorer);
  EXPECT_TRUE(world.files() == expected);
  fs::remove(world.config.output + "/parts/web-00001.json");
  fs::remove(world.config.output + "/clean.json");
  test::write_file(world.config.output + "/texts/web-00001.head.jsonl.zst", "half");
  clean_data(world.config, nullptr, &scorer);
  EXPECT_TRUE(world.files() == expected);
}

TEST(CleanScores, RefusesToGoOnWithAnotherModel) {
  ScoredWorld world;
  world.config.perplexity.model = "model";
  LengthScorer scorer;
  clean_data(world.config, nullptr, &scorer);
  // The same models elsewhere.
  fs::copy(world.config.classifiers[0].model, world.dir / "moved.bin");
  world.config.classifiers[0].model = world.dir / "moved.bin";
  world.config.perplexity.model = "moved";
  clean_data(world.config, nullptr, &scorer);
  scorer.name = "other";
  EXPECT_THAT(input_error_of([&] { clean_data(world.config, nullptr, &scorer); }),
              HasSubstr("cleaned with another config"));
  scorer.name = "lengths";
  quality::TrainConfig other = quality_config(world.dir);
  other.seed = 5;
  train_classifier(other);
  world.config.classifiers[0].model = other.output;
  EXPECT_THAT(input_error_of([&] { clean_data(world.config, nullptr, &scorer); }),
              HasSubstr("cleaned with another config"));
}

// Outputs that are older than scores go on.
TEST(CleanScores, StampsWithoutScoresDoNotNameThem) {
  ScoredWorld world;
  world.config.classifiers.clear();
  clean_data(world.config);
  const std::string json = read_file(world.config.output + "/clean.json");
  for (const char* word : {"perplexity", "buckets", "classifiers", "scores"}) {
    EXPECT_EQ(json.find(word), std::string::npos) << word;
  }
}

TEST(CleanScores, FailsOnAModelThatGivesNoNumber) {
  ScoredWorld world;
  world.config.perplexity.model = "model";
  LengthScorer scorer;
  scorer.factor = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(runtime_error_of([&] { clean_data(world.config, nullptr, &scorer); }),
              HasSubstr("the language model gives nan bits per byte"));
}

TEST(CleanScores, NameWhatIsWrong) {
  ScoredWorld world;
  const CleanConfig good = world.config;
  const auto error_of = [&](auto change) {
    CleanConfig config = good;
    change(config);
    return input_error_of([&] { clean_data(config); });
  };
  using C = CleanConfig;
  EXPECT_THAT(error_of([](C& c) { c.classifiers[0].model = "none.bin"; }),
              HasSubstr("classifiers: 'quality': none.bin: "));
  EXPECT_THAT(error_of([](C& c) { c.classifiers[0].model.clear(); }),
              HasSubstr("classifiers: 'quality' has no model"));
  EXPECT_THAT(error_of([](C& c) { c.classifiers[0].label = "hq"; }),
              HasSubstr("has no label 'hq'; the model has '"));
  EXPECT_THAT(error_of([](C& c) { c.classifiers.push_back(c.classifiers[0]); }),
              HasSubstr("two are called 'quality'"));
  for (const char* name : {"", "a b", "text", "words", "bits_per_byte", "kept", "a\"b"}) {
    EXPECT_THAT(error_of([&](C& c) { c.classifiers[0].name = name; }),
                HasSubstr("cannot be a score's name"));
  }
  EXPECT_THAT(error_of([](C& c) { c.classifiers[0].max = 0.2; }),
              HasSubstr("classifiers: 'quality': min 0.5 is above max 0.2"));
  EXPECT_THAT(error_of([](C& c) { c.perplexity.max = 2; }), HasSubstr("perplexity.model: missing"));
  EXPECT_THAT(error_of([](C& c) { c.perplexity.max_tokens = 0; }),
              HasSubstr("perplexity.max_tokens: 0"));
  EXPECT_THAT(error_of([](C& c) { c.buckets.by = "bits_per_byte"; }),
              HasSubstr("no score 'bits_per_byte' is computed"));
  EXPECT_THAT(error_of([](C& c) { c.buckets.by = "edu"; }), HasSubstr("no score 'edu'"));
  EXPECT_THAT(error_of([](C& c) { c.buckets.edges = {1}; }), HasSubstr("buckets.by: missing"));
  for (const std::vector<double>& edges : std::vector<std::vector<double>>{
           {}, {0.5, 0.5}, {0.5, 0.4}, {std::numeric_limits<double>::quiet_NaN()}}) {
    EXPECT_THAT(error_of([&](C& c) {
                  c.buckets = {"quality", edges, {}};
                }),
                HasSubstr("buckets.edges: give one score or more"));
  }
  EXPECT_THAT(error_of([](C& c) {
                c.buckets = {"quality", {0.5}, {"a"}};
              }),
              HasSubstr("1 edges need 2 names, not 1"));
  for (const char* name : {"unscored", "b", "x/y", ""}) {
    EXPECT_THAT(error_of([&](C& c) {
                  c.buckets = {"quality", {0.5}, {"b", name}};
                }),
                HasSubstr("cannot be the name of a bucket"));
  }
}

TEST(CleanScores, HistogramsAddUp) {
  ScoreHistogram whole, even, odd;
  for (int i = 0; i < 100; ++i) {
    whole.add(i / 100.0);
    (i % 2 == 0 ? even : odd).add(i / 100.0);
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(whole.documents.at(i), 1) << i;
  even.add(odd);
  EXPECT_EQ(even.documents, whole.documents);
  EXPECT_EQ(whole.total(), 100);
  EXPECT_DOUBLE_EQ(whole.below(0.1), 0.1);
  EXPECT_DOUBLE_EQ(whole.below(0.5), 0.5);
  EXPECT_DOUBLE_EQ(whole.below(1), 1);
  EXPECT_DOUBLE_EQ(ScoreHistogram{}.below(0.5), 0);
  Counts counts, read;
  counts.scores["quality"] = whole;
  const TempDir dir;
  test::write_file(dir / "counts.json", counts.to_json("stamp"));
  read = Counts::load(dir / "counts.json", 0);
  EXPECT_EQ(read.scores.at("quality").documents, whole.documents);
}

}  // namespace
}  // namespace fathom::clean
