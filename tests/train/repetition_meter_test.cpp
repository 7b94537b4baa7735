// The repetition meter of whole runs, on several layouts, against the engine with the run's model.
#include "train/repetition_meter.h"

#include <gmock/gmock.h>

#include "infer/text_engine.h"
#include "infer/tiny_model.h"
#include "train/machine.h"
#include "train/repetition_prompts.h"
#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t answer_tokens = 12;

// Three prompts, which two replicas cannot share evenly, of which one is in a file. Each token is
// a byte.
TrainConfig measured(const TempDir& dir, const std::string& name) {
  if (!fs::exists(dir / "out")) {
    prepare(dir);
    write_file(dir / "out/tokenizer.json", byte_tokenizer());
  }
  write_file(dir / "prompts.jsonl", "{\"prompt\": \"3: \", \"id\": 7}\n");
  TrainConfig config = tiny(dir, name);
  config.model.vocab_size = 320;
  config.train.micro_batch = 2;
  config.validation.sample_tokens = 0;
  config.repetition.prompts = {"1:", "从前"};
  config.repetition.prompts_file = dir / "prompts.jsonl";
  config.repetition.every_steps = 6;
  config.repetition.max_tokens = answer_tokens;
  config.repetition.prompt_tokens = 10;
  config.repetition.batch = 2;
  return config;
}

std::vector<SamplePoint> answers_of(const TrainConfig& config) {
  return read_samples(config.output + "/answers.jsonl");
}

struct MeteredTexts {
  std::vector<infer::Answer> answers;
  std::vector<TextSample> texts;
};

// The engine's, with the run's final model.
MeteredTexts written_by_model(const TrainConfig& config,
                              const std::vector<std::string>& prompts = {"1:", "从前", "3: "},
                              std::int64_t max_tokens = answer_tokens) {
  Context context(cpu_device);
  const infer::LoadedModel model = infer::load_model(config.output + "/model", {}, context);
  infer::TextEngine engine(model, context, {});
  MeteredTexts written;
  for (const std::string& prompt : prompts) {
    infer::TextRequest request;
    request.prompt = prompt;
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    engine.submit(request);
    written.answers.emplace_back();
    written.texts.push_back({prompt, ""});
    while (!engine.idle()) {
      for (const infer::TextEvent& event : engine.step()) {
        infer::Answer& answer = written.answers.back();
        answer.ended = event.finish == infer::FinishReason::end_of_text;
        if (!answer.ended) answer.tokens.push_back(event.tokens.front().token);
        written.texts.back().text += event.text;
      }
    }
  }
  return written;
}

// A prompt longer than a page of the engine's cache, whose keys and values of the measurement
// before are those of other weights.
TEST(RepetitionMeter, ReadsLongPromptsWithTheWeightsOfTheMoment) {
  const TempDir dir;
  TrainConfig config = measured(dir, "run");
  const std::vector<std::string> prompts{"1: 2: 3: 4: 5: 6: "};
  config.repetition.prompts = prompts;
  config.repetition.prompts_file.clear();
  config.repetition.prompt_tokens = 18;
  config.repetition.max_tokens = 5;
  ASSERT_EQ(run(config), 0);
  const std::vector<SamplePoint> points = answers_of(config);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[1].samples, written_by_model(config, prompts, 5).texts);
}

struct MeterLayout {
  const char* name;
  int ranks, pp, tp;
  bool sequence_parallel;
};

class MeterOn : public testing::TestWithParam<MeterLayout> {};

TEST_P(MeterOn, MeasuresTheModelInTraining) {
  const TempDir dir;
  const MeterLayout& layout = GetParam();
  TrainConfig config = measured(dir, "run");
  config.parallel.pp = layout.pp;
  config.parallel.tp = layout.tp;
  config.parallel.sequence_parallel = layout.sequence_parallel;
  ASSERT_EQ(run(config, "none", layout.ranks), 0);
  const std::vector<SamplePoint> points = answers_of(config);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].step, 6);
  EXPECT_EQ(points[1].step, 12);
  EXPECT_NE(points[0].samples, points[1].samples) << "the model has learnt in between";
  const MeteredTexts expected = written_by_model(config);
  EXPECT_EQ(points[1].samples, expected.texts);
  const infer::RepetitionFigures figures = infer::repetition_of(expected.answers);
  const auto last = [&](std::string_view name) {
    const auto values = metric_of(config, name);
    EXPECT_EQ(values.size(), 2u) << name;
    return values.back().second;
  };
  EXPECT_NEAR(last(metric::repetition), figures.repeating, 1e-6);
  EXPECT_NEAR(last(metric::answers_ended), figures.ended, 1e-6);
  EXPECT_NEAR(last(metric::answer_tokens), figures.mean_length, 1e-6);
  EXPECT_NEAR(last("repetition/seq_rep_1"), figures.repeated_ngrams[0], 1e-6);
  EXPECT_NEAR(last("repetition/seq_rep_4"), figures.repeated_ngrams[3], 1e-6);
  EXPECT_GT(figures.repeated_ngrams[0], 0);
}

