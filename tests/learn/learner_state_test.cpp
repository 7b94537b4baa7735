// The memory a learner takes, and its state in a checkpoint and back.
#include <gmock/gmock.h>

#include <chrono>
#include <cstring>
#include <future>

#include "comm/thread_ranks.h"
#include "core/parallel.h"
#include "io/temp_dir.h"
#include "learn/learner_run.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

using namespace test;

LearnerOptions options_with(const RankGroups& ranks, DType dtype) {
  LearnerOptions options = options_of({}, ranks);
  options.dtype = dtype;
  return options;
}

// Elements of all parameters, each padded to 128.
std::size_t padded_elements(const ModelConfig& model) {
  std::size_t elements = 0;
  for (const ParameterSpec& spec : parameter_table(model)) {
    elements += static_cast<std::size_t>((spec.shape.elements() + 127) / 128 * 128);
  }
  return elements;
}

TEST(LearnerBytes, AreThoseOfItsParts) {
  const OneRank rank(model_of({}));
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const LearnerOptions options = options_with(rank.groups, dtype);
    const std::size_t elements = padded_elements(options.model);
    const Learner::Bytes bytes = Learner::bytes(options);
    Learner learner(options);
    EXPECT_EQ(bytes.weights, elements * size_of(dtype));
    EXPECT_EQ(bytes.weights, learner.parameters().weight_bytes());
    EXPECT_EQ(bytes.gradients, elements * 4);
    EXPECT_EQ(bytes.gradients, learner.parameters().gradient_bytes());
    EXPECT_EQ(bytes.moments, elements * 8);
    EXPECT_EQ(bytes.remainders, dtype == DType::f32 ? 0 : elements * 2);
    EXPECT_EQ(bytes.rope_table, 64u * 4 * 4) << "positions, head_dim, f32";
    EXPECT_EQ(bytes.workspace, Context::default_workspace);
    EXPECT_EQ(bytes.checkpoint, CheckpointWriter::host_bytes(learner.checkpoint_tensors()));
    EXPECT_EQ(bytes.device_total(), bytes.weights + bytes.gradients + bytes.moments +
                                        bytes.remainders + bytes.activations + bytes.rope_table +
                                        bytes.workspace + bytes.losses);
  }
}

// A loss and its weight for each token and the norm, or the logits that are asked for.
TEST(LearnerBytes, ResultsAreLossesOrLogits) {
  const OneRank rank(model_of({}));
  LearnerOptions options = options_with(rank.groups, DType::f32);
  options.tokens_per_step = 4 * SampleBatch::n;
  const std::size_t losses = (2 * 4 * 24 + 1) * 4;
  options.logit_rows = 3;
  EXPECT_EQ(Learner::bytes(options).losses, losses) << "600 bytes of logits";
  options.logit_rows = 4;
  EXPECT_EQ(Learner::bytes(options).losses, std::max<std::size_t>(losses, 4 * 50 * 4));
  options.logit_rows = 24;
  EXPECT_EQ(Learner::bytes(options).losses, 24u * 50 * 4);
}

TEST(LearnerBytes, TheWorkspaceHoldsAttentionOfTheLongestSegment) {
  const OneRank rank(model_of({}));
  LearnerOptions options = options_with(rank.groups, DType::bf16);
  options.micro_tokens = options.tokens_per_step = std::int64_t{1} << 24;
  options.stage.logits_chunk = options.micro_tokens;
  const std::size_t longest = ops::attention_workspace(
      cpu_device, DType::bf16, {8, 2, 4}, {options.micro_tokens, options.micro_tokens, true},
      Determinism::fastest);
  ASSERT_GT(longest, Context::default_workspace);
  EXPECT_EQ(Learner::bytes(options).workspace, longest);
  options.sequence_length = 64;
  EXPECT_EQ(Learner::bytes(options).workspace, Context::default_workspace);
}

TEST(LearnerBytes, EachPartOfTheModelHasARotaryTable) {
  ParallelConfig config = layout(2, 1, 1);
  config.schedule = PipelineSchedule::interleaved;
  config.virtual_stages = 2;
  const ModelConfig model = model_of({});
  const ParallelPlan plan = resolve(config, 2, model, {2 * micro_batches, 2, SampleBatch::length});
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan, model);
    EXPECT_EQ(Learner::bytes(options_with(groups, DType::f32)).rope_table, 2u * 64 * 4 * 4);
  });
}

// Two steps, with a number of their own in every weight and moment.
void train_two_steps(Learner& learner) {
  learner.initialize_weights(3);
  for (int step = 1; step <= 2; ++step) {
    const SampleBatch sample(step);
    const MicroBatch batch = sample.batch();
    learner.compute_gradients({&batch, 1}, double(sample.counted()));
    learner.update(1e-2, step);
  }
}

