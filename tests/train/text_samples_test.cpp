// Samples of whole runs: what samples.jsonl, the page and the log hold.
#include "train/text_samples.h"

#include <gmock/gmock.h>

#include "infer/text_engine.h"
#include "infer/tiny_model.h"
#include "train/rank_options.h"
#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::HasSubstr;
using testing::Not;

// Data whose tokens are bytes, with the tokenizer that says so, and a model with rows that no
// token has.
TrainConfig sampled(const TempDir& dir, const std::string& name) {
  if (!fs::exists(dir / "out")) {
    prepare(dir);
    write_file(dir / "out/tokenizer.json", byte_tokenizer());
  }
  TrainConfig config = tiny(dir, name);
  config.model.vocab_size = 320;
  config.train.micro_batch = 2;
  config.validation.sample_prompts = {"1:", "从前"};
  config.validation.sample_tokens = 12;
  return config;
}

std::vector<SamplePoint> samples_of(const TrainConfig& config) {
  return read_samples(config.output + "/samples.jsonl");
}

// The texts that the engine writes with the run's final model.
std::vector<TextSample> texts_of_model(const TrainConfig& config) {
  Context context(cpu_device);
  const infer::LoadedModel model = infer::load_model(config.output + "/model", {}, context);
  infer::TextEngine engine(model, context, {});
  std::vector<TextSample> samples;
  for (const std::string& prompt : config.validation.sample_prompts) {
    infer::TextRequest request;
    request.prompt = prompt;
    request.max_tokens = config.validation.sample_tokens;
    request.sampling.temperature = 0;
    engine.submit(request);
    std::string text;
    while (!engine.idle()) {
      for (const infer::TextEvent& event : engine.step()) text += event.text;
    }
    samples.push_back({prompt, text});
  }
  return samples;
}

struct SamplesLayout {
  const char* name;
  int ranks, pp, tp;
  bool sequence_parallel;
};

class SamplesOn : public testing::TestWithParam<SamplesLayout> {};

TEST_P(SamplesOn, TheFinalModelsAreTheEngines) {
  const TempDir dir;
  const SamplesLayout& layout = GetParam();
  TrainConfig config = sampled(dir, "run");
  config.validation.sample_temperature = 0;
  config.parallel.pp = layout.pp;
  config.parallel.tp = layout.tp;
  config.parallel.sequence_parallel = layout.sequence_parallel;
  ASSERT_EQ(run(config, "none", layout.ranks), 0);
  const std::vector<SamplePoint> points = samples_of(config);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].step, 4);
  EXPECT_EQ(points[1].step, 8);
  EXPECT_EQ(points[2].step, 12);
  EXPECT_NE(points[0].samples, points[2].samples) << "the model has learnt in between";
  const std::vector<TextSample> expected = texts_of_model(config);
  EXPECT_EQ(points[2].samples, expected);
  EXPECT_GE(expected.front().text.size(), 8u);
}

INSTANTIATE_TEST_SUITE_P(Layouts, SamplesOn,
                         testing::Values(SamplesLayout{"one", 1, 1, 1, false},
                                         SamplesLayout{"tp", 2, 1, 2, false},
                                         SamplesLayout{"pp", 2, 2, 1, false},
                                         SamplesLayout{"dp", 2, 1, 1, false},
                                         SamplesLayout{"sequence", 2, 1, 2, true}),
                         [](const auto& of) { return std::string(of.param.name); });

// What a killed run wrote after its checkpoint is cut off, and written again.
TEST(TextSamples, AResumedRunWritesTheSame) {
  const TempDir dir;
  const TrainConfig whole = sampled(dir, "whole");
  ASSERT_EQ(run(whole), 0);
  TrainConfig cut = sampled(dir, "cut");
  fs::create_directories(cut.output + "/checkpoints");
  fs::copy(checkpoint_of(whole, save_every), checkpoint_of(cut, save_every),
           fs::copy_options::recursive);
  const std::string all = read_file(whole.output + "/samples.jsonl");
  write_file(cut.output + "/samples.jsonl", all.substr(0, all.size() - 5));
  ASSERT_EQ(run(cut), 0);
  EXPECT_EQ(read_file(cut.output + "/samples.jsonl"), all);
  EXPECT_EQ(samples_of(cut).size(), 3u);
  EXPECT_EQ(all.find("\\u0000"), std::string::npos) << "a document's end is no text";
}

