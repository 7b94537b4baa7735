// Properties of the stage that no golden shows: policies and splits change
// nothing, memory is what was planned.
#include "model/stage.h"

#include <gtest/gtest.h>

#include "core/error.h"
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

  Part(const ModelConfig& config, StageRange range, Recompute recompute, DType dtype,
       std::int64_t chunk = 8)
      : parameters(stage_parameters(config, range), dtype, Gradients::f32, cpu_device),
        stage(config, range, parameters, {recompute, chunk}, cpu_device),
        activations(Arena(cpu_device, Stage::activation_bytes(config, range, {recompute, chunk},
                                                              dtype, Tokens::n))),
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

class Announcements final : public LayerObserver {
 public:
  void before_forward(Context&, std::int64_t layer) override { forwards.push_back(layer); }
  void after_backward(Context&, std::int64_t layer) override { backwards.push_back(layer); }
  std::vector<std::int64_t> forwards, backwards;
};

// The embedding is layer -1, and the head comes after the last block; tied, it reads both.
TEST(Stage, AnnouncesItsLayers) {
  using Layers = std::vector<std::int64_t>;
  for (const bool tied : {false, true}) {
    const ModelConfig config = small(2, tied);
    Context context(cpu_device);
    Tokens tokens(context);
    Part part(config, whole_model(config), Recompute::selective, DType::f32);
    Buffer memory(cpu_device, 50 * 4);
    const Tensor losses = memory.tensor(DType::f32, {Tokens::n}), none;
    Arena arena(cpu_device, part.planned);
    const std::vector<std::int32_t> row{3};
    const Layers forwards = tied ? Layers{-1, 0, 1, -1, 2} : Layers{-1, 0, 1, 2};
    const auto told = [&](auto&& pass) {
      Announcements announcements;
      tokens.batch.observer = &announcements;
      pass();
      EXPECT_EQ(announcements.forwards, forwards);
      return announcements.backwards;
    };
    EXPECT_EQ(told([&] {
                part.stage.forward(context, tokens.batch, none, part.activations, none, 1, losses);
                part.stage.backward(context, tokens.batch, part.activations, none, none);
              }),
              (Layers{2, 1, 0, -1}));
    EXPECT_EQ(told([&] { part.stage.evaluate(context, tokens.batch, arena, losses); }), Layers{});
    EXPECT_EQ(
        told([&] {
          part.stage.logits(context, tokens.batch, arena, row, memory.tensor(DType::f32, {1, 50}));
        }),
        Layers{});
  }
}

std::vector<std::string> names_of(const std::vector<ParameterSpec>& specs) {
  std::vector<std::string> names;
  for (const ParameterSpec& spec : specs) names.push_back(spec.name);
  return names;
}

TEST(Stage, HoldsTheParametersOfItsRange) {
  const auto names = [](bool tied, StageRange range) {
    std::vector<std::string> ends;
    for (const std::string& name : names_of(stage_parameters(small(3, tied), range))) {
      if (name.ends_with("attention_norm.weight") || !name.starts_with("layers.")) {
        ends.push_back(name.substr(0, name.rfind(".weight")));
      }
    }
    return ends;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(false, {0, 1}), (Names{"embedding", "layers.0.attention_norm"}));
  EXPECT_EQ(names(false, {1, 2}), (Names{"layers.1.attention_norm"}));
  EXPECT_EQ(names(false, {2, 3}), (Names{"layers.2.attention_norm", "final_norm", "head"}));
  EXPECT_EQ(names(true, {0, 1}), (Names{"embedding", "layers.0.attention_norm"}));
  EXPECT_EQ(names(true, {1, 2}), (Names{"layers.1.attention_norm"}));
  EXPECT_EQ(names(true, {2, 3}), (Names{"embedding", "layers.2.attention_norm", "final_norm"}));
}

TEST(Stage, RotatesByTheAnglesOfItsPositions) {
  ModelConfig config = small(1);
  config.head_dim = 4;
  config.max_position = 3;
  config.rope_theta = 100;
  const std::vector<float> table = rope_table(config);
  ASSERT_EQ(table.size(), 12u);
  for (int p = 0; p < 3; ++p) {
    const float* row = table.data() + 4 * p;
    EXPECT_FLOAT_EQ(row[0], std::cos(float(p)));
    EXPECT_FLOAT_EQ(row[1], std::cos(0.1f * float(p)));
    EXPECT_FLOAT_EQ(row[2], std::sin(float(p)));
    EXPECT_FLOAT_EQ(row[3], std::sin(0.1f * float(p)));
  }
}