INSTANTIATE_TEST_SUITE_P(Layouts, MeterOn,
                         testing::Values(MeterLayout{"one", 1, 1, 1, false},
                                         MeterLayout{"tp", 2, 1, 2, false},
                                         MeterLayout{"pp", 2, 2, 1, false},
                                         MeterLayout{"dp", 2, 1, 1, false},
                                         MeterLayout{"sequence", 4, 1, 2, true}),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(RepetitionMeter, LeavesTheTrainingAsItIs) {
  const TempDir dir;
  const TrainConfig with = measured(dir, "with");
  TrainConfig without = with;
  without.output = dir / "without";
  without.repetition = {};
  ASSERT_EQ(run(with), 0);
  ASSERT_EQ(run(without), 0);
  EXPECT_EQ(tensors_of(checkpoint_of(with, 12)), tensors_of(checkpoint_of(without, 12)));
  EXPECT_FALSE(fs::exists(without.output + "/answers.jsonl"));
}

// The steps that are measured are validated too, so that a checkpoint can be picked.
TEST(RepetitionMeter, NamesTheCheckpointToUse) {
  const TempDir dir;
  TrainConfig config = measured(dir, "run");
  config.validation.every_steps = 0;
  config.checkpoint.every_steps = config.checkpoint.keep_every = 6;
  config.repetition.limit = 1;
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(config), 0);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("step 6: of 3 answers "));
  EXPECT_EQ(metric_of(config, metric::validation_loss).size(), 2u);
  EXPECT_THAT(log, HasSubstr("/checkpoints/" + checkpoint_name(12) + ": of the checkpoints"));
  EXPECT_THAT(read_file(config.output + "/report.html"), HasSubstr(checkpoint_name(12)));
}

TEST(RepetitionMeter, AResumedRunWritesTheSame) {
  const TempDir dir;
  const TrainConfig whole = measured(dir, "whole");
  ASSERT_EQ(run(whole), 0);
  TrainConfig cut = measured(dir, "cut");
  fs::create_directories(cut.output + "/checkpoints");
  fs::copy(checkpoint_of(whole, save_every), checkpoint_of(cut, save_every),
           fs::copy_options::recursive);
  const std::string all = read_file(whole.output + "/answers.jsonl");
  write_file(cut.output + "/answers.jsonl", all);
  ASSERT_EQ(run(cut), 0);
  EXPECT_EQ(read_file(cut.output + "/answers.jsonl"), all);
}

TEST(RepetitionMeter, IsInTheMemoryTable) {
  const TempDir dir;
  TrainConfig config = measured(dir, "run");
  const DataFacts facts = facts_of(open_prepared(dir / "out"), config.data);
  const auto table_of = [&] {
    const TrainPlan plan = resolve(config, facts);
    return plan_memory(plan, OneRank(plan.config.model).groups);
  };
  const MemoryTable with = table_of();
  const std::size_t meter = RepetitionMeter::bytes(resolve(config, facts)).device;
  EXPECT_GT(meter, 0u);
  EXPECT_THAT(with.text(), HasSubstr("repetition meter"));
  config.repetition = {};
  const MemoryTable without = table_of();
  EXPECT_THAT(without.text(), Not(HasSubstr("repetition meter")));
  // The program itself may grow by a page between the two.
  EXPECT_NEAR(double(with.device_total()), double(without.device_total() + meter), 1 << 20);
}

TEST(RepetitionMeter, RefusesPromptsThatItCannotUse) {
  const TempDir dir;
  const TrainConfig good = measured(dir, "run");
  const auto refusal = [&](auto&& change) {
    TrainConfig config = good;
    change(config.repetition);
    return input_error_of([&] { run(config); });
  };
  EXPECT_THAT(refusal([](auto& c) { c.prompts.push_back("12345678901"); }),
              HasSubstr("repetition.prompts[2]: the prompt is 11 tokens, more than "
                        "repetition.prompt_tokens = 10"));
  EXPECT_THAT(refusal([](auto& c) { c.max_tokens = 19; }),
              HasSubstr("repetition.prompts[1]: the prompt's 6 tokens and an answer of "
                        "repetition.max_tokens = 19 are more than a sequence of 24"));
  EXPECT_THAT(refusal([](auto& c) { c.prompts.push_back(""); }),
              HasSubstr("repetition.prompts[2] is an empty prompt"));
  write_file(dir / "prompts.jsonl", "\"ok\"\n\n{\"messages\": []}\n");
  EXPECT_THAT(refusal([](auto&) {}),
              HasSubstr("prompts.jsonl:3: a conversation needs a chat template"));
  fs::remove(dir / "out/tokenizer.json");
  EXPECT_THAT(refusal([](auto&) {}), HasSubstr("tokenizer.json: not there, and [repetition]"));
  EXPECT_FALSE(fs::exists(good.output + "/config.toml"));
}

