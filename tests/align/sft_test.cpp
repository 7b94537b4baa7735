// Whole runs of `fathom sft` inside this process: stages, resumes and refusals.
#include "align/sft.h"

#include <gmock/gmock.h>

#include "align/base_model.h"
#include "align/sft_data.h"
#include "align/small_base.h"
#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Stage 1 takes 8 steps, stage 2 four.
SftConfig two_stages(const TempDir& dir, const std::string& output) {
  SftConfig c;
  c.output = dir / output;
  c.threads = 1;
  c.dtype = DTypeChoice::f32;
  c.model.from = dir / "base";
  c.model.chat_template = "deepseek";
  c.train.loop.sequence_length = 64;
  c.train.loop.global_batch = 4;
  c.train.loop.micro_batch = 2;
  c.validation.paths = {dir / "held.jsonl"};
  c.validation.every_steps = 0;
  c.validation.sample_prompts = {"7?"};
  c.validation.sample_tokens = 4;
  c.checkpoint.interval_seconds = 0;
  c.checkpoint.every_steps = 3;
  c.checkpoint.keep_every = 3;
  c.stages.resize(2);
  c.stages[0].steps = 8;
  c.stages[0].data = {{{dir / "a.jsonl"}, 1}, {{dir / "b.jsonl"}, 0.5}};
  c.stages[1].steps = 4;
  c.stages[1].data = {{{dir / "b.jsonl"}, 1}};
  for (SftStageConfig& stage : c.stages) {
    stage.schedule.peak = 1e-2;
    stage.schedule.warmup_steps = 2;
  }
  return c;
}

class Sft : public testing::Test {
 protected:
  void SetUp() override {
    make_small_base(dir_);
    make_conversations(dir_, "a.jsonl", 40);
    make_conversations(dir_, "b.jsonl", 20, 100);
    make_conversations(dir_, "held.jsonl", 9, 200);
  }
  static int run(const SftConfig& config, int ranks = 1, const std::string& resume = "auto") {
    Runtime runtime(Signals::stop_runs, gemm_peak);
    TrainOptions options;
    options.ranks = ranks;
    options.run.resume = resume;
    return sft(runtime, config, options);
  }
  static std::string refusal(const SftConfig& config) {
    return input_error_of([&] { run(config); });
  }
  static TrainConfig stage(const SftConfig& config, int number) {
    TrainConfig stage;
    stage.output = fmt::format("{}/stage-{}", config.output, number);
    return stage;
  }
  static std::string model_of(const SftConfig& config) {
    return read_file(config.output + "/model/model.safetensors");
  }

  TempDir dir_;
};

TEST_F(Sft, AnswersOfTheModelEndWithTheTokenThatEndsTheTemplates) {
  constexpr std::int32_t im_end = 261;
  EXPECT_THAT(open_base_model(dir_ / "base", "chatml").files.end_tokens, Contains(im_end));
  EXPECT_THAT(open_base_model(dir_ / "base", "plain").files.end_tokens, Not(Contains(im_end)));
}