TEST(TextSamples, AreDrawnByTheRunsSeed) {
  const TempDir dir;
  TrainConfig config = sampled(dir, "run");
  const auto texts = [&](std::int64_t seed) {
    config.seed = seed;
    const PreparedData data = open_prepared(dir / "out");
    const TrainPlan plan = resolve(config, facts_of(data, config.data));
    const OneRank rank(plan.config.model);
    Learner learner(learner_options(plan, rank.groups));
    learner.initialize_weights(1);
    const OwnedStream uploads(cpu_device);
    DeviceBatch memory(uploads, plan.micro_tokens);
    return TextSamples(plan, run_tokenizer(data), rank.groups).draw(learner, memory);
  };
  const std::vector<TextSample> one = texts(1);
  EXPECT_EQ(texts(1), one);
  EXPECT_NE(texts(2), one);
}

// Whatever is drawn first is an end here.
TEST(TextSamples, EndWhereATokenEndsTheText) {
  const TempDir dir;
  TrainConfig config = sampled(dir, "run");
  const PreparedData data = open_prepared(dir / "out");
  const TrainPlan plan = resolve(config, facts_of(data, config.data));
  const OneRank rank(plan.config.model);
  Learner learner(learner_options(plan, rank.groups));
  learner.initialize_weights(1);
  const OwnedStream uploads(cpu_device);
  DeviceBatch memory(uploads, plan.micro_tokens);
  RunTokenizer tokenizer = run_tokenizer(data);
  const auto texts = [&] {
    return TextSamples(plan, tokenizer, rank.groups).draw(learner, memory);
  };
  EXPECT_NE(texts()[0].text, "");
  tokenizer.end_tokens.clear();
  for (std::int32_t token = 0; token < 256; ++token) tokenizer.end_tokens.push_back(token);
  for (const TextSample& sample : texts()) EXPECT_EQ(sample.text, "") << sample.prompt;
}

TEST(TextSamples, AreLoggedAndShown) {
  const TempDir dir;
  TrainConfig config = sampled(dir, "run");
  config.validation.sample_prompts = {"<b>1:"};
  config.train.steps = 4;
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(config), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("step 4: \"<b>1:\" goes on \""));
  const std::string page = read_file(config.output + "/report.html");
  EXPECT_NE(page.find("<summary>Step 4</summary>\n<p dir=\"auto\"><b>&lt;b&gt;1:</b>"),
            std::string::npos);
  std::string events;
  for (const auto& entry : fs::directory_iterator(config.output + "/tensorboard")) {
    events += read_file(entry.path());
  }
  EXPECT_NE(events.find("samples/1"), std::string::npos);
  EXPECT_NE(events.find("    <b>1:"), std::string::npos);
}

TEST(TextSamples, AreLeftOutWhereNoneAreWanted) {
  const TempDir dir;
  TrainConfig config = sampled(dir, "run");
  config.train.steps = 4;
  ASSERT_EQ(run(config), 0);
  EXPECT_EQ(samples_of(config).size(), 1u);
  config.validation.sample_tokens = 0;
  ASSERT_EQ(run(config, "none"), 0);
  EXPECT_TRUE(samples_of(config).empty()) << "not those of the run before";
  EXPECT_EQ(read_file(config.output + "/report.html").find("<h2>Samples"), std::string::npos);
  config.validation.sample_tokens = 12;
  fs::remove(dir / "out/tokenizer.json");
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(config, "none"), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("the run writes no samples"));
  EXPECT_TRUE(samples_of(config).empty());
}

TEST(TextSamples, APromptWithoutRoomIsRefusedBeforeAnyWork) {
  const TempDir dir;
  TrainConfig config = sampled(dir, "run");
  config.validation.sample_prompts = {"ok", std::string(25, 'x')};
  EXPECT_THAT(
      input_error_of([&] { run(config); }),
      HasSubstr("validation.sample_prompts: \"xxxxxxxxxxxxxxxxxxxxxxxxx\" is 25 tokens, and "
                "a sequence of 24 has no room to go on from it"));
  EXPECT_FALSE(fs::exists(config.output + "/config.toml"));
  config.validation.sample_prompts = {std::string(24, 'x')};
  config.train.steps = 1;
  EXPECT_EQ(run(config), 0);
  const TextSample sample = samples_of(config).front().samples.front();
  EXPECT_EQ(sample.prompt, std::string(24, 'x'));
  EXPECT_LE(sample.text.size(), 4u) << "one byte, or what stands for it";
}

}  // namespace
}  // namespace fathom
