// Whole runs of `fathom dpo` inside this process: what they learn, resume and refuse.
#include "align/dpo.h"

#include <gmock/gmock.h>

#include <cmath>

#include "align/dpo_data.h"
#include "align/pair_source.h"
#include "align/sft_data.h"
#include "align/small_base.h"
#include "align/weights_checksum.h"
#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::AllOf;
using testing::HasSubstr;

// dir/`name`: the better answer to a number is all "y", the worse one is all "n".
void make_pairs(const TempDir& dir, const std::string& name, int count, int first = 0) {
  std::string rows;
  for (int i = first; i < first + count; ++i) {
    const auto length = static_cast<std::size_t>(1 + i % 5);
    rows += fmt::format(R"({{"prompt": "{}?", "chosen": "{}", "rejected": "{}"}})"
                        "\n",
                        i, std::string(length, 'y'), std::string(length, 'n'));
  }
  write_file(dir / name, rows);
}

class Dpo : public testing::Test {
 protected:
  void SetUp() override {
    make_small_base(dir_);
    make_pairs(dir_, "pairs.jsonl", 60);
    make_pairs(dir_, "held.jsonl", 11, 100);
  }
  DpoConfig config(const std::string& output) const {
    DpoConfig c;
    c.output = dir_ / output;
    c.threads = 1;
    c.dtype = DTypeChoice::f32;
    c.model.from = dir_ / "base";
    c.model.chat_template = "deepseek";
    c.data.paths = {dir_ / "pairs.jsonl"};
    c.train.sequence_length = 96;
    c.train.global_batch = 4;
    c.train.micro_batch = 2;
    c.train.steps = 8;
    c.schedule.peak = 3e-3;
    c.schedule.warmup_steps = 0;
    c.validation.paths = {dir_ / "held.jsonl"};
    c.validation.every_steps = 4;
    c.validation.sample_prompts = {"7?"};
    c.validation.sample_tokens = 4;
    c.checkpoint.interval_seconds = 0;
    c.checkpoint.every_steps = 3;
    c.checkpoint.keep_every = 3;
    return c;
  }
  static int run(const DpoConfig& config, int ranks = 1) {
    Runtime runtime(Signals::stop_runs, gemm_peak);
    TrainOptions options;
    options.ranks = ranks;
    return dpo(runtime, config, options);
  }
  static std::string refusal(const DpoConfig& config) {
    return input_error_of([&] { run(config); });
  }
  static std::vector<std::pair<std::int64_t, double>> figure(const DpoConfig& config,
                                                             std::string_view name) {
    TrainConfig run;
    run.output = config.output;
    return metric_of(run, name);
  }
  static std::string model_of(const DpoConfig& config) {
    return read_file(config.output + "/model/model.safetensors");
  }

  TempDir dir_;
};

TEST_F(Dpo, LearnsToPreferTheBetterAnswers) {
  DpoConfig c = config("run");
  c.repetition.prompts = {"8?"};
  c.repetition.max_tokens = 4;
  ASSERT_EQ(run(c), 0);
  EXPECT_EQ(figure(c, metric::repetition).size(), 1u);
  const auto losses = figure(c, "loss");
  ASSERT_EQ(losses.size(), 8u);
  EXPECT_DOUBLE_EQ(losses.front().second, std::log(2.0));
  EXPECT_LT(losses.back().second, 0.6);
  EXPECT_EQ(figure(c, "rewards/accuracies").front().second, 0);
  EXPECT_EQ(figure(c, "rewards/margins").front().second, 0);
  EXPECT_GT(figure(c, "rewards/margins").back().second, 0.1);
  EXPECT_LT(figure(c, "padding_share").front().second, 0.5);
  const auto held = figure(c, "validation_rewards/accuracies");
  ASSERT_EQ(held.size(), 2u);
  EXPECT_GT(held.back().second, 0.9);
  // What a user gets.
  EXPECT_EQ(load_model_description(c.output + "/model").eos_tokens,
            (std::vector<std::int64_t>{259}));
  EXPECT_TRUE(fs::exists(c.output + "/model/tokenizer.json"));
  EXPECT_THAT(read_file(c.output + "/model/chat_template.jinja"), HasSubstr("Assistant:"));
  EXPECT_TRUE(fs::exists(c.output + "/report.html"));
  EXPECT_THAT(read_file(c.output + "/samples.jsonl"), HasSubstr("7?"));
  EXPECT_EQ(load_dpo_config(c.output + "/dpo.toml").dpo.loss.beta, c.dpo.loss.beta);
}

