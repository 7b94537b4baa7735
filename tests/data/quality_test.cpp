// Training of quality classifiers.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <set>

#include "core/config.h"
#include "core/error.h"
#include "data/quality/classifier.h"
#include "data/quality/train.h"
#include "data/quality_texts.h"

namespace fathom::quality {
namespace {

namespace fs = std::filesystem;
using test::input_error_of;
using test::other_text;
using test::quality_class;
using test::quality_config;
using test::read_file;
using test::TempDir;
using test::wanted_text;
using test::write_file;
using testing::HasSubstr;

TEST(Quality, TellsWantedTextInBothLanguages) {
  const TempDir dir;
  const TrainConfig config = quality_config(dir);
  const TrainReport report = train_classifier(config);
  ASSERT_EQ(report.classes.size(), 2u);
  EXPECT_EQ(report.classes[0].label, "good");
  for (const TrainReport::Class& c : report.classes) {
    EXPECT_EQ(c.training + c.held_out, 80);
    EXPECT_GT(c.held_out, 5);
  }
  EXPECT_EQ(report.accuracy.wanted, report.classes[0].held_out);
  EXPECT_EQ(report.accuracy.others, report.classes[1].held_out);
  EXPECT_GT(report.accuracy.auc, 0.99);
  EXPECT_THAT(summary(report), HasSubstr("'good' on held-out documents: AUC"));
  const Classifier classifier(config.output);
  EXPECT_EQ(classifier.label(), "good");
  for (int n = 200; n < 210; ++n) {
    EXPECT_GT(classifier.score(wanted_text(n)), 0.5) << wanted_text(n);
    EXPECT_LT(classifier.score(other_text(n)), 0.5) << other_text(n);
  }
  // Case, width and blanks do not count, in scoring as in training.
  EXPECT_EQ(classifier.score("THE  RIVER\nＷＡＳ"), classifier.score("the river was"));
  EXPECT_LE(classifier.score(""), 1);
  // Nor does what cleaning takes out of a text, such as soft hyphens, in training.
  TrainConfig hyphenated = config;
  hyphenated.output = dir / "hyphenated.bin";
  hyphenated.classes[0] =
      quality_class(dir, "good", 80, 3, [](int n) { return "\u00ad" + wanted_text(n); });
  train_classifier(hyphenated);
  EXPECT_EQ(read_file(hyphenated.output), read_file(config.output));
  EXPECT_EQ(dir.count(), 8) << "files of the training are left";
}

TEST(Quality, ModelDependsOnNeitherThreadsNorOrder) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.threads = 1;
  train_classifier(config);
  const std::string expected = read_file(config.output);
  config.threads = 4;
  for (TextSourceConfig& c : config.classes) std::ranges::reverse(c.paths);
  train_classifier(config);
  EXPECT_TRUE(read_file(config.output) == expected);
  config.seed = 1;
  train_classifier(config);
  EXPECT_FALSE(read_file(config.output) == expected);
}

TEST(Quality, DocumentsOfTheSameWordsCountOnceAndAreOnTheSameSide) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.held_out_fraction = 0.5;
  config.classes = {quality_class(dir, "good", 60, 3, [](int n) { return wanted_text(n / 2); }),
                    quality_class(dir, "bad", 60, 2, [](int n) {
                      return " " + wanted_text(n % 30) + (n < 30 ? "" : "\n");
                    })};
  const TrainReport report = train_classifier(config);
  EXPECT_EQ(report.repeated, 60);
  EXPECT_EQ(report.classes[0].training + report.classes[0].held_out, 30);
  EXPECT_EQ(report.classes[0].held_out, report.classes[1].held_out);
  EXPECT_GT(report.classes[0].held_out, 0);
  EXPECT_THAT(summary(report), HasSubstr("60 documents repeat others of their class"));
}

TEST(Quality, DrawsSoManyDocumentsOfEachClass) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.documents = 32;
  const TrainReport report = train_classifier(config);
  for (const TrainReport::Class& c : report.classes) {
    EXPECT_EQ(c.training + c.held_out, 32);
    EXPECT_GT(c.held_out, 0);
    EXPECT_LT(c.held_out, 20) << "the draw and the held-out share go together";
  }
}