TEST_F(Sft, TrainsItsStagesOneAfterAnother) {
  SftConfig config = two_stages(dir_, "run");
  config.repetition.prompts = {"8?"};
  write_file(dir_ / "prompts.jsonl", R"({"messages": [{"role": "user", "content": "9?"}, )"
                                     R"({"role": "assistant", "content": "no"}]})"
                                     "\n");
  config.repetition.prompts_file = dir_ / "prompts.jsonl";
  config.repetition.max_tokens = 4;
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(config), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("stage 1: 60 conversations"), HasSubstr("stage 2: 20 conversations"),
                    HasSubstr("beginning with the weights of " + (dir_ / "base")),
                    HasSubstr("beginning with the weights of " + config.output + "/stage-1"),
                    HasSubstr("9 held-out conversations")));
  const auto first = metric_of(stage(config, 1), metric::loss);
  const auto second = metric_of(stage(config, 2), metric::loss);
  ASSERT_EQ(first.size(), 8u);
  ASSERT_EQ(second.size(), 4u);
  EXPECT_GT(first.front().second, 5) << "of 320 tokens, by random weights";
  EXPECT_LT(first.back().second, 0.9 * first.front().second);
  EXPECT_LT(second.front().second, 0.9 * first.front().second) << "with the first one's weights";
  const auto held = metric_of(stage(config, 1), metric::validation_loss);
  ASSERT_EQ(held.size(), 1u);
  EXPECT_GT(held.front().second, 1);
  for (const auto& [step, share] : metric_of(stage(config, 1), metric::padding_share)) {
    EXPECT_LT(share, 0.6) << step;
  }
  const auto targets = metric_of(stage(config, 2), metric::targets);
  ASSERT_EQ(targets.size(), 4u);
  EXPECT_GT(targets.front().second, 30);
  EXPECT_LT(targets.front().second, 4 * 64);
  EXPECT_GT(metric_of(stage(config, 2), metric::epoch).back().second, 0.9);
  // What a user gets.
  const std::string output = config.output;
  EXPECT_EQ(load_model_description(output + "/model").eos_tokens, (std::vector<std::int64_t>{259}));
  EXPECT_TRUE(fs::exists(output + "/model/tokenizer.json"));
  EXPECT_EQ(ChatTemplate::open("", output + "/model", small_tokenizer()).source(),
            ChatTemplate::open("deepseek", "", small_tokenizer()).source());
  EXPECT_TRUE(fs::exists(output + "/stage-1/model/config.json"));
  EXPECT_FALSE(fs::exists(output + "/stage-2/model"));
  EXPECT_THAT(read_file(output + "/stage-2/report.html"), HasSubstr("Padding"));
  EXPECT_THAT(read_file(output + "/stage-2/samples.jsonl"), HasSubstr("7?"));
  EXPECT_EQ(load_sft_config(output + "/sft.toml").stages[0].data[1].weight, 0.5);
  EXPECT_EQ(metric_of(stage(config, 1), metric::repetition).size(), 1u);
  EXPECT_THAT(read_file(output + "/stage-1/answers.jsonl"),
              AllOf(HasSubstr("8?"), HasSubstr("9?")));
  // Once more: nothing is left to do.
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(config), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("stage 1 is done"), HasSubstr("stage 2 is done"),
                    Not(HasSubstr("resuming"))));
}

// What a run leaves behind that is killed at some moment, and what the same command makes of it.
TEST_F(Sft, AKilledRunEndsWithTheSameBits) {
  const SftConfig whole = two_stages(dir_, "whole");
  ASSERT_EQ(run(whole), 0);
  const std::string model = model_of(whole);
  ASSERT_GT(model.size(), 10000u);
  struct Moment {
    const char* name;
    std::vector<const char*> missing;
  };
  for (const Moment& moment : {
           Moment{"in stage 1",
                  {"stage-1/checkpoints/step-00000008", "stage-1/model",
                   "stage-1/checkpoints/step-00000006", "stage-2", "model"}},
           Moment{"before the first model", {"stage-1/model", "stage-2", "model"}},
           Moment{"between the stages", {"stage-2", "model"}},
           Moment{"in stage 2", {"stage-2/checkpoints/step-00000004", "model"}},
           Moment{"before the last model", {"model"}},
           Moment{"before its template", {"model/chat_template.jinja"}},
       }) {
    SCOPED_TRACE(moment.name);
    SftConfig cut = whole;
    cut.output = dir_ / "cut";
    fs::remove_all(cut.output);
    fs::copy(whole.output, cut.output, fs::copy_options::recursive);
    for (const char* path : moment.missing) fs::remove_all(cut.output + "/" + path);
    ASSERT_EQ(run(cut), 0);
    EXPECT_TRUE(model_of(cut) == model);
    for (const auto& [number, step] : {std::pair(1, 8), std::pair(2, 4)}) {
      EXPECT_TRUE(tensors_of(checkpoint_of(stage(cut, number), step)) ==
                  tensors_of(checkpoint_of(stage(whole, number), step)))
          << "stage " << number;
    }
  }
}