TEST_F(Dpo, AResumedRunReadsItsReferenceAndEndsWithTheSameBits) {
  const DpoConfig whole = config("whole");
  ASSERT_EQ(run(whole), 0);
  const std::string model = model_of(whole);
  ASSERT_GT(model.size(), 10000u);
  // As a run that was killed behind its first save; a save that is slow delays the next one.
  const auto saved = checkpoint_steps(whole.output + "/checkpoints");
  ASSERT_EQ(saved.front(), 3);
  for (const std::int64_t step : saved) {
    if (step > 3) fs::remove_all(whole.output + "/checkpoints/" + checkpoint_name(step));
  }
  fs::remove_all(whole.output + "/model");
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(whole), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("at step 3"), HasSubstr("reference log-probabilities read from")));
  EXPECT_TRUE(model_of(whole) == model);

  fs::remove_all(whole.output + "/model");
  fs::remove(whole.output + "/reference.safetensors");
  DpoConfig longer = whole;
  longer.train.steps = 9;
  EXPECT_THAT(refusal(longer), HasSubstr("reference.safetensors: missing, and the run has done 8"));
}

TEST_F(Dpo, ALayoutOfSeveralRanksLearnsTheSame) {
  DpoConfig one = config("one"), many = config("many");
  many.parallel.tp = 2;
  ASSERT_EQ(run(one), 0);
  ASSERT_EQ(run(many, 4), 0);
  const auto a = figure(one, "loss"), b = figure(many, "loss");
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(b[i].second / a[i].second, 1, 1e-4);
}

TEST_F(Dpo, ASharedReferenceBelongsToItsModelAndData) {
  DpoConfig c = config("first");
  c.train.steps = 1;
  c.dpo.reference = dir_ / "shared.safetensors";
  ASSERT_EQ(run(c), 0);
  c.output = dir_ / "second";
  c.dpo.loss.beta = 0.5;
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(c), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("read from " + c.dpo.reference));

  c.output = dir_ / "third";
  make_pairs(dir_, "other.jsonl", 5, 500);
  c.data.paths = {dir_ / "other.jsonl"};
  EXPECT_THAT(refusal(c), HasSubstr("of other data: pair 1 of the training data"));
  c.data.paths = {dir_ / "pairs.jsonl"};
  c.model.from = dir_ / "first/model";
  EXPECT_THAT(refusal(c), HasSubstr("of another model"));
  c.model.from = dir_ / "base";
  c.model.chat_template = "plain";
  EXPECT_THAT(refusal(c), HasSubstr("of another chat template"));
}

TEST_F(Dpo, SimpoNeedsNoReference) {
  DpoConfig c = config("run");
  c.train.steps = 2;
  c.dpo.loss.loss = PreferenceLoss::simpo;
  c.dpo.loss.beta = 2;
  ASSERT_EQ(run(c), 0);
  EXPECT_FALSE(fs::exists(c.output + "/reference.safetensors"));
}

