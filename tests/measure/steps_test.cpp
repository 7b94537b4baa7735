// Real training steps of a small model, timed on the CPU.
#include "measure/steps.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <thread>

#include "core/parallel.h"
#include "io/temp_dir.h"
#include "measure/save.h"
#include "train/machine.h"

namespace fathom::measure {
namespace {

constexpr std::int64_t layers = 2, tokens = 256, length = 32, micro_batches = 4;

// On one thread: what is counted does not depend on their number.
StepShape small_step() {
  set_num_threads(1);
  StepShape shape;
  shape.model.num_layers = layers;
  shape.model.hidden_size = 64;
  shape.model.num_heads = 4;
  shape.model.num_kv_heads = 2;
  shape.model.vocab_size = 320;
  shape.model = resolve(shape.model);
  shape.device = cpu_device;
  shape.sequences = tokens / length;
  shape.sequence_length = length;
  shape.micro_batch = shape.sequences / micro_batches;
  shape.logits_chunk = 48;
  return shape;
}

StepTimes measure(Recompute recompute, const Effort& effort) {
  StepShape shape = small_step();
  shape.recompute = recompute;
  return measure_steps(shape, effort);
}

std::map<std::string, std::int64_t> calls_of(const StepTimes& times) {
  std::map<std::string, std::int64_t> calls;
  for (const OperationRow& row : times.operations) calls[row.name] = row.count;
  return calls;
}

// Rows of 32 by best fit: [20, 12], [19, 5, 3]. Three sequences of 7 texts repeat the first.
TEST(MeasureSteps, TextsArePackedIntoSequences) {
  StepShape shape = small_step();
  EXPECT_EQ(text_tokens(shape), tokens);
  shape.text_lengths = {5, 20, 3, 19, 12};
  shape.sequences = 3;
  using Rows = std::vector<std::vector<std::int64_t>>;
  EXPECT_EQ(packed_texts(shape), (Rows{{20, 12}, {19, 5, 3}, {20, 12}}));
  EXPECT_EQ(text_tokens(shape), 32 + 27 + 32);
  shape.text_lengths = {32, 31, 30, 29};
  shape.sequences = 2;
  EXPECT_EQ(packed_texts(shape), (Rows{{32}, {30}})) << "evenly spread over the rows";
  const auto refusal = [&](std::vector<std::int64_t> lengths) {
    shape.text_lengths = std::move(lengths);
    return test::input_error_of([&] { packed_texts(shape); });
  };
  EXPECT_EQ(refusal({1, 32}), "no error");
  for (const std::int64_t given : {-1, 0, 33}) {
    EXPECT_EQ(
        refusal({5, given}),
        fmt::format("a text of {} tokens in sequences of 32: use lengths from 1 to 32", given));
    EXPECT_EQ(refusal({given}), refusal({5, given}));
  }
}

TEST(MeasureSteps, PackedTextsHaveSegmentsAndNoTargetsInPadding) {
  StepShape shape = small_step();
  shape.text_lengths = {20, 7};
  shape.sequences = 2;
  shape.micro_batch = 1;
  Context context(cpu_device);
  const BenchBatches batches(context, shape);
  ASSERT_EQ(batches.get().size(), 2u);
  const MicroBatch& batch = batches.get().back();
  const auto ints = [](Tensor x) {
    const auto* values = x.as<std::int32_t>();
    return std::vector<std::int32_t>(values, values + x.elements());
  };
  EXPECT_EQ(ints(batch.tokens.segments.offsets), (std::vector<std::int32_t>{0, 20, 27, 32}));
  EXPECT_EQ(ints(batch.tokens.positions).at(20), 0);
  EXPECT_EQ(ints(batch.tokens.positions).at(26), 6);
  const auto targets = ints(batch.targets);
  for (std::size_t i = 0; i < targets.size(); ++i) EXPECT_EQ(targets[i] < 0, i >= 27) << i;
}

// A text as long as a sequence leaves no padding, and one of a single token all but that.
TEST(MeasureSteps, TextsMayFillASequenceOrHaveOneToken) {
  StepShape shape = small_step();
  shape.sequences = shape.micro_batch = 1;
  Context context(cpu_device);
  shape.text_lengths = {length};
  const BenchBatches whole(context, shape);
  EXPECT_EQ(whole.get()[0].tokens.segments.offsets.elements(), 2);
  EXPECT_EQ(text_tokens(shape), length);
  shape.text_lengths = {1};
  const BenchBatches one(context, shape);
  EXPECT_EQ(one.get()[0].tokens.segments.offsets.elements(), 3);
  EXPECT_EQ(text_tokens(shape), 1);
}

// The losses of pairs weigh their tokens; a text without another, and padding, count for nothing.
TEST(MeasureSteps, PairsAreWeighedWithinTheStep) {
  StepShape shape = small_step();
  shape.sequences = shape.micro_batch = 1;
  shape.text_lengths = {9, 8, 7};
  shape.pairs = true;
  BenchSteps steps(shape);
  EXPECT_GT(steps.evaluate(), 0);
  steps.run();
  const float* weights = steps.batches().get()[0].loss_weights.as<float>();
  EXPECT_GT(weights[0], 0);
  for (int i = 0; i < length; ++i) {
    const float expected = i < 9 ? weights[0] : i < 9 + 8 ? -weights[0] : 0;
    EXPECT_EQ(weights[i], expected) << i;
  }
  const StepTimes times = measure_steps(shape, {2, 0, false});
  EXPECT_EQ(times.forwards.size(), 2u);
  EXPECT_EQ(times.unpaired.size(), 2u);
  EXPECT_TRUE(measure_steps(small_step(), {1, 0, false}).forwards.empty());
}

TEST(MeasureSteps, LearnersOptionsFollowFromTheStep) {
  StepShape shape = small_step();
  shape.recompute = Recompute::full;
  const OneRank rank(shape.model);
  const LearnerOptions options = learner_options(shape, rank.groups);
  EXPECT_EQ(options.micro_tokens, 64);
  EXPECT_EQ(options.tokens_per_step, 256);
  EXPECT_EQ(options.sequence_length, 32);
  EXPECT_EQ(options.stage.recompute, Recompute::full);
  EXPECT_EQ(options.stage.logits_chunk, 48);
  EXPECT_TRUE(options.uniform_segments);
  // Four numbers a token, and room to align them in each of four micro-batches.
  EXPECT_EQ(BenchBatches::bytes(shape), 256u * 16 + 4u * 4096);
  EXPECT_EQ(step_bytes(shape),
            Learner::bytes(options).device_total() + BenchBatches::bytes(shape) + device_reserve);
  shape.text_lengths = {5};
  EXPECT_FALSE(learner_options(shape, rank.groups).uniform_segments);
}

TEST(MeasureSteps, TheTableHoldsAllOfAStep) {
  const StepTimes times = measure(Recompute::none, {2, 0, true});
  EXPECT_EQ(times.steps.size(), 2u);
  EXPECT_EQ(times.traced.size(), 2u);
  const auto calls = calls_of(times);
  EXPECT_EQ(calls.at("qkv"), layers * micro_batches);
  EXPECT_EQ(calls.at("attention_backward"), layers * micro_batches);
  EXPECT_EQ(calls.at("add_rmsnorm"), (2 * layers + 1) * micro_batches);
  EXPECT_EQ(calls.at("embedding_backward"), micro_batches);
  EXPECT_EQ(calls.at("head"), 2 * micro_batches) << "64 tokens, 48 at once";
  for (const char* name : {"output dgrad", "gate_up wgrad", "down", "rope", "swiglu", "adamw",
                           "swiglu_backward", "cross_entropy", "add_sum_of_squares", "fill"}) {
    EXPECT_TRUE(calls.contains(name)) << name;
  }
  double products = 0, attention = 0, seconds = 0;
  for (const OperationRow& row : times.operations) {
    const double flops = row.flops * static_cast<double>(row.count);
    (row.name.starts_with("attention") ? attention : products) += flops;
    seconds += row.total();
    EXPECT_GT(row.bytes, 0) << row.name;
    EXPECT_GT(row.seconds, 0) << row.name;
    EXPECT_EQ(row.ceiling_seconds > 0, row.bound == Bound::products) << row.name;
    EXPECT_TRUE(std::isfinite(row.ceiling_seconds)) << row.name << ": the best of two searches";
    EXPECT_FALSE(row.call) << row.name << ": its memory is gone";
  }
  // The count that turns tokens a second into TFLOP/s: attention's backward has a product
  // there that it has to do again here.
  const ModelConfig model = small_step().model;
  EXPECT_DOUBLE_EQ(products, 6.0 * static_cast<double>(count_matmul_parameters(model) * tokens));
  EXPECT_DOUBLE_EQ(attention * 6 / 7,
                   6.0 * static_cast<double>(layers * model.query_width() * length * tokens));
  EXPECT_DOUBLE_EQ(train_flops_per_token(model, length) * static_cast<double>(tokens),
                   products + attention * 6 / 7);
  const double traced = times.traced[0] + times.traced[1];
  EXPECT_LE(2 * (seconds + times.gaps), traced * (1 + 1e-9));
  EXPECT_GE(times.gaps, 0);
}

TEST(MeasureSteps, RecomputationShowsInTheTable) {
  const auto none = calls_of(measure(Recompute::none, {1, 0, true}));
  const auto full = calls_of(measure(Recompute::full, {1, 0, true}));
  EXPECT_EQ(full.at("qkv"), 2 * none.at("qkv"));
  EXPECT_EQ(full.at("down"), none.at("down")) << "its output is not needed again";
  EXPECT_EQ(full.at("qkv wgrad"), none.at("qkv wgrad"));
}

TEST(MeasureSteps, WithoutOperationsTheStepsAlone) {
  const StepTimes times = measure(Recompute::none, {3, 0, false});
  EXPECT_EQ(times.steps.size(), 3u);
  EXPECT_TRUE(times.traced.empty());
  EXPECT_TRUE(times.operations.empty());
}

// Random tokens of the vocabulary, in whole sequences; another batch has others.
TEST(BenchBatches, AreWholeSequencesOfRandomTokens) {
  const StepShape shape = small_step();
  Context context(cpu_device, 0);
  const BenchBatches batches(context, shape);
  ASSERT_EQ(std::ssize(batches.get()), micro_batches);
  std::vector<std::vector<std::int32_t>> seen;
  for (const MicroBatch& batch : batches.get()) {
    ASSERT_EQ(batch.ids.elements(), tokens / micro_batches);
    for (const Tensor& x : {batch.ids, batch.targets}) {
      const std::span values(x.as<std::int32_t>(), static_cast<std::size_t>(x.elements()));
      seen.emplace_back(values.begin(), values.end());
      for (const std::int32_t id : values) EXPECT_TRUE(id >= 0 && id < 320) << id;
    }
    EXPECT_EQ(batch.tokens.positions.as<std::int32_t>()[0], 0);
    EXPECT_EQ(batch.tokens.positions.as<std::int32_t>()[length - 1], length - 1);
    EXPECT_EQ(batch.tokens.positions.as<std::int32_t>()[length], 0);
    EXPECT_EQ(batch.tokens.segments.uniform_length, length);
    EXPECT_EQ(batch.tokens.segments.offsets.elements(), shape.micro_batch + 1);
    EXPECT_EQ(batch.tokens.segments.offsets.as<std::int32_t>()[1], length);
  }
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
  EXPECT_LE(tokens * 4 * 3, static_cast<std::int64_t>(BenchBatches::bytes(shape)));
}

TEST(BenchBatches, HaveNoTokenBehindTheVocabulary) {
  StepShape shape = small_step();
  shape.model.vocab_size = 2;
  Context context(cpu_device, 0);
  std::int32_t largest = 0;
  const BenchBatches batches(context, shape);
  for (const MicroBatch& batch : batches.get()) {
    const std::span ids(batch.ids.as<std::int32_t>(), 64);
    largest = std::max(largest, *std::ranges::max_element(ids));
  }
  EXPECT_EQ(largest, 1);
}

TEST(BenchSteps, TrainAndCount) {
  BenchSteps steps(small_step());
  bool asked = false;
  EXPECT_GT(steps.run([&] { asked = true; }), 0);
  EXPECT_TRUE(asked);
  EXPECT_EQ(steps.done(), 1);
  const auto weights = [&] {
    const Tensor head = steps.learner().parameters().all().back().weight;
    return std::vector<float>(head.as<float>(), head.as<float>() + head.elements());
  };
  const std::vector<float> before = weights();
  EXPECT_GT(std::ranges::count_if(before, [](float w) { return w != 0; }), 1000);
  steps.heat(0);
  EXPECT_EQ(steps.done(), 3) << "two at least";
  EXPECT_NE(weights(), before);
}

TEST(MeasureSave, WritesRemovesAndCounts) {
  const test::TempDir dir;
  for (const bool written : {true, false}) {
    SaveEffort effort;
    effort.steps = 1;
    if (written) effort.directory = dir / "";
    const SaveTimes times = measure_save(small_step(), effort);
    EXPECT_TRUE(times.result.committed());
    EXPECT_GT(times.step, 0);
    EXPECT_GE(times.steps_beside, 1);
    EXPECT_GT(times.seconds_beside, 0);
    // f32 weights and two moments.
    const auto bytes = static_cast<std::uint64_t>(count_parameters(small_step().model)) * 12;
    EXPECT_GE(times.host_bytes, bytes);
    EXPECT_GE(times.result.bytes, bytes);
    EXPECT_TRUE(std::filesystem::is_empty(dir / ""));
  }
}

TEST(SustainedSeconds, IsTheTimeOfOneCall) {
  Context context(cpu_device, 0);
  int calls = 0;
  const auto start = std::chrono::steady_clock::now();
  const double seconds = sustained_seconds(context, 0.01, [&] { ++calls; });
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - start;
  EXPECT_GT(calls, 5) << "three stretches of several";
  EXPECT_GT(seconds, 0);
  EXPECT_LE(seconds * (calls - 2), all.count()) << "the best mean, of one call";
}

// Two calls to warm up, and three stretches of one call each, of which the best counts.
TEST(SustainedSeconds, WithoutABudgetIsTheBestOfThreeCalls) {
  Context context(cpu_device, 0);
  int calls = 0;
  const double seconds = sustained_seconds(context, 0, [&] {
    if (++calls == 4) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  });
  EXPECT_EQ(calls, 5);
  EXPECT_LT(seconds, 0.1);
}

TEST(Ceilings, AreOfThisDevice) {
  Ceilings ceilings;
  ceilings.gemm_f32 = 1;
  ceilings.gemm_bf16 = 2;
  EXPECT_EQ(ceilings.gemm(DType::f32), 1);
  EXPECT_EQ(ceilings.gemm(DType::bf16), 2);
}

}  // namespace
}  // namespace fathom::measure