TEST_F(Sft, EveryLayoutTrainsTheSame) {
  const auto losses = [&](const SftConfig& config, int ranks) {
    EXPECT_EQ(run(config, ranks), 0);
    std::vector<double> all;
    for (const int number : {1, 2}) {
      for (const auto& [step, loss] : metric_of(stage(config, number), metric::loss)) {
        all.push_back(loss);
      }
      all.push_back(metric_of(stage(config, number), metric::validation_loss).back().second);
    }
    return all;
  };
  for (const bool packing : {true, false}) {
    SftConfig config = two_stages(dir_, fmt::format("one-{}", packing));
    config.data.packing = packing;
    config.stages[0].steps = 3;
    config.stages[1].steps = 2;
    config.checkpoint.every_steps = 0;
    const std::vector<double> one = losses(config, 1);
    ASSERT_EQ(one.size(), 7u);
    int number = 0;
    for (const auto& [pp, tp] : {std::pair(2, 2), std::pair(1, 2), std::pair(1, 1)}) {
      config.output = dir_ / fmt::format("many-{}-{}", packing, number++);
      config.parallel.pp = pp;
      config.parallel.tp = tp;
      config.parallel.sequence_parallel = tp > 1;
      config.train.loop.micro_batch = 1;
      const std::vector<double> many = losses(config, 4);
      ASSERT_EQ(many.size(), one.size());
      for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_NEAR(many[i] / one[i], 1, 1e-4) << i << " pp " << pp << " tp " << tp;
      }
    }
  }
}

TEST_F(Sft, RefusesAChangedRun) {
  SftConfig config = two_stages(dir_, "run");
  ASSERT_EQ(run(config), 0);
  const auto with = [&](auto change) {
    SftConfig changed = config;
    change(changed);
    return refusal(changed);
  };
  EXPECT_THAT(with([](auto& c) { c.stages[0].steps = 20; }),
              HasSubstr("stage 1 would go on, but stage 2 has begun"));
  EXPECT_THAT(with([](auto& c) { c.stages[1].data[0].weight = 2; }),
              HasSubstr("would not see the data"));
  fs::remove_all(config.output + "/stage-1");
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(config), 0) << "room was made";
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("has no checkpoints any more"));
  // A later stage may be longer.
  config.stages[1].steps = 6;
  EXPECT_EQ(run(config), 0);
  EXPECT_EQ(metric_of(stage(config, 2), metric::loss).size(), 6u);
  EXPECT_EQ(run(config, 1, "none"), 0);
  EXPECT_EQ(metric_of(stage(config, 1), metric::loss).size(), 8u);
}

TEST_F(Sft, SaysWhatIsMissing) {
  const auto with = [&](auto change) {
    SftConfig config = two_stages(dir_, "run");
    change(config);
    return refusal(config);
  };
  EXPECT_THAT(with([&](auto& c) { c.model.from = dir_ / "nothing"; }),
              HasSubstr("model.from: " + (dir_ / "nothing")));
  EXPECT_THAT(with([](auto& c) { c.train.loop.sequence_length = 16; }),
              HasSubstr(".jsonl:1: 41 tokens, more than the context of 16"));
  EXPECT_THAT(with([&](auto& c) { c.stages[1].data[0].paths = {dir_ / "none.jsonl"}; }),
              HasSubstr("none.jsonl"));
  EXPECT_THAT(with([](auto& c) { c.train.loop.sequence_length = 200; }),
              HasSubstr("longer than model.max_position"));
  EXPECT_FALSE(fs::exists(dir_ / "run")) << "all of it before any work";
}

TEST_F(Sft, TooLongConversationsAreLeftOutWhereTheyMayBe) {
  SftConfig config = two_stages(dir_, "run");
  config.train.loop.sequence_length = 32;
  config.data.too_long = RowPolicy::leave_out;
  testing::internal::CaptureStderr();
  const SftData data = read_sft_data(config, true);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("rows beyond the context left out"));
  EXPECT_LT(data.stages[0].source->examples().size(), 60);
  EXPECT_GT(data.stages[0].source->examples().size(), 20);
}