TEST_F(Dpo, BadInputIsRefused) {
  DpoConfig c = config("run");
  write_file(dir_ / "same.jsonl", R"({"prompt": "a?", "chosen": "b", "rejected": "b"})");
  c.data.paths = {dir_ / "same.jsonl"};
  EXPECT_THAT(refusal(c),
              AllOf(HasSubstr("same.jsonl:1"), HasSubstr("chosen and rejected are the same")));
  c = config("run");
  c.train.sequence_length = 50;
  c.validation.paths.clear();
  EXPECT_THAT(refusal(c), HasSubstr("tokens of a row, the prompt twice, and rows have 50"));
  c.data.too_long = RowPolicy::leave_out;
  EXPECT_LT(read_dpo_data(c, false).source->pairs().size(), 60);
  c.train.sequence_length = 4;
  EXPECT_NE(refusal(c), "no error");
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(Dpo, PairsShareRowsWherePackingIsOn) {
  DpoConfig c = config("run");
  ASSERT_TRUE(c.data.packing);
  const auto rows = [&] { return read_dpo_data(c, false).source->rows(); };
  EXPECT_LT(rows(), 60);
  c.data.packing = false;
  EXPECT_EQ(rows(), 60);
}

// Each kind of row follows its own policy.
TEST_F(Dpo, BadAndTooLongPairsAreLeftOutEachByItsPolicy) {
  write_file(dir_ / "mixed.jsonl",
             "{\"prompt\": \"a?\", \"chosen\": \"b\", \"rejected\": \"c\"}\n"
             "{\"prompt\": \"a?\", \"chosen\": \"b\", \"rejected\": \"b\"}\n"
             "{\"prompt\": \"a?\", \"chosen\": \"" +
                 std::string(200, 'y') + "\", \"rejected\": \"c\"}\n");
  DpoConfig c = config("run");
  c.data.paths = {dir_ / "mixed.jsonl"};
  const auto error = [&](RowPolicy bad, RowPolicy too_long) {
    c.data.bad_rows = bad;
    c.data.too_long = too_long;
    return input_error_of([&] { EXPECT_EQ(read_dpo_data(c, false).source->pairs().size(), 1); });
  };
  EXPECT_EQ(error(RowPolicy::leave_out, RowPolicy::leave_out), "no error");
  EXPECT_THAT(error(RowPolicy::refuse, RowPolicy::leave_out),
              HasSubstr(".jsonl:2: chosen and rejected are the same"));
  EXPECT_THAT(error(RowPolicy::leave_out, RowPolicy::refuse),
              AllOf(HasSubstr(".jsonl:3: "), HasSubstr("more than the context of 96")));
}

TEST_F(Dpo, AShareOfThePairsIsHeldOut) {
  DpoConfig c = config("run");
  c.validation.paths.clear();
  c.validation.share = 0.2;
  const DpoData data = read_dpo_data(c, false);
  EXPECT_EQ(data.source->pairs().size() + data.held_out->pairs().size(), 60);
  EXPECT_GT(data.held_out->pairs().size(), 4);
  EXPECT_LT(data.held_out->pairs().size(), 24);
}

TEST_F(Dpo, AConfigSaysWhatItLacks) {
  const auto error = [&](const std::string& text) {
    write_file(dir_ / "dpo.toml", text);
    return input_error_of([&] { load_dpo_config(dir_ / "dpo.toml"); });
  };
  EXPECT_EQ(error(""),
            "model.from is missing: name a Hugging Face directory, a run or a checkpoint");
  EXPECT_EQ(error("[model]\nfrom = \"x\"\n"), "data.paths is empty: name files of preferences");
  const std::string enough = "[model]\nfrom = \"x\"\n[data]\npaths = [\"y\"]\n";
  EXPECT_EQ(error(enough + "[dpo]\nbeta = -1\n"), "dpo.beta is -1: use a positive number");
  EXPECT_THAT(error(enough + "[dpo]\nloss = \"sigmod\"\n"), HasSubstr("sigmoid"));
  EXPECT_EQ(error(enough + "[validation]\nshare = 1.0\n"),
            "validation.share is 1: use 0 or more, below 1");
  EXPECT_EQ(error(enough), "no error");
}

TEST_F(Dpo, AChecksumOfWeightsFollowsTheWeights) {
  const std::string base = weights_checksum(dir_ / "base");
  EXPECT_EQ(weights_checksum(dir_ / "base"), base);
  DpoConfig c = config("run");
  c.train.steps = 3;
  ASSERT_EQ(run(c), 0);
  EXPECT_NE(weights_checksum(c.output + "/model"), base);
  const std::string step3 = weights_checksum(c.output + "/checkpoints/step-00000003");
  EXPECT_EQ(weights_checksum(c.output), step3);
  EXPECT_THAT(input_error_of([&] { weights_checksum(dir_ / "nothing"); }), HasSubstr("nothing"));
}

template <class Config>
void expect_own_chat_options(Config config) {
  EXPECT_EQ(chat_options(config).system, SystemPrompt::keep);
  EXPECT_FALSE(chat_options(config).now);
  config.model.system_prompt = SystemPrompt::replace;
  config.model.system_text = "T";
  config.model.date = "2025-03-07";
  const ChatOptions options = chat_options(config);
  EXPECT_EQ(options.system, SystemPrompt::replace);
  EXPECT_EQ(options.system_text, "T");
  ASSERT_TRUE(options.now);
  EXPECT_EQ(options.now->tm_year, 125);
  EXPECT_EQ(options.now->tm_mon, 2);
  EXPECT_EQ(options.now->tm_mday, 7);
  EXPECT_EQ(options.learned, LearnedTurns::all);
}

TEST(ChatOptionsOf, AConfigAreItsOwn) {
  expect_own_chat_options(DpoConfig());
  expect_own_chat_options(SftConfig());
  SftConfig last;
  last.data.learned = LearnedTurns::last;
  EXPECT_EQ(chat_options(last).learned, LearnedTurns::last);
}

TEST(DpoConfigs, SayWhatIsImpossible) {
  const TempDir dir;
  write_file(dir / "dpo.toml", "[model]\nfrom = \"m\"\n[data]\npaths = [\"x\"]\n");
  const auto refusal = [&](const std::string& override) {
    return input_error_of([&] { load_dpo_config(dir / "dpo.toml", std::vector{override}); });
  };
  EXPECT_EQ(refusal("seed=2"), "no error");
  EXPECT_THAT(refusal("output="), HasSubstr("output is empty"));
  EXPECT_THAT(refusal("model.from="), HasSubstr("model.from is missing"));
  EXPECT_THAT(refusal("data.paths=[]"), HasSubstr("data.paths is empty"));
  for (const char* date : {"07.03.2025", "2025-13-01", "2025-03-07x"}) {
    EXPECT_EQ(refusal("model.date=" + std::string(date)),
              "model.date is '" + std::string(date) + "': write it as 2025-03-07");
  }
  for (const char* share : {"-0.1", "1.0"}) {
    EXPECT_THAT(refusal("validation.share=" + std::string(share)),
                HasSubstr("validation.share is"));
  }
  EXPECT_THAT(refusal("train.sequence_length=1"), HasSubstr("train.sequence_length is 1"));
}

// All that the runs of the general trainer are told of, apart from what differs from its keys.
template <class Config>
Config with_shared_values() {
  Config c;
  c.device = "cuda:1";
  c.threads = 3;
  c.dtype = DTypeChoice::bf16;
  c.precision = Products::fp8;
  c.seed = 4;
  c.deterministic = true;
  c.data.prefetch = 5;
  c.optimizer.beta1 = 0.8;
  c.validation.every_steps = 6;
  c.validation.sample_prompts = {"a"};
  c.validation.sample_tokens = 7;
  c.validation.sample_temperature = 0.25;
  c.repetition.max_tokens = 8;
  c.checkpoint.every_steps = 9;
  c.parallel.tp = 2;
  c.guard.sigma = 10;
  return c;
}

TEST(DpoConfigs, BecomeARunsConfig) {
  DpoConfig config = with_shared_values<DpoConfig>();
  config.output = "out";
  config.model.from = "base";
  config.train.steps = 11;
  config.train.sequence_length = 12;
  config.schedule.kind = ScheduleKind::constant;
  config.schedule.peak = 0.125;
  ModelConfig model;
  model.num_layers = 13;
  const TrainConfig c = train_config(config, model);
  EXPECT_EQ(c.output, "out");
  EXPECT_EQ(c.init_from, "base");
  EXPECT_EQ(c.train.steps, 11);
  EXPECT_EQ(c.train.sequence_length, 12);
  EXPECT_EQ(c.schedule.kind, ScheduleKind::constant);
  EXPECT_EQ(c.schedule.peak, 0.125);
  EXPECT_EQ(c.model.num_layers, 13);
  EXPECT_EQ(c.device, "cuda:1");
  EXPECT_EQ(c.threads, 3);
  EXPECT_EQ(c.dtype, DTypeChoice::bf16);
  EXPECT_EQ(c.precision, Products::fp8);
  EXPECT_EQ(c.seed, 4);
  EXPECT_TRUE(c.deterministic);
  EXPECT_EQ(c.data.prefetch, 5);
  EXPECT_EQ(c.optimizer.beta1, 0.8);
  EXPECT_EQ(c.validation.every_steps, 6);
  EXPECT_EQ(c.validation.sample_prompts, std::vector<std::string>{"a"});
  EXPECT_EQ(c.validation.sample_tokens, 7);
  EXPECT_EQ(c.validation.sample_temperature, 0.25);
  EXPECT_EQ(c.repetition.max_tokens, 8);
  EXPECT_EQ(c.checkpoint.every_steps, 9);
  EXPECT_EQ(c.parallel.tp, 2);
  EXPECT_EQ(c.guard.sigma, 10);
}

// The prompt counts twice.
TEST_F(Dpo, APairMayFillARow) {
  write_file(dir_ / "one.jsonl", R"({"prompt": "a?", "chosen": "xyz", "rejected": "y"})");
  DpoConfig c = config("run");
  c.data.paths = {dir_ / "one.jsonl"};
  c.validation.paths.clear();
  const auto pairs = [&](std::int64_t length) {
    c.train.sequence_length = length;
    return read_dpo_data(c, false).source->pairs().size();
  };
  ASSERT_EQ(pairs(96), 1);
  const std::int64_t exact = pair_row_tokens(read_dpo_data(c, false).source->pairs()[0]);
  for (const RowPolicy policy : {RowPolicy::refuse, RowPolicy::leave_out}) {
    c.data.too_long = policy;
    EXPECT_EQ(pairs(exact), 1);
    const std::string refused = fmt::format(
        "pair 1 takes {} tokens of a row, the prompt twice, and rows have {}: raise "
        "train.sequence_length, or leave such pairs out with data.too_long = \"leave_out\"",
        exact, exact - 1);
    const std::string none =
        fmt::format("no pair fits into rows of {} tokens: raise train.sequence_length", exact - 1);
    EXPECT_EQ(input_error_of([&] { pairs(exact - 1); }),
              policy == RowPolicy::refuse ? refused : none);
  }
}

TEST_F(Dpo, HeldOutPairsAreOfFilesOrAShare) {
  DpoConfig c = config("run");
  c.validation.share = 0.5;
  DpoData data = read_dpo_data(c, false);
  EXPECT_EQ(data.source->pairs().size(), 60) << "files come before the share";
  EXPECT_EQ(data.held_out->pairs().size(), 11);
  c.validation.paths.clear();
  const auto held_out = [&](std::int64_t seed) {
    c.seed = seed;
    return read_dpo_data(c, false).held_out->pairs().hash();
  };
  const std::uint64_t first = held_out(1);
  EXPECT_EQ(held_out(1), first);
  EXPECT_NE(held_out(2), first);
  c.validation.share = 0;
  EXPECT_EQ(read_dpo_data(c, false).held_out, nullptr);
  c.validation.share = 0.9999999;
  EXPECT_EQ(input_error_of([&] { read_dpo_data(c, false); }),
            "validation.share holds all pairs out");
}

}  // namespace
}  // namespace fathom
