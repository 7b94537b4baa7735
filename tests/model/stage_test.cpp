// Properties of the stage that no golden shows: policies and splits change
// nothing, memory is what was planned.
#include "model/stage.h"

#include <gtest/gtest.h>

#include "model/golden.h"

namespace fathom {
namespace {

using golden::Golden;

ModelConfig small(std::int64_t layers, bool tied = false) {
  ModelConfig c;
  c.num_layers = layers;
  c.hidden_size = 24;
  c.num_heads = 4;
  c.num_kv_heads = 2;
  c.head_dim = 8;
  c.intermediate_size = 40;
  c.vocab_size = 50;
  c.max_position = 64;
  c.init_std = 0.3;
  c.tie_embeddings = tied;
  return resolve(c);
}

struct Tokens {
  static constexpr std::int64_t n = 21;
  golden::Uploaded ids, targets, positions, offsets;
  MicroBatch batch;

  explicit Tokens(const Context& context)
      : ids(context, make([](int i) { return i * 7 % 50; }), {n}),
        targets(context, make([](int i) { return i % 5 == 4 ? -1 : i * 3 % 50; }), {n}),
        positions(context, make([](int i) { return i % 11; }), {n}),
        offsets(context, std::vector<std::int32_t>{0, 11, 11, 21}, {4}) {
    batch.ids = ids.tensor;
    batch.targets = targets.tensor;
    batch.tokens.positions = positions.tensor;
    batch.tokens.segments = {offsets.tensor, 11};
  }

  template <class F>
  static std::vector<std::int32_t> make(F f) {
    std::vector<std::int32_t> v;
    for (int i = 0; i < n; ++i) v.push_back(f(i));
    return v;
  }
};

// One range of the model with what a step needs.
struct Part {
  ParameterStore parameters;
  Stage stage;
  Activations activations;
  std::size_t planned;

  Part(const ModelConfig& config, StageRange range, Recompute recompute, DType dtype)
      : parameters(stage_parameters(config, range), dtype, Gradients::f32, cpu_device),
        stage(config, range, parameters, {recompute, 8}, cpu_device),
        activations(Arena(
            cpu_device, Stage::activation_bytes(config, range, {recompute, 8}, dtype, Tokens::n))),
        planned(activations.arena.capacity()) {
    Context context(cpu_device);
    for (Parameter& p : parameters.all()) initialize(context, p.spec, config.init_std, 5, p.weight);
  }
};

using Gradients_ = std::map<std::string, std::vector<float>>;

struct Result {
  std::vector<float> losses;
  Gradients_ gradients;
};

void collect(Context& context, Part& part, Gradients_& gradients) {
  for (Parameter& p : part.parameters.all()) {
    const auto values = golden::download(context, p.gradient);
    auto& sum = gradients[p.spec.name];
    sum.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
  }
}

// Forward and backward of the model cut at `cut` (0: in one piece).
Result run(const ModelConfig& config, Recompute recompute, DType dtype, std::int64_t cut = 0) {
  Context context(cpu_device);
  const Tokens tokens(context);
  Buffer loss_memory(cpu_device, Tokens::n * 4);
  const Tensor losses = loss_memory.tensor(DType::f32, {Tokens::n}), none;
  Result result;
  if (cut == 0) {
    Part whole(config, whole_model(config), recompute, dtype);
    whole.stage.forward(context, tokens.batch, none, whole.activations, none, 0.1f, losses);
    whole.stage.backward(context, tokens.batch, whole.activations, none, none);
    EXPECT_EQ(whole.activations.arena.peak(), whole.planned);
    collect(context, whole, result.gradients);
  } else {
    Part first(config, {0, cut}, recompute, dtype);
    Part last(config, {cut, config.num_layers}, recompute, dtype);
    Buffer memory(cpu_device, 2 * Tokens::n * config.hidden_size * size_of(dtype));
    const Tensor both = memory.tensor(dtype, {2 * Tokens::n, config.hidden_size});
    const Tensor between = both.slice(0, Tokens::n), gradient = both.slice(Tokens::n, Tokens::n);
    first.stage.forward(context, tokens.batch, none, first.activations, between, 0, none);
    last.stage.forward(context, tokens.batch, between, last.activations, none, 0.1f, losses);
    last.stage.backward(context, tokens.batch, last.activations, none, gradient);
    first.stage.backward(context, tokens.batch, first.activations, gradient, none);
    EXPECT_EQ(first.activations.arena.peak(), first.planned);
    EXPECT_EQ(last.activations.arena.peak(), last.planned);
    collect(context, first, result.gradients);
    collect(context, last, result.gradients);
  }
  result.losses = golden::download(context, losses);
  return result;
}

TEST(Stage, RecomputePoliciesGiveTheSameBits) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const Result kept = run(small(3), Recompute::none, dtype);
    for (const Recompute policy : {Recompute::selective, Recompute::full}) {
      const Result again = run(small(3), policy, dtype);
      EXPECT_EQ(again.losses, kept.losses);
      EXPECT_EQ(again.gradients, kept.gradients);
    }
  }
}