// A first token has none before it that could tell it.
TEST_F(Sft, ConversationsThatLearnTheirFirstTokenAloneAreLeftOut) {
  write_file(dir_ / "first.jinja",
             "{% for m in messages if m.role == 'assistant' %}{% generation %}{{ m.content }}"
             "{% endgeneration %}{% endfor %}"
             "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}");
  write_file(dir_ / "b.jsonl",
             "{\"prompt\": \"qrs\", \"completion\": \"x\"}\n"
             "{\"prompt\": \"qrs\", \"completion\": \"xy\"}\n");
  SftConfig config = two_stages(dir_, "run");
  config.model.chat_template = dir_ / "first.jinja";
  config.stages.erase(config.stages.begin());
  testing::internal::CaptureStderr();
  const SftData data = read_sft_data(config, true);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("1 conversations without a learned token left out"));
  EXPECT_EQ(data.stages[0].source->examples().size(), 1);
}

// Each kind of row follows its own policy.
TEST_F(Sft, BadAndTooLongRowsAreLeftOutEachByItsPolicy) {
  write_file(dir_ / "b.jsonl",
             "{\"prompt\": \"a\", \"completion\": \"b\"}\n"
             "{\"prompt\": \"a\", \"completion\": \"\"}\n"
             "{\"prompt\": \"a\", \"completion\": \"" +
                 std::string(100, 'y') + "\"}\n");
  SftConfig config = two_stages(dir_, "run");
  const auto error = [&](RowPolicy bad, RowPolicy too_long) {
    config.data.bad_rows = bad;
    config.data.too_long = too_long;
    return input_error_of(
        [&] { EXPECT_EQ(read_sft_data(config, false).stages[1].source->examples().size(), 1); });
  };
  EXPECT_EQ(error(RowPolicy::leave_out, RowPolicy::leave_out), "no error");
  EXPECT_THAT(error(RowPolicy::refuse, RowPolicy::leave_out),
              HasSubstr("b.jsonl:2: message 2: the content of the assistant is empty"));
  EXPECT_THAT(error(RowPolicy::leave_out, RowPolicy::refuse),
              AllOf(HasSubstr("b.jsonl:3: "), HasSubstr("more than the context of 64")));
}

TEST_F(Sft, AShareIsHeldOut) {
  SftConfig config = two_stages(dir_, "run");
  config.validation.paths.clear();
  EXPECT_EQ(read_sft_data(config, false).stages[0].held_out, nullptr);
  config.validation.share = 0.25;
  const SftData data = read_sft_data(config, false);
  const auto& [source, held_out] = data.stages[0];
  ASSERT_TRUE(held_out);
  EXPECT_EQ(held_out->examples().size() + source->examples().size(), 60);
  EXPECT_GT(held_out->examples().size(), 5);
  EXPECT_LT(held_out->examples().size(), 30);
  const SftData again = read_sft_data(config, false);
  EXPECT_EQ(again.stages[0].held_out->examples().hash(), held_out->examples().hash());
  config.seed = 2;
  EXPECT_NE(read_sft_data(config, false).stages[0].held_out->examples().hash(),
            held_out->examples().hash());
}

TEST_F(Sft, ARunIsABaseModelToo) {
  SftConfig config = two_stages(dir_, "run");
  config.stages.pop_back();
  ASSERT_EQ(run(config), 0);
  SftConfig next = two_stages(dir_, "next");
  next.model.from = config.output + "/stage-1";
  next.stages.resize(1);
  next.stages[0].steps = 1;
  ASSERT_EQ(run(next), 0);
  EXPECT_LT(metric_of(stage(next, 1), metric::loss).front().second,
            0.9 * metric_of(stage(config, 1), metric::loss).front().second);
  next.model.from = config.output + "/model";
  next.output = dir_ / "another";
  ASSERT_EQ(run(next), 0);
}

std::string config_error(const TempDir& dir, const std::string& toml) {
  write_file(dir / "sft.toml", toml);
  return input_error_of([&] { load_sft_config(dir / "sft.toml"); });
}

