// Derived numbers of a run, and one clear line for every impossible size.
#include "train/plan.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "core/parallel.h"
#include "data/sample_data.h"
#include "io/temp_dir.h"
#include "train/memory_table.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::HasSubstr;

constexpr std::int64_t most_tokens = 1'000'000'000'000'000'000;

TrainConfig small() {
  TrainConfig config;
  config.model.num_layers = 2;
  config.model.hidden_size = 64;
  config.model.num_heads = 4;
  config.train.sequence_length = 32;
  config.train.global_batch = 6;
  config.train.steps = 10;
  config.threads = 2;
  return config;
}

TEST(Plan, DerivesEveryNumber) {
  TrainConfig config = small();
  config.train.micro_batch = 2;
  config.dtype = DTypeChoice::f32;
  const TrainPlan plan = resolve(config, {300, 10000});
  EXPECT_EQ(plan.dtype, DType::f32);
  EXPECT_EQ(plan.micro_batches, 3);
  EXPECT_EQ(plan.micro_tokens, 64);
  EXPECT_EQ(plan.tokens_per_step, 192);
  EXPECT_EQ(plan.last_step({}), 10);
  EXPECT_EQ(plan.config.model.vocab_size, 320) << "padded to 64";
  EXPECT_EQ(plan.config.model.num_kv_heads, 4);
}

RunPosition position(std::int64_t steps, std::int64_t tokens, double seconds = 0) {
  return {steps, tokens, 0, seconds};
}

TEST(Plan, EndsAtTheFirstLimit) {
  TrainConfig config = small();
  config.train.tokens = 193;  // of 192 a step: two steps
  EXPECT_EQ(resolve(config, {300, 10000}).last_step({}), 2);
  config.train.steps = 1;
  EXPECT_EQ(resolve(config, {300, 10000}).last_step({}), 1);
  config.train.steps = 10;
  config.train.tokens.reset();
  config.train.epochs = 0.05;  // 500 tokens
  EXPECT_EQ(resolve(config, {300, 10000}).last_step({}), 3);
  config.train.max_minutes = 1;
  const TrainPlan plan = resolve(config, {300, 10000});
  EXPECT_FALSE(plan.finished(position(2, 499, 59.9)));
  EXPECT_TRUE(plan.finished(position(2, 500)));
  EXPECT_TRUE(plan.finished(position(10, 0)));
  EXPECT_FALSE(plan.finished(position(9, 0)));
  EXPECT_TRUE(plan.finished(position(1, 0, 60)));
  EXPECT_DOUBLE_EQ(plan.progress(position(1, 100, 54)), 0.9) << "whichever limit is nearer";
  EXPECT_DOUBLE_EQ(plan.progress(position(1, 400, 54)), 0.9);
  EXPECT_DOUBLE_EQ(plan.progress(position(1, 475, 54)), 0.95);
  EXPECT_DOUBLE_EQ(plan.progress(position(9, 100)), 0.9);
  EXPECT_DOUBLE_EQ(plan.progress(position(11, 600)), 1);
}

TEST(Plan, TheSmallerOfTokensAndEpochsCounts) {
  TrainConfig config = small();
  config.train.steps.reset();
  config.train.tokens = 700;
  config.train.epochs = 0.05;
  EXPECT_EQ(resolve(config, {300, 10000}).max_tokens, 500);
  config.train.tokens = 300;
  EXPECT_EQ(resolve(config, {300, 10000}).max_tokens, 300);
}

TEST(Plan, SaysHowOftenTheDataIsRead) {
  TrainConfig config = small();
  config.train.steps = 50;
  const TrainPlan plan = resolve(config, {300, 10000});
  EXPECT_EQ(plan.epochs(), 50.0 * static_cast<double>(plan.tokens_per_step) / 10000);
  config.train.steps.reset();
  config.train.max_minutes = 1;
  EXPECT_EQ(resolve(config, {300, 10000}).epochs(), 0);
}