using State = std::map<std::pair<StateKind, std::string>, std::string>;

State state_of(Learner& learner) {
  State state;
  for (const CheckpointTensor& tensor : learner.checkpoint_tensors()) {
    const auto* bytes = static_cast<const char*>(tensor.values.data);
    state[{tensor.kind, tensor.name}] = std::string(bytes, tensor.values.bytes());
  }
  return state;
}

TEST(LearnerState, ACheckpointHoldsAllOfIt) {
  const OneRank rank(model_of({}));
  for (const DType dtype : {DType::f32, DType::bf16}) {
    Learner learner(options_with(rank.groups, dtype));
    const State state = state_of(learner);
    std::size_t tensors = 0;
    for (const OptimizerSlice& slice : learner.optimizer().slices()) {
      for (const StateKind kind : {StateKind::weight, StateKind::remainder, StateKind::first_moment,
                                   StateKind::second_moment}) {
        const bool wanted = kind != StateKind::remainder || dtype == DType::bf16;
        EXPECT_EQ(state.contains({kind, slice.name}), wanted) << slice.name;
        tensors += wanted;
      }
    }
    EXPECT_EQ(state.size(), tensors);
  }
}

TEST(LearnerState, ALoadedLearnerGoesOnAsTheSavedOne) {
  const OneRank rank(model_of({}));
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const LearnerOptions options = options_with(rank.groups, dtype);
    TempDir dir;
    Learner saved(options), loaded(options), begun(options);
    train_two_steps(saved);
    write_checkpoint(dir / "checkpoint", saved.checkpoint_tensors(), {}, {});
    const Checkpoint checkpoint(dir / "checkpoint");
    loaded.load(checkpoint);
    const State state = state_of(saved);
    EXPECT_EQ(state_of(loaded), state);
    const SampleBatch sample(7);
    const MicroBatch batch = sample.batch();
    const double loss = saved.compute_gradients({&batch, 1}, 1).loss;
    EXPECT_EQ(loaded.compute_gradients({&batch, 1}, 1).loss, loss);

    begun.load_weights(checkpoint);
    EXPECT_EQ(begun.compute_gradients({&batch, 1}, 1).loss, loss);
    for (const auto& [key, bytes] : state_of(begun)) {
      const bool moment =
          key.first == StateKind::first_moment || key.first == StateKind::second_moment;
      EXPECT_EQ(bytes, moment ? std::string(bytes.size(), '\0') : state.at(key)) << key.second;
      EXPECT_NE(state.at(key), std::string(bytes.size(), '\0')) << key.second;
    }
  }
}

// Ranks exchange their shares of the weights beside the computing: who asks for the weights
// waits for all shares.
TEST(LearnerState, TheWeightsAreThoseAfterTheLastUpdate) {
  const ModelConfig model = model_of({});
  const ParallelPlan plan =
      resolve(layout(1, 2, 1), 2, model, {2 * micro_batches, 2, SampleBatch::length});
  ASSERT_TRUE(plan.zero && plan.overlap);
  std::promise<void> told;
  std::future<void> returned = told.get_future();
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    set_num_threads(1);
    const RankGroups groups(world, plan, model);
    Learner learner(options_of({}, groups));
    learner.initialize_weights(3);
    const SampleBatch sample(world.rank());
    const MicroBatch batch = sample.batch();
    learner.compute_gradients({&batch, 1}, double(sample.counted()));
    if (world.rank() == 1) {
      EXPECT_EQ(returned.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout)
          << "the weights were given before the other rank had updated its share";
    }
    learner.update(1e-2, 1);
    learner.parameters();
    if (world.rank() == 0) told.set_value();
  });
}

TEST(LearnerState, TheWeightsOfADirectoryAreLoadedAndTheirBytesCounted) {
  const OneRank rank(model_of({}));
  const TempDir dir;
  Learner saved(options_with(rank.groups, DType::f32));
  saved.initialize_weights(5);
  SaveModelOptions save;
  save.dtype = DType::f32;
  save_model(dir / "model", model_of({}), weights_of(saved.parameters(), saved.context()), save);
  const DirectoryWeights weights(dir / "model");
  Learner loaded(options_with(rank.groups, DType::f32));
  loaded.initialize_weights(6);
  EXPECT_EQ(loaded.load_weights(weights),
            static_cast<std::uint64_t>(count_parameters(model_of({}))) * 4);
  EXPECT_EQ(state_of(loaded), state_of(saved));
}

}  // namespace
}  // namespace fathom
