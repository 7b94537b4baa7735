// Bits per byte under a language model, in `data clean`.
#include <gmock/gmock.h>

#include <limits>

#include "data/scored_world.h"

namespace fathom::clean {
namespace {

namespace fs = std::filesystem;
using test::LengthScorer;
using test::other_text;
using test::quality_class;
using test::read_file;
using test::reasons_of;
using test::runtime_error_of;
using test::ScoredWorld;
using test::wanted_text;
using testing::HasSubstr;

TEST(CleanPerplexity, DropsOutsideItsBounds) {
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
TEST(CleanPerplexity, ComesLastButForMasking) {
  ScoredWorld world;
  const std::string mail = "Write to the scholars of the academy at jane.doe@river.org today.";
  world.config.sources = {quality_class(world.dir, "web", 20, 1, [&](int n) {
    return n == 0 ? mail : n % 4 < 2 ? wanted_text(n) : other_text(n);
  })};
  world.config.personal.emails = true;
  world.config.perplexity.model = "model";
  world.config.perplexity.languages = {"en"};
  LengthScorer scorer;
  clean_data(world.config, nullptr, &scorer);
  EXPECT_EQ(scorer.seen.count(mail), 1u);
  EXPECT_EQ(scorer.seen.size(), 5u);
  for (const std::string& text : scorer.seen) {
    EXPECT_LT(static_cast<unsigned char>(text[0]), 0x80) << text;
    EXPECT_THAT(text, HasSubstr("scholars"));
  }
  const auto rows = world.rows("texts/web-00000.jsonl.zst");
  EXPECT_EQ(rows.size(), 10u);
  EXPECT_THAT(rows.at(0).at("text").get<std::string>(), HasSubstr("email@example.com"));
  for (const auto& row : rows) {
    const bool chinese = row.at("language").get<std::string>().starts_with("zh");
    EXPECT_EQ(row.contains("bits_per_byte"), !chinese) << row;
  }
}

TEST(CleanPerplexity, OutputDependsNeitherOnThreadsNorOnAKill) {
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

TEST(CleanPerplexity, FailsOnAModelThatGivesNoNumber) {
  ScoredWorld world;
  world.config.perplexity.model = "model";
  LengthScorer scorer;
  scorer.factor = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(runtime_error_of([&] { clean_data(world.config, nullptr, &scorer); }),
              HasSubstr("web-0.jsonl:1: model gives nan bits per byte"));
}

}  // namespace
}  // namespace fathom::clean
