// Derived numbers of a run, and one clear line for every impossible size.
#include "train/plan.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "io/temp_dir.h"
#include "train/memory_table.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::HasSubstr;

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
  EXPECT_GT(resolve(config, {300, 10000}).max_tokens, std::int64_t{1} << 40);
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
      {[](auto& c) { c.optimizer.beta2 = 1; }, "optimizer.beta2 is 1"},
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