TEST(Stage, OfAPartOfTheModelHasNoLossesOrLogits) {
  const ModelConfig config = small(2);
  Context context(cpu_device);
  const Tokens tokens(context);
  Arena arena(cpu_device, 1 << 20);
  const std::vector<std::int32_t> row{3};
  for (const StageRange& range : {StageRange{0, 1}, {1, 2}}) {
    Part part(config, range, Recompute::selective, DType::f32);
    EXPECT_THROW(part.stage.evaluate(context, tokens.batch, arena, Tensor{}), Error);
    EXPECT_THROW(part.stage.logits(context, tokens.batch, arena, row, Tensor{}), Error);
    if (range.first_layer > 0) continue;
    EXPECT_THROW(part.stage.forward_logits(context, tokens.batch, {}, arena, row, {}), Error);
    EXPECT_NO_THROW(part.stage.forward_logits(context, tokens.batch, {}, arena, {}, {}));
  }
}

// Forwards take what was planned for them, and the logits of a chunk no more than all tokens'.
TEST(Stage, ForwardsTakeThePlannedMemory) {
  const ModelConfig config = small(2);
  const StageRange all = whole_model(config);
  Context context(cpu_device);
  const Tokens tokens(context);
  Part part(config, all, Recompute::selective, DType::f32);
  Buffer memory(cpu_device, 3 * 50 * 4);
  const std::size_t forward =
      Stage::forward_bytes(config, all, {Recompute::selective, 8}, DType::f32, Tokens::n);
  Arena arena(cpu_device, forward);
  part.stage.evaluate(context, tokens.batch, arena, memory.tensor(DType::f32, {Tokens::n}));
  EXPECT_EQ(arena.peak(), forward);
  const std::size_t logits = Stage::logits_bytes(config, all, DType::f32, Tokens::n, 3);
  arena = Arena(cpu_device, logits);
  const std::vector<std::int32_t> rows{3, 0, 20};
  part.stage.logits(context, tokens.batch, arena, rows, memory.tensor(DType::f32, {3, 50}));
  EXPECT_EQ(arena.peak(), logits);
  for (const Recompute policy : {Recompute::none, Recompute::selective, Recompute::full}) {
    const auto bytes = [&](std::int64_t chunk, auto&& of) {
      return of(config, all, StageOptions{policy, chunk}, DType::f32, Tokens::n, nullptr);
    };
    EXPECT_EQ(bytes(1000, Stage::activation_bytes), bytes(Tokens::n, Stage::activation_bytes));
    EXPECT_EQ(bytes(1000, Stage::forward_bytes), bytes(Tokens::n, Stage::forward_bytes));
  }
}

// In several chunks, in one and more, in exactly one, and in one that is not full.
TEST(Stage, LossesMayBeWeighedBeforeTheirGradient) {
  const ModelConfig config = small(1);
  Context context(cpu_device);
  Tokens tokens(context);
  std::vector<float> factors;
  for (int i = 0; i < Tokens::n; ++i) factors.push_back(float(i % 4) - 1.5f);
  const Buffer weight_memory(cpu_device, Tokens::n * 4), loss_memory(cpu_device, Tokens::n * 4);
  tokens.batch.loss_weights = weight_memory.tensor(DType::f32, {Tokens::n});
  const Tensor losses = loss_memory.tensor(DType::f32, {Tokens::n}), none;
  for (const std::int64_t chunk : {8, 20, 21, 32}) {
    std::vector<float> weighed;
    const auto gradients = [&](const WeighLosses& weigh) {
      Part part(config, whole_model(config), Recompute::none, DType::f32, chunk);
      tokens.batch.weigh = weigh;
      part.stage.forward(context, tokens.batch, none, part.activations, none, 0.1f, losses);
      part.stage.backward(context, tokens.batch, part.activations, none, none);
      Gradients_ all;
      collect(context, part, all);
      return all;
    };
    std::fill_n(tokens.batch.loss_weights.as<float>(), Tokens::n, 0.0f);
    const Gradients_ after = gradients([&](Tensor given) {
      weighed = golden::download(context, given);
      std::ranges::copy(factors, tokens.batch.loss_weights.as<float>());
    });
    EXPECT_EQ(weighed, golden::download(context, losses)) << chunk;
    EXPECT_EQ(after, gradients({})) << chunk;
    EXPECT_NE(after.at("head.weight"), std::vector<float>(after.at("head.weight").size()));
  }
}

}  // namespace
}  // namespace fathom
