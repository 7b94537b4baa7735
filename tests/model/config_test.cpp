// The shape of the model: derived sizes, counts by hand, refusals.
#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::HasSubstr;

ModelConfig small() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 24;
  config.num_heads = 4;
  config.vocab_size = 50;
  return config;
}

TEST(ModelConfig, DerivedSizes) {
  const ModelConfig config = resolve(small());
  EXPECT_EQ(config.num_kv_heads, 4);
  EXPECT_EQ(config.head_dim, 6);
  EXPECT_EQ(config.intermediate_size, 64);  // 8/3 of 24 is 64, a multiple of 64
  ModelConfig wider = small();
  wider.hidden_size = 28;
  wider.head_dim = 10;
  EXPECT_EQ(resolve(wider).intermediate_size, 128);  // 74.67
  EXPECT_EQ(resolve(wider).query_width(), 40);
  EXPECT_EQ(resolve(wider).head_dim, 10);
}

TEST(ModelConfig, CountsByHand) {
  ModelConfig config = small();
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.intermediate_size = 40;
  config = resolve(config);
  // A layer: queries 24 x 32, keys and values 24 x 16 each, output 32 x 24, MLP 3 x 24 x 40.
  const std::int64_t layer = 768 + 2 * 384 + 768 + 2880;
  EXPECT_EQ(config.kv_width(), 16);
  EXPECT_EQ(count_matmul_parameters(config), 2 * layer + 50 * 24);
  EXPECT_EQ(count_parameters(config), 2 * layer + 2 * 50 * 24 + 5 * 24);
  EXPECT_EQ(train_flops_per_token(config, 100), 6.0 * (2 * layer + 1200) + 6.0 * 2 * 32 * 100);
  config.tie_embeddings = true;
  EXPECT_EQ(count_parameters(config), 2 * layer + 50 * 24 + 5 * 24);
}

TEST(ModelConfig, ShapesThatMakeNoModelAreRefusedByKey) {
  const auto refused = [](auto&& change) {
    ModelConfig config = small();
    change(config);
    return input_error_of([&] { resolve(config); });
  };
  EXPECT_THAT(refused([](auto& c) { c.num_layers = 0; }), HasSubstr("model.num_layers is 0"));
  EXPECT_THAT(refused([](auto& c) { c.hidden_size = -1; }), HasSubstr("model.hidden_size is -1"));
  EXPECT_THAT(refused([](auto& c) { c.num_heads = 0; }), HasSubstr("model.num_heads is 0"));
  EXPECT_THAT(refused([](auto& c) { c.num_heads = 5; }), HasSubstr("does not divide"));
  EXPECT_THAT(refused([](auto& c) { c.num_kv_heads = 3; }), HasSubstr("num_kv_heads (3)"));
  EXPECT_THAT(refused([](auto& c) { c.num_kv_heads = -2; }), HasSubstr("num_kv_heads is -2"));
  EXPECT_THAT(refused([](auto& c) { c.num_kv_heads = 8; }), HasSubstr("num_kv_heads (8)"));
  EXPECT_THAT(refused([](auto& c) { c.head_dim = 7; }), HasSubstr("needs an even one"));
  EXPECT_THAT(refused([](auto& c) { c.head_dim = -2; }), HasSubstr("model.head_dim is -2"));
  EXPECT_THAT(refused([](auto& c) { c.intermediate_size = -1; }), HasSubstr("intermediate_size"));
  EXPECT_THAT(refused([](auto& c) { c.vocab_size = 0; }), HasSubstr("model.vocab_size is 0"));
  EXPECT_THAT(refused([](auto& c) { c.vocab_size = std::int64_t{1} << 31; }),
              HasSubstr("between 1 and 2147483647"));
  EXPECT_THAT(refused([](auto& c) { c.max_position = 0; }), HasSubstr("model.max_position is 0"));
  EXPECT_THAT(refused([](auto& c) { c.rope_theta = 0; }), HasSubstr("model.rope_theta is 0"));
  EXPECT_THAT(refused([](auto& c) { c.rms_norm_eps = -1; }), HasSubstr("model.rms_norm_eps is -1"));
  EXPECT_THAT(refused([](auto& c) { c.init_std = 0; }), HasSubstr("model.init_std is 0"));
  EXPECT_THAT(refused([](auto& c) { c.rope_theta = HUGE_VAL; }), HasSubstr("rope_theta is inf"));
  EXPECT_THAT(refused([](auto& c) { c.rms_norm_eps = 1e39; }), HasSubstr("rms_norm_eps is 1e+39"));
  EXPECT_THAT(refused([](auto& c) { c.init_std = HUGE_VAL; }), HasSubstr("model.init_std is inf"));
  EXPECT_THAT(refused([](auto& c) { c.rope_theta = NAN; }), HasSubstr("rope_theta is nan"));
  EXPECT_THAT(refused([](auto& c) { c.rms_norm_eps = NAN; }), HasSubstr("rms_norm_eps is nan"));
}

TEST(ModelConfig, TheFirstAndTheLastOfWhatIsAllowed) {
  const auto message = [](auto&& change) {
    ModelConfig config = small();
    change(config);
    return input_error_of([&] { resolve(config); });
  };
  EXPECT_EQ(message([](auto& c) {
              c.num_layers = c.hidden_size = c.num_heads = c.intermediate_size = c.vocab_size =
                  c.max_position = 1;
              c.head_dim = 2;
              c.rms_norm_eps = 0;
            }),
            "no error");
  EXPECT_EQ(message([](auto& c) { c.vocab_size = c.max_position = (std::int64_t{1} << 31) - 1; }),
            "no error");
  EXPECT_EQ(message([](auto& c) { c.rope_theta = c.rms_norm_eps = c.init_std = 1e30; }),
            "no error");
}

// Each term of the count alone: attention of 128 heads, the MLP, the two embeddings.
TEST(ModelConfig, SaysHowManyParametersAreTooMany) {
  const auto count_of = [](std::int64_t layers, std::int64_t width, std::int64_t heads,
                           std::int64_t head_dim, std::int64_t mlp, std::int64_t vocabulary) {
    ModelConfig c;
    c.num_layers = layers;
    c.hidden_size = width;
    c.num_heads = c.num_kv_heads = heads;
    c.head_dim = head_dim;
    c.intermediate_size = mlp;
    c.vocab_size = vocabulary;
    const std::string message = input_error_of([&] { resolve(c); });
    return message.substr(0, message.find(':'));
  };
  constexpr std::int64_t m = std::int64_t{1} << 20;
  EXPECT_EQ(count_of(m, m, 64, 1 << 14, 1, 1), "the model's sizes make 4.6e+18 parameters");
  EXPECT_EQ(count_of(m, m, 1, 2, 2 * m, 1), "the model's sizes make 6.9e+18 parameters");
  EXPECT_EQ(count_of(1, 1024 * m, 1, 2, 1, 1024 * m), "the model's sizes make 2.3e+18 parameters");
}

}  // namespace
}  // namespace fathom