// A run that goes on with steps of twice the size: what it has seen and what it has left are
// tokens, so neither its end nor its schedule moves.
TEST(Plan, AnotherBatchMovesNeitherEndNorSchedule) {
  TrainConfig config = small();
  config.train.steps.reset();
  config.train.tokens = 1000;
  const TrainPlan before = resolve(config, {300, 10000});
  config.train.global_batch = 12;
  const TrainPlan after = resolve(config, {300, 10000});
  EXPECT_EQ(before.last_step({}), 6);
  const RunPosition middle = position(3, 3 * 192);
  EXPECT_EQ(before.last_step(middle), 6);
  EXPECT_EQ(after.last_step(middle), 5) << "3 and the 424 tokens left in steps of 384";
  EXPECT_EQ(after.last_step(position(6, 1000)), 6);
  for (const std::int64_t tokens : {0, 576, 799, 800, 900, 999, 1000}) {
    const RunPosition now = position(3, tokens);
    EXPECT_EQ(before.progress(now), double(tokens) / 1000);
    EXPECT_EQ(before.progress(now), after.progress(now));
    EXPECT_EQ(before.learning_rate(now), after.learning_rate(now));
    EXPECT_EQ(after.finished(now), tokens == 1000);
  }
  EXPECT_LT(after.learning_rate(position(3, 800)), after.learning_rate(position(3, 799)));
}

TEST(Plan, KeepsCheckpointsWhereTheRateFallsAndAtTokens) {
  TrainConfig config = small();
  config.train.steps.reset();
  config.train.tokens = 1000;
  const auto keeps = [&](std::int64_t before, std::int64_t now) {
    return resolve(config, {300, 10000}).keeps(position(1, before), position(2, now));
  };
  EXPECT_FALSE(keeps(0, 1000)) << "unless it is asked to";
  config.checkpoint.keep_phase_ends = true;
  EXPECT_FALSE(keeps(700, 799));
  EXPECT_TRUE(keeps(799, 800));
  EXPECT_TRUE(keeps(600, 950));
  EXPECT_FALSE(keeps(800, 899));
  EXPECT_TRUE(keeps(800, 900));
  EXPECT_FALSE(keeps(900, 1000));
  config.checkpoint.keep_tokens = {500, 100};
  EXPECT_TRUE(keeps(99, 100));
  EXPECT_FALSE(keeps(100, 499));
  EXPECT_TRUE(keeps(499, 501));
  config.checkpoint.enabled = false;
  EXPECT_FALSE(keeps(499, 501)) << "nothing is saved";
}

TEST(Plan, AWarmUpIsNeverBehindThatOfTheBranch) {
  TrainConfig config = small();
  config.train.steps = 100;
  config.schedule.peak = 1;
  config.schedule.warmup_steps = 10;
  config.schedule.max_warmup = 1;
  TrainPlan plan = resolve(config, {300, 10000});
  plan.branch.emplace().warmup = 0.5;
  EXPECT_EQ(plan.learning_rate(position(2, 0)), 0.5);
  EXPECT_EQ(plan.learning_rate(position(4, 0)), 0.5);
  EXPECT_EQ(plan.learning_rate(position(5, 0)), 0.6);
  EXPECT_EQ(plan.learning_rate(position(50, 0)), 1);
  EXPECT_DOUBLE_EQ(plan.learning_rate(position(85, 0)), config.schedule.factors[0]);
}

TEST(Plan, TimeAloneHasNoLastStep) {
  TrainConfig config = small();
  config.train.steps.reset();
  config.train.max_minutes = 2;
  const TrainPlan plan = resolve(config, {300, 10000});
  EXPECT_EQ(plan.last_step({}), 0);
  EXPECT_EQ(plan.max_seconds, 120);
  EXPECT_FALSE(plan.finished(position(1 << 30, 1LL << 60, 119)));
  EXPECT_DOUBLE_EQ(plan.progress(position(5, 500, 30)), 0.25);
}

// Epochs without bounds are many tokens, not a number that has overflowed.
TEST(Plan, HasANumberOfTokensForAnyEpochs) {
  TrainConfig config = small();
  config.train.steps.reset();
  config.train.epochs = 1e300;
  EXPECT_EQ(resolve(config, {300, 10000}).max_tokens, most_tokens);
}