TEST(Stage, RecomputeTakesLessMemory) {
  const ModelConfig config = small(12);
  const auto bytes = [&](Recompute policy) {
    return Stage::activation_bytes(config, whole_model(config), {policy, 8}, DType::f32, Tokens::n);
  };
  EXPECT_LT(bytes(Recompute::selective), bytes(Recompute::none));
  EXPECT_LT(bytes(Recompute::full), bytes(Recompute::selective));
}

TEST(Stage, PipelineSplitChangesNothing) {
  for (const bool tied : {false, true}) {
    const Result whole = run(small(3, tied), Recompute::selective, DType::f32);
    for (const std::int64_t cut : {1, 2}) {
      const Result split = run(small(3, tied), Recompute::selective, DType::f32, cut);
      EXPECT_LT(golden::relative_error(split.losses, whole.losses), 1e-6);
      ASSERT_EQ(split.gradients.size(), whole.gradients.size());
      for (const auto& [name, values] : whole.gradients) {
        EXPECT_LT(golden::relative_error(split.gradients.at(name), values), 1e-5) << name;
      }
    }
  }
}

// The gradient of the tied matrix is the sum of both its uses: checked by finite
// differences along a random direction of every parameter.
TEST(Stage, GradientsMatchFiniteDifferences) {
  const ModelConfig config = small(2, true);
  Context context(cpu_device);
  const Tokens tokens(context);
  Part part(config, whole_model(config), Recompute::none, DType::f32);
  Buffer loss_memory(cpu_device, Tokens::n * 4);
  const Tensor losses = loss_memory.tensor(DType::f32, {Tokens::n}), none;
  const auto total = [&] {
    Arena arena(cpu_device, part.planned);
    part.stage.evaluate(context, tokens.batch, arena, losses);
    double sum = 0;
    for (const float loss : golden::download(context, losses)) sum += loss;
    return sum;
  };
  part.stage.forward(context, tokens.batch, none, part.activations, none, 1, losses);
  part.stage.backward(context, tokens.batch, part.activations, none, none);
  for (Parameter& p : part.parameters.all()) {
    const auto gradient = golden::download(context, p.gradient);
    const auto weight = golden::download(context, p.weight);
    double norm = 0;
    for (const float g : gradient) norm += double(g) * g;
    norm = std::sqrt(norm);
    const auto moved = [&](double step) {
      std::vector<float> w = weight;
      for (std::size_t i = 0; i < w.size(); ++i) w[i] += float(step * gradient[i] / norm);
      golden::upload(context, w, p.weight);
      return total();
    };
    const double step = 1e-2;
    const double slope = (moved(step) - moved(-step)) / (2 * step);
    golden::upload(context, weight, p.weight);
    EXPECT_NEAR(slope / norm, 1.0, 2e-2) << p.spec.name;
  }
}

}  // namespace
}  // namespace fathom