TEST(Quality, TellsThatNothingWasHeldOut) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.held_out_fraction = 0;
  const TrainReport report = train_classifier(config);
  EXPECT_EQ(report.classes[0].training, 80);
  EXPECT_THAT(summary(report), HasSubstr("nothing was measured"));
}

// Two documents have two orders, so that other models come of other first numbers.
TEST(Quality, SeedDrawsTheFirstNumbers) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.classes = {quality_class(dir, "good", 1, 1, wanted_text),
                    quality_class(dir, "bad", 1, 1, other_text)};
  config.held_out_fraction = 0;
  config.epochs = 1;
  std::set<std::string> models;
  for (config.seed = 0; config.seed < 4; ++config.seed) {
    train_classifier(config);
    models.insert(read_file(config.output));
  }
  EXPECT_EQ(models.size(), 4u);
}

// As fastText's file begins: magic, version, then its arguments in this order: dim, ws, epoch,
// minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate.
TEST(Quality, TrainsWithEachSettingOfTheConfig) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.dim = 3;
  config.epochs = 7;
  config.min_count = 2;
  config.buckets = 60;
  for (const int ngrams : {2, 1}) {
    config.word_ngrams = ngrams;
    train_classifier(config);
    std::int32_t head[14];
    const std::string file = read_file(config.output);
    ASSERT_GT(file.size(), sizeof head);
    std::memcpy(head, file.data(), sizeof head);
    EXPECT_EQ(head[2 + 0], 3);
    EXPECT_EQ(head[2 + 2], 7);
    EXPECT_EQ(head[2 + 3], 2);
    EXPECT_EQ(head[2 + 5], ngrams);
    EXPECT_EQ(head[2 + 8], ngrams == 2 ? 60 : 0) << "one word needs no bucket";
    EXPECT_EQ(head[2 + 9], 0);
    EXPECT_EQ(head[2 + 10], 0);
  }
}

TEST(Quality, RefusesConfigsThatCannotBeCarriedOut) {
  const TempDir dir;
  const TrainConfig good = quality_config(dir);
  const auto error_of = [&](auto change) {
    TrainConfig config = good;
    change(config);
    return input_error_of([&] { train_classifier(config); });
  };
  EXPECT_THAT(error_of([](TrainConfig& c) { c.output.clear(); }), HasSubstr("output: missing"));
  EXPECT_THAT(error_of([](TrainConfig& c) { c.classes.pop_back(); }),
              HasSubstr("classes: 1 given"));
  EXPECT_THAT(error_of([](TrainConfig& c) { c.classes[1].name = "good"; }),
              HasSubstr("two are called 'good'"));
  EXPECT_THAT(error_of([](TrainConfig& c) { c.classes[1].name = "not good"; }),
              HasSubstr("not a valid name"));
  EXPECT_THAT(error_of([](TrainConfig& c) { c.held_out_fraction = 1; }),
              HasSubstr("held_out_fraction: 1 is not in [0, 0.9]"));
  EXPECT_THAT(error_of([](TrainConfig& c) { c.learning_rate = 0; }), HasSubstr("learning_rate: 0"));
  EXPECT_THAT(error_of([](TrainConfig& c) { c.epochs = 0; }), HasSubstr("epochs: 0"));
  EXPECT_THAT(error_of([](TrainConfig& c) { c.training_threads = 0; }),
              HasSubstr("training_threads: 0"));
  // Before any document is read.
  EXPECT_THAT(error_of([&](TrainConfig& c) {
                c.output = dir.path();
                c.classes[0].paths = {dir / "none"};
              }),
              HasSubstr("is a directory"));
  EXPECT_THAT(error_of([&](TrainConfig& c) { c.classes[0].paths = {dir.path()}; }),
              HasSubstr("quality.bin"));
  EXPECT_THAT(error_of([&](TrainConfig& c) { c.classes[0].paths = {dir / "none"}; }),
              HasSubstr("none"));
  write_file(dir / "blank.txt", " \n\n");
  EXPECT_THAT(error_of([&](TrainConfig& c) { c.classes[0].paths = {dir / "blank.txt"}; }),
              HasSubstr("no document of 'good' is left to train on; it has 0"));
  EXPECT_FALSE(fs::exists(good.output));
}