// The last value of each key that is taken.
TEST(Plan, TakesWhatJustFits) {
  const std::function<void(TrainConfig&)> all[] = {
      [](auto& c) { c.model.vocab_size = 300; },
      [](auto& c) { c.train.sequence_length = c.train.global_batch = 1; },
      [](auto& c) { c.train.sequence_length = 4096; },
      [](auto& c) { c.train.micro_batch = 0, c.train.logits_chunk = 0; },
      [](auto& c) { c.train.micro_batch = 1, c.train.logits_chunk = 1; },
      [](auto& c) { c.train.micro_batch = 6; },
      [](auto& c) { c.train.global_batch = 67108863, c.train.micro_batch = 1; },
      [](auto& c) { c.train.steps = 1; },
      [](auto& c) { c.train.steps = most_tokens / 192; },
      [](auto& c) { c.train.tokens = 1; },
      [](auto& c) { c.train.tokens = most_tokens; },
      [](auto& c) { c.train.epochs = c.train.max_minutes = 1e-300; },
      [](auto& c) { c.train.log_seconds = 0; },
      [](auto& c) { c.threads = 4096; },
      [](auto& c) { c.threads = c.seed = c.data.validation_tokens = 0; },
      [](auto& c) { c.data.prefetch = 1; },
      [](auto& c) { c.data.prefetch = 1024; },
      [](auto& c) { c.validation.every_steps = c.validation.sample_tokens = 0; },
      [](auto& c) { c.validation.sample_temperature = 0; },
      [](auto& c) { c.repetition.every_steps = 0, c.repetition.limit = 0; },
      [](auto& c) { c.repetition.max_tokens = c.repetition.prompt_tokens = 1; },
      [](auto& c) { c.repetition.batch = 1, c.repetition.limit = 1; },
      [](auto& c) { c.eval.tasks = {"t"}, c.eval.data = "d", c.eval.steps = {0}; },
      [](auto& c) { c.eval.tasks = {"t"}, c.eval.data = "d", c.eval.batch = 1, c.eval.shots = 0; },
      [](auto& c) { c.eval.tasks = {"t"}, c.eval.data = "d", c.train.sequence_length = 2; },
      [](auto& c) { c.validation.sample_prompts = {}, c.validation.sample_tokens = 5; },
  };
  for (std::size_t i = 0; i < std::size(all); ++i) {
    TrainConfig config = small();
    all[i](config);
    EXPECT_EQ(input_error_of([&] { resolve(config, {300, 10000}); }), "no error") << i;
  }
}

TEST(Plan, AnyOneLimitIsAnEnd) {
  const std::function<void(LoopConfig&)> limits[] = {
      [](auto& c) { c.steps = 1; }, [](auto& c) { c.tokens = 1; }, [](auto& c) { c.epochs = 1; },
      [](auto& c) { c.max_minutes = 1; }};
  for (const auto& limit : limits) {
    TrainConfig config = small();
    config.train.steps.reset();
    limit(config.train);
    const TrainPlan plan = resolve(config, {300, 10000});
    EXPECT_FALSE(plan.finished({}));
    EXPECT_TRUE(plan.finished(position(10000, 10000, 10000)));
  }
}

// The largest divisor of a replica's batch whose tokens are at most 4096 on a CPU.
TEST(Plan, ChoosesTheMicroBatchAndWhatElseIsOpen) {
  struct Case {
    std::int64_t length, batch, micro_batch;
    int ranks = 1;
  };
  for (const auto& [length, batch, micro_batch, ranks] : {Case{1024, 12, 4},
                                                          {1024, 10, 2},
                                                          {1025, 12, 3},
                                                          {1024, 12, 3, 2},
                                                          {32, 6, 6},
                                                          {32, 7, 7},
                                                          {4096, 12, 1},
                                                          {32, 1024, 128}}) {
    TrainConfig config = small();
    config.train.sequence_length = length;
    config.train.global_batch = batch;
    const TrainPlan plan = resolve(config, {300, 10000}, ranks);
    EXPECT_EQ(plan.config.train.micro_batch, micro_batch) << batch << " of " << length;
    EXPECT_EQ(plan.micro_batches, batch / micro_batch / ranks);
    EXPECT_EQ(plan.micro_tokens, micro_batch * length);
    EXPECT_EQ(plan.tokens_per_step, batch * length);
    EXPECT_EQ(plan.config.parallel.dp, ranks);
  }
  TrainConfig config = small();
  config.threads = 0;
  TrainPlan plan = resolve(config, {300, 10000});
  EXPECT_EQ(plan.config.train.logits_chunk, 1024);
  EXPECT_EQ(plan.config.train.recompute, RecomputeChoice::selective);
  EXPECT_EQ(plan.threads, num_threads());
  EXPECT_NE(plan.config.dtype, DTypeChoice::automatic);
  config.train.logits_chunk = 7;
  config.train.recompute = RecomputeChoice::none;
  config.threads = 3;
  config.dtype = DTypeChoice::bf16;
  plan = resolve(config, {300, 10000});
  EXPECT_EQ(plan.config.train.logits_chunk, 7);
  EXPECT_EQ(plan.config.train.recompute, RecomputeChoice::none);
  EXPECT_EQ(plan.threads, 3);
  EXPECT_EQ(plan.dtype, DType::bf16);
  EXPECT_EQ(plan.config.dtype, DTypeChoice::bf16);
}