TEST(SftConfigFile, SaysWhatIsMissing) {
  const TempDir dir;
  const std::string model = "[model]\nfrom = \"m\"\n";
  const std::string data = "[[stage.data]]\npaths = [\"x\"]\n";
  EXPECT_THAT(config_error(dir, ""), HasSubstr("model.from is missing"));
  EXPECT_THAT(config_error(dir, model), HasSubstr("no [[stage]]"));
  EXPECT_THAT(config_error(dir, model + "[[stage]]\n" + data),
              HasSubstr("stage 1 has no end: give it epochs, tokens, steps or max_minutes"));
  EXPECT_THAT(config_error(dir, model + "[[stage]]\nepochs = 1\n"),
              HasSubstr("stage 1 has no [[stage.data]]"));
  EXPECT_THAT(config_error(dir, model + "[[stage]]\nepochs = 1\n" + data + "weight = -1\n"),
              HasSubstr("a weight of -1"));
  EXPECT_THAT(config_error(dir, model + "[train]\nsteps = 5\n"), HasSubstr("steps"));
  const std::string one_stage = "[[stage]]\nepochs = 1\n" + data;
  for (const auto& [section, message] :
       {std::pair("[train]\nsequence_length = 1\n", "train.sequence_length is 1: use 2 or more"),
        {"[train]\nglobal_batch = 0\n", "train.global_batch is 0: use 1 or more"},
        {"[parallel]\ntp = 0\n", "parallel.tp and parallel.sequence_pieces: use 1 or more"},
        {"[parallel]\nsequence_pieces = 0\n",
         "parallel.tp and parallel.sequence_pieces: use 1 or more"},
        {"[validation]\nshare = -0.1\n", "validation.share is -0.1: use 0 or more, below 1"},
        {"[train]\nsequence_length = 2\nglobal_batch = 1\n", "no error"},
        {"[validation]\nshare = 0.0\n", "no error"},
        {"[validation]\nshare = 0.99\n", "no error"},
        {"[checkpoint]\nenabled = false\n", "no error"}}) {
    EXPECT_EQ(config_error(dir, model + section + one_stage), message) << section;
  }
  EXPECT_EQ(config_error(dir, "output = \"\"\n" + model + one_stage),
            "output is empty: name the directory of the run");
  EXPECT_EQ(load_sft_config(dir / "sft.toml", std::vector<std::string>{"output=a//"}).output, "a");
  EXPECT_EQ(load_sft_config(dir / "sft.toml", std::vector<std::string>{"output=/"}).output, "/");
  EXPECT_THAT(config_error(dir, model + "[validation]\nshare = 1\n[[stage]]\nepochs = 1\n" + data),
              HasSubstr("validation.share is 1"));
  EXPECT_THAT(config_error(dir, model + "date = \"7 March\"\n"), HasSubstr("model.date is"));
  for (const char* weight : {"1000.5", "nan"}) {
    EXPECT_THAT(config_error(dir, model + "[[stage]]\nepochs = 1\n" + data + "weight = " + weight),
                HasSubstr("use a number from 0 to 1000"));
  }
  EXPECT_THAT(config_error(dir, model + "[[stage]]\nepochs = 1\n" + data + "weight = 0.0"),
              HasSubstr("stage 1: all its weights are 0"));
  const std::tm day = parse_date("2025-03-07").value();
  EXPECT_THAT((std::vector{day.tm_year, day.tm_mon, day.tm_mday, day.tm_wday}),
              ElementsAre(125, 2, 7, 5));
  EXPECT_TRUE(parse_date("2024-02-29"));
  for (const char* none : {"2025-02-29", "2025-02-30", "2025-04-31", "2025-13-01", "2025-00-01"}) {
    EXPECT_FALSE(parse_date(none)) << none;
  }
  const std::string stage = "[[stage]]\nepochs = 1\n" + data;
  EXPECT_THAT(config_error(dir, model + stage + stage + "[checkpoint]\nenabled = false\n"),
              HasSubstr("checkpoint.enabled is false"));
}

