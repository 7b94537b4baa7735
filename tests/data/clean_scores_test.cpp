// Scores of classifiers, bounds, and buckets, in `data clean`.
#include <gmock/gmock.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "data/clean/counts.h"
#include "data/clean/keep_share.h"
#include "data/clean/scores.h"
#include "data/scored_world.h"

namespace fathom::clean {
namespace {

namespace fs = std::filesystem;
using test::input_error_of;
using test::is_wanted;
using test::LengthScorer;
using test::quality_config;
using test::read_file;
using test::reasons_of;
using test::ScoredWorld;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

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

TEST(CleanScores, FirstClassifierThatDropsIsTheReason) {
  ScoredWorld world;
  ClassifierConfig second = world.config.classifiers[0];
  second.name = "edu";
  world.config.classifiers.push_back(second);
  second.name = "last";
  second.min.reset();
  second.max = 0.5;
  world.config.classifiers.push_back(second);
  const CleanReport report = clean_data(world.config);
  EXPECT_THAT(reasons_of(report),
              ElementsAre(testing::Pair("last", 30), testing::Pair("quality", 30)));
  for (const auto& row : world.rows("dropped/web-00000.jsonl.zst")) {
    EXPECT_EQ(row.at("edu"), row.at("quality"));
    EXPECT_EQ(row.at("last"), row.at("quality"));
  }
}

// What a filter drops is not scored.
TEST(CleanScores, FiltersComeFirst) {
  ScoredWorld world;
  world.config.filters[0].min = 10000;
  const CleanReport report = clean_data(world.config);
  EXPECT_THAT(reasons_of(report), ElementsAre(testing::Pair("characters", 60)));
  EXPECT_TRUE(report.sources[0].second.scores.empty());
}

TEST(CleanScores, BoundsThatKeepAShare) {
  const std::vector<double> scores = {0.1, 0.9, 0.4, 0.4, 0.7};
  EXPECT_EQ(bound_of(scores, 0.01), 0.9);
  EXPECT_EQ(bound_of(scores, 0.2), 0.9);
  EXPECT_EQ(bound_of(scores, 0.21), 0.7);
  EXPECT_EQ(bound_of(scores, 0.6), 0.4);
  EXPECT_EQ(bound_of(scores, 0.8), 0.4);
  EXPECT_EQ(bound_of(scores, 1), 0.1);
  EXPECT_EQ(bound_of({}, 0.5), 0);
}

// A share that is a whole number of scores keeps so many, however its product is rounded.
TEST(CleanScores, SharesOfWholeNumbersKeepThatMany) {
  for (const int n : {1, 7, 10, 100, 1000}) {
    std::vector<double> scores;
    for (int i = 1; i <= n; ++i) scores.push_back(i);
    for (int kept = 1; kept <= n; ++kept) {
      EXPECT_EQ(bound_of(scores, static_cast<double>(kept) / n), n - kept + 1) << kept << "/" << n;
    }
  }
}

TEST(CleanScores, BoundsAreOfRoundedScores) {
  EXPECT_EQ(rounded_score(0.12345), 0.1235);
  EXPECT_EQ(rounded_score(0.12344), 0.1234);
  EXPECT_EQ(rounded_score(1), 1);
  EXPECT_TRUE(is_within(0.5, 0.5, 0.5));
  EXPECT_TRUE(is_within(0.5, {}, {}));
  EXPECT_FALSE(is_within(0.4999, 0.5, {}));
  EXPECT_FALSE(is_within(0.5001, {}, 0.5));
  EXPECT_TRUE(is_scored("zh-Hant", {"en", "zh"}));
  EXPECT_TRUE(is_scored("fr", {}));
  EXPECT_FALSE(is_scored("fr", {"en"}));
  EXPECT_FALSE(is_scored("zh-Hant", {"!zh"}));
  EXPECT_TRUE(is_scored("en", {"!zh"}));
}

TEST(CleanScores, BucketsHaveNamesOrNumbers) {
  EXPECT_THAT(bucket_names({"q", {0.5}, {}}), ElementsAre("0", "1", "unscored"));
  EXPECT_THAT(bucket_names({"q", {0.5}, {"low", "high"}}), ElementsAre("low", "high", "unscored"));
}

// The last value that each key may have, and the first that it may not.
TEST(CleanScores, KeysHaveBounds) {
  ScoredWorld world;
  const auto error_of = [&](auto change) {
    CleanConfig config = world.config;
    change(config);
    return input_error_of([&] { check_config(config); });
  };
  struct Bounds {
    std::string key;
    std::int64_t& (*value)(CleanConfig&);
    std::int64_t least, most;
  };
  using C = CleanConfig;
  const Bounds all[] = {
      {"samples", [](C& c) -> std::int64_t& { return c.samples; }, 0, 10000},
      {"part_mb", [](C& c) -> std::int64_t& { return c.part_mb; }, 1, 1 << 24},
      {"threads", [](C& c) -> std::int64_t& { return c.threads; }, 0, 4096},
      {"contamination.words", [](C& c) -> std::int64_t& { return c.contamination.words; }, 1, 1000},
      {"contamination.characters", [](C& c) -> std::int64_t& { return c.contamination.characters; },
       1, 1000},
      {"perplexity.max_tokens", [](C& c) -> std::int64_t& { return c.perplexity.max_tokens; }, 1,
       1 << 20}};
  for (const auto& [key, member, least, most] : all) {
    for (const std::int64_t value : {least - 1, least, most, most + 1}) {
      EXPECT_EQ(error_of([&, m = member](C& c) { m(c) = value; }),
                value >= least && value <= most
                    ? "no error"
                    : fmt::format("{}: {} is not in [{}, {}]", key, value, least, most));
    }
  }
  EXPECT_EQ(error_of([](C& c) { c.output.clear(); }),
            "output: missing; name the directory to make");
  EXPECT_EQ(error_of([](C& c) { c.sources.clear(); }),
            "sources: missing; add at least one [[sources]] table");
  EXPECT_EQ(error_of([](C& c) { c.classifiers[0].name = std::string(64, 'n'); }), "no error");
  for (const std::string& name :
       {std::string(65, 'n'), std::string("title"), std::string("source"), std::string("language"),
        std::string("reason"), std::string("bucket"), std::string("empty"), std::string("url"),
        std::string("date"), std::string("multiple_choice")}) {
    EXPECT_EQ(error_of([&](C& c) { c.classifiers[0].name = name; }),
              "classifiers: '" + name +
                  "' cannot be a score's name; use letters, digits, '-' and '_', and no name of a "
                  "rule or key of rows");
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(error_of([&](C& c) { c.classifiers[0].max = nan; }),
            "classifiers: 'quality': a bound is not a number");
  EXPECT_EQ(error_of([](C& c) { c.classifiers[0].max = 0.5; }), "no error");
  EXPECT_EQ(error_of([](C& c) {
              c.perplexity.model = "m";
              c.perplexity.min = 2, c.perplexity.max = 1;
            }),
            "perplexity: min 2 is above max 1");
  EXPECT_EQ(error_of([](C& c) {
              c.classifiers[0].min.reset();
              c.classifiers[0].keep = 1;
            }),
            "no error");
  EXPECT_EQ(error_of([](C& c) {
              c.buckets.by = "quality";
              for (int i = 0; i < 100; ++i) c.buckets.edges.push_back(i);
            }),
            "no error");
}

TEST(CleanScores, KeepsTheBestShareOfAllSources) {
  ScoredWorld world;
  world.config.classifiers[0].min.reset();
  world.config.classifiers[0].keep = 0.25;
  world.config.sources.push_back(world.config.sources[0]);
  world.config.sources[1].name = "more";
  world.config.sources[0].paths.pop_back();
  world.config.sources[1].paths.erase(world.config.sources[1].paths.begin());
  const CleanReport report = clean_data(world.config);
  double lowest = 1, highest = 0;
  std::size_t kept = 0, at_bound = 0;
  std::vector<nlohmann::json> all;
  for (const char* name : {"web-00000", "more-00000"}) {
    for (const auto& row : world.rows(fmt::format("texts/{}.jsonl.zst", name))) {
      lowest = std::min(lowest, row.at("quality").get<double>());
      all.push_back(row);
    }
    for (const auto& row : world.rows(fmt::format("dropped/{}.jsonl.zst", name))) {
      highest = std::max(highest, row.at("quality").get<double>());
    }
  }
  kept = all.size();
  for (const auto& row : all) at_bound += row.at("quality").get<double>() == lowest;
  EXPECT_LT(highest, lowest);
  EXPECT_GE(kept, 15u);
  EXPECT_LT(kept - at_bound, 15u);
  EXPECT_EQ(summary(try_out(world.config, 1000)), summary(report));
  // The bound by itself goes on with the same output; another share does not.
  CleanConfig same = world.config;
  same.classifiers[0].keep.reset();
  same.classifiers[0].min = lowest;
  clean_data(same);
  world.config.classifiers[0].keep = 0.9;
  EXPECT_THAT(input_error_of([&] { clean_data(world.config); }),
              HasSubstr("cleaned with another config"));
}

// A dry run reads no more documents than it was asked for.
TEST(CleanScores, DryRunDrawsFromItsOwnDocuments) {
  ScoredWorld world;
  world.config.classifiers[0].min.reset();
  world.config.classifiers[0].keep = 1;
  test::write_file(world.config.sources[0].paths[1], "{\"text\": 1}\n");
  const CleanReport report = try_out(world.config, 20);
  EXPECT_EQ(reasons_of(report).at("kept"), 20);
  EXPECT_THAT(input_error_of([&] { clean_data(world.config); }), HasSubstr("web-1.jsonl:1"));
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
  EXPECT_THAT(error_of([](C& c) { c.sources[0].field = "quality"; }),
              HasSubstr("'quality' is the field of source 'web'"));
  const auto keep_best = [](C& c) {
    c.classifiers[0].min.reset();
    c.classifiers[0].keep = 0.01;
  };
  EXPECT_THAT(error_of([&](C& c) {
                keep_best(c);
                c.classifiers[0].languages = {"fr"};
              }),
              HasSubstr("keep has nothing to measure"));
  EXPECT_THAT(error_of([&](C& c) {
                keep_best(c);
                c.classifiers[0].max = 0.1;
              }),
              HasSubstr("above max 0.1"));
  // Before bounds are measured.
  EXPECT_THAT(error_of([&](C& c) {
                keep_best(c);
                c.classifiers[0].languages = {"fr"};
                c.output = world.dir.path();
              }),
              HasSubstr("output"));
  EXPECT_THAT(error_of([](C& c) { c.classifiers[0].max = 0.2; }),
              HasSubstr("classifiers: 'quality': min 0.5 is above max 0.2"));
  EXPECT_THAT(error_of([](C& c) { c.classifiers[0].keep = 0.5; }), HasSubstr("both min and keep"));
  for (const double keep : {0.0, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(error_of([&](C& c) {
                  c.classifiers[0].min.reset();
                  c.classifiers[0].keep = keep;
                }),
                HasSubstr("is not in (0, 1]"));
  }
  EXPECT_THAT(error_of([](C& c) {
                c.classifiers[0].languages = {"en", "!zh"};
              }),
              HasSubstr("classifiers: 'quality': languages names some with '!'"));
  for (const char* name : {"", "!"}) {
    EXPECT_THAT(error_of([&](C& c) { c.perplexity.languages = {name}; }),
                HasSubstr("perplexity: languages has an empty name"));
  }
  EXPECT_THAT(error_of([](C& c) {
                c.buckets.by = "quality";
                for (int i = 0; i <= 100; ++i) c.buckets.edges.push_back(i);
              }),
              HasSubstr("buckets.edges: 101 given"));
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

// As files of an earlier call hold them, from which the next one goes on.
TEST(Counts, HaveTheirOwnKeysInTheirFile) {
  const std::string text =
      R"({"version":1,"config":"stamp","counts":[{"language":"en","reason":"kept","documents":1,)"
      R"("bytes":2}],"cut_passages":{"gsm8k":3},"changed_documents":4,"dropped_lines":5,"repairs":6,)"
      R"("masked":{"email":7,"ip_address":8,"phone":9,"id_number":10},"read":{"broken_lines":11,)"
      R"("first_broken":"a:1","empty_documents":12,"repaired_documents":13,"replaced_bytes":14,)"
      R"("first_repaired":"b:2","pages":15},"scores":[{"score":"quality","hundredths":16,)"
      R"("documents":17}],"samples":[{"reason":"kept","document":"c:3","rank":18,"measure":0.5,)"
      R"("text":"d"}]})";
  const TempDir dir;
  test::write_file(dir / "counts.json", text);
  const Counts counts = Counts::load(dir / "counts.json", 1);
  EXPECT_EQ(counts.tallies.at({"en", "kept"}).documents, 1);
  EXPECT_EQ(counts.tallies.at({"en", "kept"}).bytes, 2);
  EXPECT_EQ(counts.cut_passages.at("gsm8k"), 3);
  EXPECT_EQ(counts.changed_documents, 4);
  EXPECT_EQ(counts.dropped_lines, 5);
  EXPECT_EQ(counts.repairs, 6);
  EXPECT_EQ(counts.masked, (MaskedCounts{7, 8, 9, 10}));
  EXPECT_EQ(counts.read.broken_lines, 11);
  EXPECT_EQ(counts.read.first_broken, "a:1");
  EXPECT_EQ(counts.read.empty_documents, 12);
  EXPECT_EQ(counts.read.repaired_documents, 13);
  EXPECT_EQ(counts.read.replaced_bytes, 14);
  EXPECT_EQ(counts.read.first_repaired, "b:2");
  EXPECT_EQ(counts.read.pages, 15);
  EXPECT_EQ(counts.scores.at("quality").documents.at(16), 17);
  const Sample& sample = counts.samples.at("kept").at(0);
  EXPECT_EQ(sample.document, "c:3");
  EXPECT_EQ(sample.rank, 18u);
  EXPECT_EQ(sample.measure, 0.5);
  EXPECT_EQ(sample.text, "d");
  EXPECT_EQ(nlohmann::ordered_json::parse(counts.to_json("stamp")).dump(), text);
}

// Every count of one is in the sum of both.
TEST(Counts, AddUp) {
  const auto counts_of = [](std::int64_t n) {
    Counts counts(2);
    counts.tallies[{"en", "kept"}] = {n, 10 * n};
    counts.cut_passages["gsm8k"] = 2 * n;
    counts.add_edits(3 * n, 4 * n);
    counts.repairs = 5 * n;
    counts.add_masked({6 * n, 7 * n, 8 * n, 9 * n});
    counts.read.pages = 11 * n;
    counts.read.empty_documents = 12 * n;
    counts.scores["q"].documents[50] = 13 * n;
    return counts;
  };
  Counts sum = counts_of(1);
  sum.add(counts_of(100));
  EXPECT_EQ(sum.to_json(""), counts_of(101).to_json(""));
  Counts other;
  other.tallies[{"zh", "kept"}] = {1, 2};
  sum.add(other);
  EXPECT_EQ(sum.tallies.size(), 2u);
}

// A sample is a thousand bytes of a text, and no part of a character.
TEST(Counts, SamplesAreBeginnings) {
  Counts counts(1), none(0);
  for (const auto& [text, shown] : {std::pair(std::string(1000, 'x'), std::size_t{1000}),
                                    {std::string(1001, 'x'), std::size_t{1000}},
                                    {std::string(999, 'x') + "é", std::size_t{999}},
                                    {std::string(998, 'x') + "é", std::size_t{1000}}}) {
    Counts one(1);
    one.add("en", "words", {"t", "a:1", ""}, 0.5, [&, t = text] { return t; });
    ASSERT_EQ(one.samples.at("words").size(), 1u);
    EXPECT_EQ(one.samples.at("words")[0].text, text.substr(0, shown));
    EXPECT_EQ(one.samples.at("words")[0].measure, 0.5);
  }
  none.add("en", "words", {"text", "a:1", ""}, 0, [] { return "t"; });
  EXPECT_TRUE(none.samples.empty());
  EXPECT_EQ(none.tallies.at({"en", "words"}).documents, 1);
  EXPECT_EQ(none.tallies.at({"en", "words"}).bytes, 4);
}

// Kept ones first, then the most frequent reasons; of equally frequent ones by language and name.
TEST(CleanSummary, HasARowForEachReason) {
  CleanReport report;
  Counts counts(2);
  counts.tallies = {{{"en", "kept"}, {2, 100}},
                    {{"en", "words"}, {5, 250}},
                    {{"zh", "kept"}, {1, 50}},
                    {{"zh", "digits"}, {1, 50}},
                    {{"zh", "characters"}, {1, 50}}};
  counts.read.pages = 7;
  counts.read.empty_documents = 3;
  counts.cut_passages["gsm8k"] = 4;
  counts.add_edits(6, 8);
  counts.repairs = 2;
  counts.add_masked({1, 0, 2, 0});
  for (int i = 0; i < 10; ++i) counts.scores["q"].add(i / 10.0);
  counts.samples["words"] = {{1, "a:1", 49, "first\nsecond"}};
  report.sources.emplace_back("web", counts);
  EXPECT_EQ(
      summary(report),
      "source           language  reason                            documents        %            "
      "bytes        %\n"
      "web              en        kept                                      2    20.00             "
      " "
      "100    20.00\n"
      "web              zh        kept                                      1    10.00             "
      "  "
      "50    10.00\n"
      "web              en        words                                     5    50.00             "
      " "
      "250    50.00\n"
      "web              zh        characters                                1    10.00             "
      "  "
      "50    10.00\n"
      "web              zh        digits                                    1    10.00             "
      "  "
      "50    10.00\n"
      "web              all                                                10                      "
      " "
      "500\n"
      "web              7 web pages were read\n"
      "web              3 empty documents are left out\n"
      "web              4 passages of gsm8k were cut\n"
      "web              6 documents were changed, 8 lines dropped from them\n"
      "web              2 pieces of mojibake repaired\n"
      "web              email masked: 1\n"
      "web              phone masked: 2\n"
      "web              q of 10 documents: 10 % are below 0.01, 25 % below 0.21, 50 % below 0.41, "
      "75 % below 0.71, 90 % below 0.81\n");
  EXPECT_EQ(samples_text(report), "web words (49) a:1: first\n");
}

}  // namespace
}  // namespace fathom::clean