// A GPU takes 16384 tokens at once, of one replica.
TEST(Plan, ChoosesLargerPiecesOnAGpu) {
  LoopConfig loop;
  loop.sequence_length = 1024;
  loop.global_batch = 96;
  EXPECT_EQ(choose_micro_batch(loop, 1, DeviceType::cuda), 16);
  EXPECT_EQ(choose_micro_batch(loop, 1, DeviceType::cpu), 4);
  EXPECT_EQ(choose_micro_batch(loop, 8, DeviceType::cuda), 12);
  loop.sequence_length = 1025;
  EXPECT_EQ(choose_micro_batch(loop, 1, DeviceType::cuda), 12) << "16 are 16 tokens too many";
  loop.sequence_length = 1 << 20;
  EXPECT_EQ(choose_micro_batch(loop, 1, DeviceType::cuda), 1) << "one at least";
  EXPECT_EQ(choose_logits_chunk(DeviceType::cpu), 1024);
  EXPECT_EQ(choose_logits_chunk(DeviceType::cuda), 8192);
}

TEST(Plan, DrawsASampleOfEachPromptWhereSamplesAreWanted) {
  TrainConfig config = small();
  config.validation.sample_prompts = {"a", "b", "c"};
  EXPECT_EQ(resolve(config, {300, 10000}).sample_rows(), 3);
  config.validation.sample_tokens = 0;
  EXPECT_EQ(resolve(config, {300, 10000}).sample_rows(), 0);
}

TEST(Plan, AVocabularyThatIsAMultipleStaysAsItIs) {
  EXPECT_EQ(resolve(small(), {320, 10000}).config.model.vocab_size, 320);
  EXPECT_EQ(resolve(small(), {321, 10000}).config.model.vocab_size, 384);
  TrainConfig config = small();
  config.model.vocab_size = 301;
  EXPECT_EQ(resolve(config, {300, 10000}).config.model.vocab_size, 301);
}

TEST(Plan, PrecisionFollowsTheDevice) {
  const Device gpu{DeviceType::cuda, 0};
  EXPECT_TRUE(computes_bf16(gpu));
  EXPECT_EQ(choose_dtype(DTypeChoice::automatic, gpu), DType::bf16);
  EXPECT_EQ(choose_dtype(DTypeChoice::automatic, cpu_device),
            computes_bf16(cpu_device) ? DType::bf16 : DType::f32);
  for (const Device device : {gpu, cpu_device}) {
    EXPECT_EQ(choose_dtype(DTypeChoice::bf16, device), DType::bf16);
    EXPECT_EQ(choose_dtype(DTypeChoice::f32, device), DType::f32);
  }
}

TEST(Plan, Fp8TakesSizesThatSuitIt) {
  TrainConfig config = small();
  config.precision = Products::fp8;
  config.train.sequence_length = 48;
  config.train.global_batch = config.train.micro_batch = 4;
  EXPECT_EQ(resolve(config, {300, 10000}).config.precision, Products::fp8);
  const auto refused = [&](const TrainConfig& c, const std::string& reason) {
    EXPECT_THAT(test::input_error_of([&] { resolve(c, {300, 10000}); }),
                testing::HasSubstr("precision is fp8, which multiplies sizes that are multiples of "
                                   "16: " + reason));
  };
  TrainConfig other = config;
  other.train.sequence_length = 42;
  refused(other, "train.micro_batch x train.sequence_length, in parallel.sequence_pieces, is 168");
  other = config;
  other.model.intermediate_size = 40;
  refused(other, "a side of layers.0.mlp.down.weight on a rank is 40; change that, or leave precision out");
}

TEST(Plan, AnEpochIsAllTokensOfAllSources) {
  const test::TempDir dir;
  prepare_data(test::sample_config(dir), test::byte_encoder());
  DataConfig data;
  data.directory = dir / "out";
  const PreparedData prepared = open_prepared(data);
  ASSERT_GT(prepared.sources.size(), 1u);
  std::int64_t tokens = 0;
  for (const PreparedSource& source : prepared.sources) tokens += source.train.counts().tokens;
  const DataFacts facts = facts_of(prepared, data);
  EXPECT_TRUE(facts.uniform_segments);
  data.attention_within_documents = true;
  EXPECT_FALSE(facts_of(prepared, data).uniform_segments);
  EXPECT_EQ(facts.train_tokens, tokens);
  EXPECT_EQ(facts.vocab_size, prepared.vocab_size);
  TrainConfig config = small();
  config.train.epochs = 1e-9;
  EXPECT_EQ(resolve(config, facts).max_tokens, 1) << "one at least";
  config.train.epochs = 2;
  EXPECT_EQ(resolve(config, facts).max_tokens, 2 * tokens);
  EXPECT_EQ(resolve(config, facts).epoch_tokens, tokens);
}