TEST(SftConfigFile, TheRecipesAreRead) {
  const std::string configs = std::string(FATHOM_SOURCE_DIR) + "/configs/";
  const SftConfig report = load_sft_config(configs + "align/sft-two-stages.toml");
  ASSERT_EQ(report.stages.size(), 2u);
  EXPECT_EQ(report.stages[0].epochs, 4);
  EXPECT_EQ(report.stages[0].schedule.peak, 1e-5);
  EXPECT_EQ(report.stages[0].data.size(), 2u);
  EXPECT_EQ(report.stages[1].data.size(), 1u);
  EXPECT_EQ(load_sft_config(configs + "demo/sft.toml").stages.size(), 2u);
}

TEST_F(Sft, FilesOfHeldOutConversationsComeBeforeAShare) {
  SftConfig config = two_stages(dir_, "run");
  config.validation.share = 0.5;
  const SftData data = read_sft_data(config, false);
  EXPECT_EQ(data.stages[0].source->examples().size(), 60) << "all of them are learned";
  EXPECT_EQ(data.stages[1].source->examples().size(), 20);
  for (const SftStageData& stage : data.stages) {
    EXPECT_EQ(stage.held_out->examples().size(), 9);
  }
  config.validation.paths.clear();
  config.validation.share = 0.9999999;
  EXPECT_EQ(refusal(config), "stage 1: validation.share holds all its conversations out");
}

// Of the same files each stage holds out others: by its own random numbers.
TEST_F(Sft, StagesHoldOutTheirOwnConversations) {
  SftConfig config = two_stages(dir_, "run");
  config.validation.paths.clear();
  config.validation.share = 0.3;
  config.stages[1].data = config.stages[0].data;
  const SftData data = read_sft_data(config, false);
  ASSERT_TRUE(data.stages[0].held_out && data.stages[1].held_out);
  EXPECT_NE(data.stages[0].held_out->examples().hash(), data.stages[1].held_out->examples().hash());
  for (const SftStageData& stage : data.stages) {
    EXPECT_EQ(stage.held_out->examples().size() + stage.source->examples().size(), 60);
  }
}

// What names no special token beside the model does so beside the one that was made of it.
TEST_F(Sft, ChatFilesNameTheTemplatesSpecialTokens) {
  write_file(
      dir_ / "base/tokenizer_config.json",
      R"({"bos_token": null, "eos_token": "</s>", "pad_token": {"content": "<s>"}, "x": 1})");
  write_file(dir_ / "base/generation_config.json", R"({"eos_token_id": 259})");
  write_file(dir_ / "base/chat_template.jinja", "old");
  fs::create_directories(dir_ / "base/additional_chat_templates");
  write_file(dir_ / "base/additional_chat_templates/rag.jinja", "rag");
  const BaseModel model = open_base_model(dir_ / "base", "deepseek");
  fs::create_directories(dir_ / "made");
  write_chat_files(model, dir_ / "made");
  const auto json = nlohmann::ordered_json::parse(read_file(dir_ / "made/tokenizer_config.json"));
  EXPECT_EQ(json.dump(),
            R"({"bos_token":"<s>","eos_token":"</s>","pad_token":{"content":"<s>"},"x":1})");
  EXPECT_EQ(read_file(dir_ / "made/chat_template.jinja"), model.chat.source());
  EXPECT_EQ(read_file(dir_ / "made/additional_chat_templates/rag.jinja"), "rag");
  EXPECT_FALSE(fs::exists(dir_ / "made/generation_config.json"));
}

TEST_F(Sft, ABaseModelSaysWhatItLacks) {
  const auto refusal_of = [&](const std::string& path, const std::string& chat_template) {
    return input_error_of([&] { open_base_model(path, chat_template); });
  };
  EXPECT_EQ(refusal_of("", "plain"), "model.from is empty: name the model to begin with");
  EXPECT_EQ(refusal_of(dir_ / "none", "plain"),
            "model.from: " + (dir_ / "none") + ": there is no such directory");
  EXPECT_THAT(refusal_of(dir_ / "base", ""), HasSubstr("the model has no chat template"));
  fs::remove(dir_ / "base/tokenizer.json");
  EXPECT_EQ(refusal_of(dir_ / "base", "plain"),
            (dir_ / "base") + ": there is no tokenizer.json with this model: copy it there");
}

}  // namespace
}  // namespace fathom