// The last value that each key may have, and the first that it may not.
TEST(Quality, KeysHaveBounds) {
  const TempDir dir;
  const TrainConfig good = quality_config(dir);
  struct Bounds {
    std::string key;
    std::int64_t TrainConfig::*member;
    std::int64_t least, most;
  };
  const Bounds all[] = {{"documents", &TrainConfig::documents, 0, std::int64_t{1} << 40},
                        {"epochs", &TrainConfig::epochs, 1, 1000},
                        {"dim", &TrainConfig::dim, 1, 4096},
                        {"word_ngrams", &TrainConfig::word_ngrams, 1, 10},
                        {"buckets", &TrainConfig::buckets, 1, 100'000'000},
                        {"min_count", &TrainConfig::min_count, 1, 1'000'000},
                        {"seed", &TrainConfig::seed, 0, INT32_MAX},
                        {"threads", &TrainConfig::threads, 0, 4096},
                        {"training_threads", &TrainConfig::training_threads, 1, 256}};
  for (const auto& [key, member, least, most] : all) {
    for (const std::int64_t value : {least - 1, least, most, most + 1}) {
      TrainConfig config = good;
      config.*member = value;
      EXPECT_EQ(input_error_of([&] { check_config(config); }),
                value >= least && value <= most
                    ? "no error"
                    : fmt::format("{}: {} is not in [{}, {}]", key, value, least, most));
    }
  }
  for (const auto& [value, holds] :
       {std::pair(0.0, true), {0.9, true}, {-0.1, false}, {0.91, false}}) {
    TrainConfig config = good;
    config.held_out_fraction = value;
    EXPECT_EQ(input_error_of([&] { check_config(config); }),
              holds ? "no error" : fmt::format("held_out_fraction: {} is not in [0, 0.9]", value));
  }
  for (const auto& [value, holds] :
       {std::pair(10.0, true), {1e-9, true}, {0.0, false}, {10.1, false}}) {
    TrainConfig config = good;
    config.learning_rate = value;
    EXPECT_EQ(input_error_of([&] { check_config(config); }),
              holds ? "no error" : fmt::format("learning_rate: {} is not in (0, 10]", value));
  }
}

// An AUC needs both kinds of documents.
TEST(QualityReport, TellsWhatWasMeasured) {
  TrainReport report;
  report.classes = {{"good", 70, 10}, {"bad", 80, 0}};
  report.accuracy.wanted = 10;
  report.accuracy.auc = 0.5;
  report.accuracy.thresholds = {{0.1, 1, 1, 0}};
  const std::string classes =
      "class                      trained on     held out\n"
      "good                               70           10\n"
      "bad                                80            0\n";
  const std::string nothing = "no documents of both kinds are held out, so nothing was measured\n";
  EXPECT_EQ(summary(report), classes + nothing);
  std::swap(report.accuracy.wanted, report.accuracy.others);
  EXPECT_EQ(summary(report), classes + nothing);
  report.accuracy.wanted = 1;
  report.accuracy.auc = 0.98765;
  report.accuracy.thresholds = {{0.5, 0.25, 0.75, 0.125}, {0.95, 1, 0, 0}};
  report.repeated = 2;
  EXPECT_EQ(summary(report), classes +
                                 "2 documents repeat others of their class and are left out\n"
                                 "\n'good' on held-out documents: AUC 0.9877\n"
                                 "      min precision    recall others kept\n"
                                 "     0.50    0.2500    0.7500      0.1250\n"
                                 "     0.95    1.0000    0.0000      0.0000\n");
}

// A model that cannot be finished does not replace the one before.
TEST(Quality, KeepsTheOlderModelWhenTrainingFails) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  train_classifier(config);
  const std::string before = read_file(config.output);
  write_file(dir / "broken.jsonl", "{\"text\": \"a\"}\n{\"text\": 1}\n");
  config.classes[1].paths.push_back(dir / "broken.jsonl");
  EXPECT_THAT(input_error_of([&] { train_classifier(config); }), HasSubstr("broken.jsonl:2"));
  EXPECT_TRUE(read_file(config.output) == before);
  EXPECT_EQ(dir.count(), 8);
}

}  // namespace
}  // namespace fathom::quality
