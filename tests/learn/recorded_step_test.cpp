// Recorded steps give the bits of steps that are launched operation by operation.
#include "learn/recorded_step.h"

#include <gtest/gtest.h>

#include "core/log_redirection.h"
#include "core/trace.h"
#include "learn/device_batch.h"
#include "learn/learner.h"

namespace fathom {
namespace {

constexpr Device gpu{DeviceType::cuda, 0};
constexpr std::int64_t recorded_length = 64, sequences = 4, micro_batches = 2, vocabulary = 256;

// Where sequences are cut into two documents: none are, after a quarter; after one or three
// quarters in turn, whose longest document is as long; elsewhere in each step.
enum class Documents { none, alike, moving, new_lengths };

struct RecordedCase {
  const char* name;
  DType dtype = DType::bf16;
  std::int64_t head_dim = 64;  // cuDNN takes it
  bool weighted = false;
  Documents documents = Documents::none;
};

class RecordedStepTest : public testing::TestWithParam<RecordedCase> {};

ModelConfig model_of(const RecordedCase& c) {
  ModelConfig model;
  model.num_layers = 3;
  model.hidden_size = 128;
  model.head_dim = c.head_dim;
  model.num_heads = 128 / c.head_dim;
  model.num_kv_heads = 1;
  model.intermediate_size = 192;
  model.vocab_size = vocabulary;
  model.max_position = recorded_length;
  return resolve(model);
}

TEST(StepRecording, IsForSmallStepsOfAGpu) {
  const ModelConfig small = model_of({"small"});
  EXPECT_EQ(step_recording(gpu, small, 8192, 1), Recording::on);
  EXPECT_EQ(step_recording(cpu_device, small, 8192, 1), Recording::off);
  EXPECT_EQ(step_recording(gpu, small, 8192, 1000), Recording::off) << "it has many kernels";
  ModelConfig large;
  large.num_layers = 30;
  large.hidden_size = 4096;
  large.num_heads = 32;
  large.vocab_size = 102400;
  EXPECT_EQ(step_recording(gpu, resolve(large), 4096, 1), Recording::off)
      << "its kernels take long";
}

std::int64_t first_document(Documents documents, int step) {
  if (documents == Documents::none) return recorded_length;
  if (documents == Documents::new_lengths) return 4 + step % 25;
  const bool long_first = documents == Documents::moving && step % 4 >= 2;
  return (long_first ? 3 : 1) * recorded_length / 4;
}

// Another one for each number, which is ten times the step and the micro-batch.
Batch batch_of(const RecordedCase& c, int number) {
  Batch batch;
  batch.sequences = sequences;
  batch.sequence_length = recorded_length;
  const std::int64_t part = first_document(c.documents, number / 10);
  for (int i = 0; i < sequences * recorded_length; ++i) {
    batch.inputs.push_back((i * 7 + number * 31) % int(vocabulary));
    batch.targets.push_back(i % 9 == 8 ? -1 : (i * 5 + number * 17) % int(vocabulary));
    batch.num_targets += batch.targets.back() >= 0;
    const std::int64_t place = i % recorded_length;
    batch.positions.push_back(int(place < part ? place : place - part));
    if (c.weighted) batch.loss_weights.push_back(float((i * 5 + number) % 7) / 4);
    if (place == 0 || place == part) batch.cu_seqlens.push_back(i);
  }
  batch.cu_seqlens.push_back(int(sequences * recorded_length));
  return batch;
}

struct Outcome {
  std::vector<double> losses, norms;
  std::vector<float> evaluated;
  std::int64_t gradient_launches = 0, update_launches = 0;
  std::vector<std::vector<std::byte>> states;  // weights, remainders, moments
};

std::vector<std::byte> bytes_of(Context& context, Tensor tensor) {
  std::vector<std::byte> bytes(tensor.bytes());
  copy_bytes(bytes.data(), cpu_device, tensor.data, tensor.device, tensor.bytes(), context.stream);
  synchronize(context.device, context.stream);
  return bytes;
}

// Twelve steps with one result outstanding, an evaluation between them. A trace makes the learner
// launch operation by operation.
Outcome train(const RecordedCase& c, Trace* trace) {
  const ModelConfig model = model_of(c);
  const OneRank rank(model);
  LearnerOptions options(rank.groups);
  options.model = model;
  options.dtype = c.dtype;
  options.device = gpu;
  options.micro_tokens = sequences * recorded_length;
  options.tokens_per_step = micro_batches * options.micro_tokens;
  options.sequence_length = recorded_length;
  options.uniform_segments = c.documents == Documents::none;
  options.determinism = Determinism::reproducible;
  Learner learner(options);
  learner.initialize_weights(7);
  learner.context().trace = trace;
  const OwnedStream uploads(gpu);
  std::vector<DeviceBatch> memory;
  for (int i = 0; i < micro_batches; ++i) memory.emplace_back(uploads, options.micro_tokens);
  Outcome outcome;
  const auto fetch = [&] {
    const Learner::Result result = learner.next_result();
    outcome.losses.push_back(result.loss);
    outcome.norms.push_back(result.gradient_norm);
  };
  for (int step = 0; step < 12; ++step) {
    std::vector<MicroBatch> batches;
    double targets = 0;
    for (int i = 0; i < micro_batches; ++i) {
      const Batch batch = batch_of(c, 10 * step + i);
      targets += static_cast<double>(batch.num_targets);
      batches.push_back(memory[static_cast<std::size_t>(i)].upload(learner.context(), batch));
    }
    learner.queue_gradients(batches, targets);
    learner.update(1e-2 / (step + 1), step + 1);
    if (step > 0) fetch();
    if (step != 7) continue;
    const auto losses =
        learner.evaluate(memory.front().upload(learner.context(), batch_of(c, 1000)));
    outcome.evaluated.assign(losses.begin(), losses.end());
  }
  fetch();
  outcome.gradient_launches = learner.recorded_step().gradient_launches();
  outcome.update_launches = learner.recorded_step().update_launches();
  for (const OptimizerSlice& slice : learner.optimizer().slices()) {
    for (const Tensor& tensor : {slice.weight, slice.remainder, slice.m, slice.v}) {
      if (tensor) outcome.states.push_back(bytes_of(learner.context(), tensor));
    }
  }
  return outcome;
}

TEST_P(RecordedStepTest, GivesTheBitsOfSingleLaunches) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  std::vector<std::string> lines;
  const log::Redirection redirection(
      [&](log::Level, const std::string& line) { lines.push_back(line); });
  Trace trace(gpu);
  const Outcome single = train(GetParam(), &trace), recorded = train(GetParam(), nullptr);
  EXPECT_EQ(recorded.losses, single.losses);
  EXPECT_EQ(recorded.norms, single.norms);
  EXPECT_EQ(recorded.evaluated, single.evaluated);
  EXPECT_EQ(recorded.states, single.states);
  EXPECT_NE(single.losses.back(), single.losses.front());
  EXPECT_EQ(single.gradient_launches + single.update_launches, 0);
  EXPECT_EQ(recorded.update_launches, 11);
  // Six of the first eight steps: the evaluation then moves one micro-batch to its other place.
  if (GetParam().documents == Documents::new_lengths) {
    EXPECT_EQ(recorded.gradient_launches, 0);
  } else {
    EXPECT_GE(recorded.gradient_launches, 6);
  }
  EXPECT_TRUE(lines.empty()) << lines.front();
}

INSTANTIATE_TEST_SUITE_P(
    All, RecordedStepTest,
    testing::Values(RecordedCase{"bf16"}, RecordedCase{"f32", DType::f32},
                    RecordedCase{"small_heads", DType::bf16, 32},
                    RecordedCase{"weighted", DType::bf16, 64, true},
                    RecordedCase{"documents", DType::bf16, 64, false, Documents::alike},
                    RecordedCase{"moving_documents", DType::bf16, 64, false, Documents::moving},
                    RecordedCase{"new_documents", DType::bf16, 64, false, Documents::new_lengths}),
    [](const auto& test) { return test.param.name; });

// The host queues a step twice for each of the batches' two places, and an update twice.
TEST(RecordedStep, LaunchesWhatItHasMet) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  Context context(gpu, 0);
  const OwnedStream stream(gpu);
  context.stream = stream.get();
  const Buffer memory(gpu, 4096);
  RecordedStep recorded(Recording::on);
  int gradients = 0, updates = 0;
  const auto step = [&](std::size_t place, float scale) {
    MicroBatch batch;
    batch.ids = memory.tensor(DType::i32, {16}, 256 * place);
    const auto work = [&](int& count) {
      return [&] {
        ++count;
        copy_bytes(memory.data(), gpu, batch.ids.data, gpu, 64, context.stream);
      };
    };
    recorded.gradients(context, {&batch, 1}, scale, work(gradients));
    recorded.update(context, work(updates));
  };
  for (int i = 0; i < 8; ++i) step(1 + static_cast<std::size_t>(i % 2), 0.5f);
  EXPECT_EQ(gradients, 4);
  EXPECT_EQ(updates, 2);
  step(1, 0.25f);
  EXPECT_EQ(gradients, 5) << "another scale";
  synchronize(gpu, context.stream);
}

}  // namespace
}  // namespace fathom
