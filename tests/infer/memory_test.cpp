// The bytes that the engine's and the scorer's parts take, counted by hand.
#include <gtest/gtest.h>

#include "infer/engine.h"
#include "infer/scorer.h"
#include "infer/step_inputs.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::TinyModel;

// Two layers, keys and values of two heads of 8.
TEST(KvCacheBytes, AreKeysAndValuesOfEachLayer) {
  const ModelConfig config = test::tiny_config();
  ASSERT_EQ(config.num_layers * config.kv_width(), 2 * 16);
  EXPECT_EQ(KvCache::page_bytes(config, DType::f32, 5), 2u * 2 * 5 * 16 * 4);
  EXPECT_EQ(KvCache::page_bytes(config, DType::bf16, 5), 2u * 2 * 5 * 16 * 2);
  const KvCache cache(config, DType::bf16, 3, 5, cpu_device);
  EXPECT_EQ(cache.bytes(), 3 * KvCache::page_bytes(config, DType::bf16, 5));
  const std::size_t part = 3 * 5 * 16 * 2;
  const auto* first = static_cast<const std::byte*>(cache.layers()[0].k.data);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(cache.layers()[i].k.data, first + 2 * i * part);
    EXPECT_EQ(cache.layers()[i].v.data, first + (2 * i + 1) * part);
    EXPECT_EQ(cache.layers()[i].k.shape, (Shape{3, 5, 16}));
  }
}

// Each tensor padded to 64 numbers: ids, positions and slots of 70 tokens; the 65 offsets, 64
// lengths and 64 · 3 pages of the sequences.
TEST(StepInputsBytes, AreThoseOfTheLargestStep) {
  const StepInputs inputs({64, 70}, 9, 4, cpu_device);
  EXPECT_EQ(inputs.bytes(), 4u * (3 * 128 + 128 + 64 + 192));
}

TEST(EngineBytes, AreTheSumOfItsParts) {
  TinyModel model;
  EngineOptions options;
  options.limits = {3, 10};
  options.page_size = 4;
  options.max_length = 30;
  const Engine engine(model.stage, model.context, options);
  const std::size_t pages = 3 * 8;
  const BatchSampler sampler(cpu_device, {3, 97, 30, 20}, {});
  EXPECT_EQ(engine.bytes(),
            pages * KvCache::page_bytes(model.config, DType::f32, 4) +
                2 * StepInputs(options.limits, 30, 4, cpu_device).bytes() +
                Stage::logits_bytes(model.config, whole_model(model.config), DType::f32, 10, 3) +
                3u * 97 * sizeof(float) +
                sampler.device_bytes() + sampler.host_bytes());
}

// Four tensors of a number a token and one more, padded to 256 bytes; a loss a token.
TEST(ScorerBytes, AreInputsActivationsAndLosses) {
  TinyModel model;
  for (const std::int64_t tokens : {63, 64}) {
    const Scorer scorer(model.stage, model.context, {tokens});
    const std::size_t activations = Stage::forward_bytes(model.config, whole_model(model.config),
                                                         model.stage.options(), DType::f32, tokens);
    EXPECT_EQ(scorer.bytes(), activations + 4u * (tokens == 63 ? 256 : 512) +
                                  static_cast<std::size_t>(tokens) * sizeof(float));
  }
}

}  // namespace
}  // namespace fathom::infer