// A prompt as long as repetition.prompt_tokens, and an answer that fills the sequence to its last
// token.
TEST(RepetitionMeter, TakesPromptsThatJustFit) {
  const TempDir dir;
  TrainConfig config = measured(dir, "run");
  const DataFacts facts = facts_of(open_prepared(dir / "out"), config.data);
  const Tokenizer tokenizer = Tokenizer::load(dir / "out/tokenizer.json");
  const auto refusal = [&](std::size_t tokens, std::int64_t max_tokens) {
    config.repetition.max_tokens = max_tokens;
    const TrainPlan plan = resolve(config, facts);
    const OneRank rank(plan.config.model);
    const MeterPrompt prompt{"shown", std::vector<std::int32_t>(tokens, 65), "here"};
    return input_error_of([&] { RepetitionMeter(plan, rank.groups, tokenizer, {prompt}, {}); });
  };
  EXPECT_EQ(refusal(10, 14), "no error") << "24 in all";
  EXPECT_THAT(refusal(10, 15),
              HasSubstr("here: the prompt's 10 tokens and an answer of repetition.max_tokens = 15 "
                        "are more than a sequence of 24: lower repetition.max_tokens"));
  EXPECT_THAT(refusal(11, 1), HasSubstr("here: the prompt is 11 tokens, more than "
                                        "repetition.prompt_tokens = 10: shorten it"));
  EXPECT_EQ(refusal(1, 23), "no error");
  EXPECT_THAT(refusal(0, 1), HasSubstr("here: the prompt has no tokens: leave it out"));
  EXPECT_THAT(refusal(1, INT64_MAX), HasSubstr("are more than a sequence of 24"));
}

TEST(RepetitionPrompts, AreReadFromJsonLines) {
  const TempDir dir;
  RepetitionConfig config;
  config.prompts = {"one"};
  config.prompts_file = dir / "p.jsonl";
  const std::string messages = "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}";
  const std::string conversations =
      "{\"conversations\": [{\"from\": \"human\", \"value\": \"y\"}]}";
  write_file(config.prompts_file,
             "\"two\"\n\n{\"prompt\": \"三\"}\n" + messages + "\n \t\n" + conversations);
  const std::vector<RepetitionPrompt> prompts = read_repetition_prompts(config);
  ASSERT_EQ(prompts.size(), 5u);
  EXPECT_EQ(prompts[0].text, "one");
  EXPECT_EQ(prompts[0].where, "repetition.prompts[0]");
  EXPECT_EQ(prompts[1].text, "two");
  EXPECT_EQ(prompts[2].text, "三");
  EXPECT_EQ(prompts[2].where, config.prompts_file + ":3");
  EXPECT_EQ(prompts[3].text, "");
  EXPECT_EQ(prompts[3].conversation, messages);
  EXPECT_EQ(prompts[4].text, "");
  EXPECT_EQ(prompts[4].conversation, conversations);
  EXPECT_EQ(prompts[4].where, config.prompts_file + ":6");
}

TEST(RepetitionPrompts, EveryOtherLineIsRefused) {
  const TempDir dir;
  RepetitionConfig config;
  config.prompts_file = dir / "p.jsonl";
  const auto refusal = [&](const std::string& text) {
    write_file(config.prompts_file, text);
    return input_error_of([&] { read_repetition_prompts(config); });
  };
  const std::string& file = config.prompts_file;
  EXPECT_THAT(refusal("\"a\"\n{\"text\": \"b\"}\n"),
              HasSubstr(file + ":2: has no prompt: use a string"));
  EXPECT_THAT(refusal("[1]"), HasSubstr(file + ":1: has no prompt: use a string"));
  EXPECT_THAT(refusal("{\"prompt\": 3}"), HasSubstr(file + ":1: 'prompt' is 3"));
  EXPECT_THAT(refusal("{\"prompt\": \"\"}"), HasSubstr("is an empty prompt"));
  EXPECT_THAT(refusal("plain text"), HasSubstr(file + ":1"));
  EXPECT_EQ(refusal("\n\n"), file + ": it contains no prompt");
}

}  // namespace
}  // namespace fathom