TEST(Plan, ImpossibleSizesNameTheirKey) {
  struct Wrong {
    std::function<void(TrainConfig&)> change;
    const char* message;
  };
  const Wrong all[] = {
      {[](auto& c) { c.model.num_heads = 5; },
       "model.num_heads (5) does not divide model.hidden_size (64)"},
      {[](auto& c) { c.model.num_kv_heads = 3; },
       "model.num_kv_heads (3) does not divide model.num_heads (4)"},
      {[](auto& c) { c.model.head_dim = 7; }, "model.head_dim is 7"},
      {[](auto& c) { c.model.num_layers = 0; }, "model.num_layers is 0"},
      {[](auto& c) { c.model.hidden_size = -64; }, "model.hidden_size is -64"},
      {[](auto& c) { c.model.vocab_size = 299; },
       "model.vocab_size (299) is smaller than the tokenizer's vocabulary (300)"},
      {[](auto& c) { c.train.sequence_length = 0; }, "train.sequence_length is 0"},
      {[](auto& c) { c.train.sequence_length = 5000; },
       "train.sequence_length (5000) is longer than model.max_position (4096)"},
      {[](auto& c) { c.train.global_batch = 0; }, "train.global_batch is 0"},
      {[](auto& c) { c.train.micro_batch = 4; },
       "train.global_batch (6) is not a multiple of train.micro_batch (4)"},
      {[](auto& c) { c.train.global_batch = 1 << 28; }, "more than 2^31 tokens"},
      {[](auto& c) { c.train.logits_chunk = -1; }, "train.logits_chunk is -1"},
      {[](auto& c) { c.train.steps = 0; }, "train.steps is 0"},
      {[](auto& c) { c.train.steps.reset(); }, "train: the run has no end"},
      {[](auto& c) { c.train.epochs = -1; }, "train.epochs is -1"},
      {[](auto& c) { c.train.max_minutes = 0; }, "train.max_minutes is 0"},
      {[](auto& c) { c.train.tokens = 0; }, "train.tokens is 0"},
      {[](auto& c) { c.train.steps = INT64_MAX; }, "train.steps (9223372036854775807) of "},
      {[](auto& c) { c.train.tokens = INT64_MAX; }, "train.tokens is 9223372036854775807: use at"},
      {[](auto& c) { c.train.sequence_length = INT64_MAX; },
       "train.sequence_length (9223372036854775807) is longer than"},
      {[](auto& c) { c.train.global_batch = INT64_MAX; }, "more than 2^31 tokens"},
      {[](auto& c) { c.train.epochs = INFINITY; }, "train.epochs is inf"},
      {[](auto& c) { c.train.max_minutes = INFINITY; }, "train.max_minutes is inf"},
      {[](auto& c) { c.train.log_seconds = -1; }, "train.log_seconds is -1"},
      {[](auto& c) { c.train.log_seconds = NAN; }, "train.log_seconds is nan"},
      {[](auto& c) { c.data.prefetch = 0; }, "data.prefetch is 0: use 1 or more"},
      {[](auto& c) { c.data.prefetch = 1025; }, "data.prefetch is 1025: use at most 1024"},
      {[](auto& c) { c.data.validation_tokens = -1; }, "data.validation_tokens is -1"},
      {[](auto& c) { c.threads = 4097; }, "threads is 4097: use at most 4096"},
      {[](auto& c) { c.threads = -1; }, "threads is -1"},
      {[](auto& c) { c.seed = -1; }, "seed is -1"},
      {[](auto& c) { c.validation.every_steps = -1; }, "validation.every_steps is -1"},
      {[](auto& c) { c.validation.sample_tokens = -1; }, "validation.sample_tokens is -1"},
      {[](auto& c) { c.repetition.every_steps = -1; }, "repetition.every_steps is -1"},
      {[](auto& c) { c.repetition.max_tokens = 0; }, "repetition.max_tokens is 0"},
      {[](auto& c) { c.repetition.prompt_tokens = 0; }, "repetition.prompt_tokens is 0"},
      {[](auto& c) { c.repetition.batch = 0; }, "repetition.batch is 0"},
      {[](auto& c) { c.repetition.limit = 1.5; }, "repetition.limit is 1.5: use a share"},
      {[](auto& c) { c.repetition.limit = std::nan(""); }, "repetition.limit is nan"},
      {[](auto& c) { c.validation.sample_temperature = -0.5; },
       "validation.sample_temperature is -0.5"},
      {[](auto& c) { c.validation.sample_temperature = std::nan(""); },
       "validation.sample_temperature is nan"},
      {[](auto& c) { c.validation.sample_temperature = HUGE_VAL; },
       "validation.sample_temperature is inf"},
      {[](auto& c) {
         c.validation.sample_prompts = {"Once", ""};
       },
       "validation.sample_prompts holds an empty text"},
      {[](auto& c) { c.repetition.limit = -0.01; }, "repetition.limit is -0.01: use a share"},
      {[](auto& c) { c.eval.every_steps = -1; }, "eval.every_steps is -1: use 0 or more"},
      {[](auto& c) {
         c.eval.steps = {4, -1};
       },
       "eval.steps holds -1: use 0 or more"},
      {[](auto& c) { c.eval.limit = -1; }, "eval.limit is -1: use 0 or more"},
      {[](auto& c) { c.eval.shots = -1; }, "eval.shots is -1: use 0 or more"},
      {[](auto& c) { c.eval.batch = 0; }, "eval.batch is 0: use 1 or more"},
      {[](auto& c) { c.eval.cache_gib = 0; }, "eval.cache_gib is 0: use more than 0"},
      {[](auto& c) { c.eval.cache_gib = INFINITY; }, "eval.cache_gib is inf"},
      {[](auto& c) { c.eval.tasks = {"t"}; }, "eval.data is missing: name the folder"},
      {[](auto& c) { c.eval.data = "d"; }, "[eval] has keys but no tasks"},
      {[](auto& c) { c.eval.tasks = {"t"}, c.eval.data = "d", c.train.sequence_length = 1; },
       "train.sequence_length is 1: [eval] needs 2 or more"},
      {[](auto& c) { c.init_from = "a", c.continue_from = "b"; },
       "init_from and continue_from: give one of them"},
      {[](auto& c) { c.optimizer.beta2 = 1; }, "optimizer.beta2 is 1"},
      {[](auto& c) { c.schedule.peak = 0; }, "schedule.peak is 0"},
      {[](auto& c) { c.guard.window = 1; }, "guard.window is 1"},
      {[](auto& c) { c.train.micro_batch = -1; }, "train.micro_batch is -1: use 0 or more"},
      {[](auto& c) { c.train.global_batch = 67108864, c.train.micro_batch = 1; },
       "train.global_batch (67108864) times train.sequence_length (32) is more than 2^31"},
      {[](auto& c) { c.train.sequence_length = 4097; },
       "train.sequence_length (4097) is longer than model.max_position (4096)"},
      {[](auto& c) { c.train.steps = most_tokens / 192 + 1; },
       "train.steps (5208333333333334) of 192 tokens each are more than 1000000000000000000"},
      {[](auto& c) { c.train.tokens = most_tokens + 1; },
       "train.tokens is 1000000000000000001: use at most 1000000000000000000"},
      {[](auto& c) { c.train.epochs = 0; }, "train.epochs is 0"},
      {[](auto& c) { c.output.clear(); }, "output is empty: name the run's directory"},
      {[](auto& c) { c.checkpoint.keep_last = 0; }, "checkpoint.keep_last is 0"},
      {[](auto& c) { c.device = "tpu"; }, "tpu"},
  };
  for (const Wrong& wrong : all) {
    TrainConfig config = small();
    wrong.change(config);
    EXPECT_THAT(input_error_of([&] { resolve(config, {300, 10000}); }), HasSubstr(wrong.message));
  }
}

TEST(MemoryTable, ListsRowsAndTheirTotal) {
  MemoryTable table(cpu_device);
  table.add("weights", 3 << 20);
  table.add("nothing", 0);
  table.add_host("snapshot", 1 << 20);
  EXPECT_EQ(table.device_total(), 4u << 20);
  EXPECT_THAT(table.text(), HasSubstr("weights"));
  EXPECT_THAT(table.text(), HasSubstr("75.0 %"));
  EXPECT_THAT(table.text(), HasSubstr("snapshot"));
  EXPECT_EQ(table.text().find("nothing"), std::string::npos);
}

}  // namespace
}  // namespace fathom
