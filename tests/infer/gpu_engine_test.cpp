// The engine on a GPU: recorded steps, filled-up sizes and drawing on the device against the
// engine on the CPU, and against itself without any of them.
#include <gmock/gmock.h>

#include <map>

#include "core/observer.h"
#include "infer/engine.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::TinyModel;
using test::Tokens;

constexpr Device gpu{DeviceType::cuda, 0};

ModelConfig config_of(std::int64_t head_dim, std::int64_t num_kv_heads) {
  ModelConfig config = test::tiny_config(331, num_kv_heads);
  config.head_dim = head_dim;
  config.max_position = 700;
  return resolve(config);
}

// Prompts of many lengths, more than run at once, with chunks and preemption.
std::vector<Request> requests_of(double temperature) {
  std::vector<Request> requests;
  for (int i = 0; i < 13; ++i) {
    Request request;
    const int length = i == 5 ? 300 : 1 + i * i % 29;
    for (int t = 0; t < length; ++t) request.prompt.push_back((t * t * 7 + t * 13 + i * 31) % 331);
    request.max_tokens = 9 + i % 5;
    request.sampling.temperature = temperature;
    request.sampling.stream = static_cast<std::uint64_t>(i);
    request.sampling.repetition_penalty = i % 2 ? 1.2 : 1;
    request.log_probabilities = 2;
    requests.push_back(std::move(request));
  }
  return requests;
}

struct ScoredTokens {
  Tokens tokens;
  std::vector<float> log_probabilities;
};

std::vector<ScoredTokens> generate(const TinyModel& model, Context& context, double temperature,
                                   SchedulerLimits limits, std::int64_t pages) {
  EngineOptions options;
  options.limits = limits;
  options.cache_bytes = KvCache::page_bytes(model.config, model.stage.dtype(), 16) * pages;
  Engine engine(model.stage, context, options);
  std::map<SequenceId, ScoredTokens> outputs;
  for (Request& request : requests_of(temperature)) engine.submit(std::move(request));
  while (!engine.idle()) {
    for (const GeneratedToken& token : engine.step()) {
      ScoredTokens& output = outputs[token.sequence];
      output.tokens.push_back(token.drawn.token);
      output.log_probabilities.push_back(*token.drawn.log_probability);
    }
  }
  std::vector<ScoredTokens> all;
  for (auto& [id, output] : outputs) all.push_back(std::move(output));
  return all;
}

class GpuEngine : public testing::Test {
 protected:
  void SetUp() override {
    if (cuda::device_count() == 0) GTEST_SKIP() << "there is no GPU";
  }
};

TEST_F(GpuEngine, GivesTheTokensOfTheCpu) {
  for (const double temperature : {0.0, 0.8}) {
    TinyModel on_cpu(config_of(8, 2)), on_gpu(config_of(8, 2), DType::f32, {}, gpu);
    const auto expected = generate(on_cpu, on_cpu.context, temperature, {5, 32}, 30);
    const auto actual = generate(on_gpu, on_gpu.context, temperature, {5, 32}, 30);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(actual[i].tokens, expected[i].tokens) << i;
      EXPECT_THAT(actual[i].log_probabilities,
                  testing::Pointwise(testing::FloatNear(1e-4f), expected[i].log_probabilities));
    }
  }
}

// The kernels of bf16 with heads that tensor cores take. What runs beside a sequence may change
// the order of its sums.
TEST_F(GpuEngine, GivesAlikeTextAloneAndInABatch) {
  for (const auto& [head_dim, kv_heads] : {std::pair{64, 4}, {128, 2}, {64, 1}}) {
    TinyModel model(config_of(head_dim, kv_heads), DType::bf16, {}, gpu);
    const auto alone = generate(model, model.context, 0, {1, 700}, 100);
    const auto together = generate(model, model.context, 0, {13, 64}, 100);
    ASSERT_EQ(alone.size(), together.size());
    std::size_t equal = 0, all = 0;
    for (std::size_t i = 0; i < alone.size(); ++i) {
      for (std::size_t t = 0; t < alone[i].tokens.size(); ++t) {
        ++all;
        if (alone[i].tokens[t] != together[i].tokens[t]) break;  // near-ties may differ
        EXPECT_NEAR(alone[i].log_probabilities[t], together[i].log_probabilities[t], 0.05) << i;
        ++equal;
      }
    }
    EXPECT_GT(equal, all * 8 / 10);
  }
}

// Steps whose work is recorded, against an engine that never records: with an observer nothing is.
TEST_F(GpuEngine, GivesTheSameBitsRecordedOrNot) {
  struct RunsAtOnce : OperationObserver {
    void observe(Context& context, const Operation& operation) override { operation.run(context); }
  } observer;
  TinyModel model(config_of(64, 2), DType::bf16, {}, gpu);
  const auto recorded = generate(model, model.context, 0.7, {6, 64}, 60);
  model.context.observer = &observer;
  const auto plain = generate(model, model.context, 0.7, {6, 64}, 60);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(recorded[i].tokens, plain[i].tokens) << i;
    EXPECT_EQ(recorded[i].log_probabilities, plain[i].log_probabilities) << i;
  }
}

// Weights that change between steps, on the stream of the context, are what the next step reads.
TEST_F(GpuEngine, ReadsTheWeightsOfTheMoment) {
  TinyModel model(config_of(64, 2), DType::bf16, {}, gpu);
  const auto before = generate(model, model.context, 0, {4, 64}, 60);
  for (Parameter& p : model.parameters.all()) {
    initialize(model.context, p.spec, model.config.init_std, 77, p.weight);
  }
  TinyModel other(config_of(64, 2), DType::bf16, {}, gpu);
  for (Parameter& p : other.parameters.all()) {
    initialize(other.context, p.spec, other.config.init_std, 77, p.weight);
  }
  const auto after = generate(model, model.context, 0, {4, 64}, 60);
  const auto expected = generate(other, other.context, 0, {4, 64}, 60);
  EXPECT_NE(after[3].tokens, before[3].tokens);
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].tokens, expected[i].tokens);
}

}  // namespace
}  // namespace fathom::infer
