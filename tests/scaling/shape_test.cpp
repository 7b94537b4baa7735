#include "scaling/shape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/config.h"
#include "core/error.h"
#include "io/temp_dir.h"
#include "scaling/flops.h"
#include "scaling/model_file.h"

namespace fathom::scaling {
namespace {

TEST(Shape, OfTheReportsModelsIsTheirOwn) {
  for (const char* name : {"ladder-25m", "ladder-85m", "ladder-350m", "ladder-1b",
                           "deepseek-llm-7b", "deepseek-llm-67b"}) {
    ModelConfig model =
        load_model(std::string(FATHOM_SOURCE_DIR "/configs/models/") + name + ".toml");
    ModelConfig shape = shape_for(model_flops(model, 4096), 4096);
    shape.vocab_size = model.vocab_size;
    EXPECT_EQ(config_to_toml(shape), config_to_toml(model)) << name;
  }
}

// From 8 × 512 on: below, widths are few.
TEST(Shape, IsNearTheScaleThatIsAskedFor) {
  for (double exponent = 8.55; exponent < 13; exponent += 0.03) {
    const double wanted = std::pow(10, exponent);
    for (const std::int64_t length : {512, 4096}) {
      const double error = model_flops(shape_for(wanted, length), length) / wanted - 1;
      EXPECT_LT(std::abs(error), wanted < 1e10 ? 0.06 : 0.02) << wanted << " " << length;
    }
  }
}

TEST(Shape, KeepsNearTheReportsProportions) {
  for (double exponent = 8.5; exponent < 13; exponent += 0.03) {
    const ModelConfig shape = shape_for(std::pow(10, exponent), 2048);
    const double proportion =
        static_cast<double>(shape.hidden_size) / static_cast<double>(shape.num_layers);
    EXPECT_GT(proportion, 32) << exponent;
    EXPECT_LT(proportion, 170) << exponent;
  }
}

// Between 8 × 64 and 8 × 512, at 512 tokens 5.5e6 and 1.76e8, and the nearest of them.
TEST(Shape, OfSmallModelsIsAsDeepAsTheReportsSmallest) {
  const auto flops = [](std::int64_t width) { return 8.0 * width * (72 * width + 12 * 512); };
  for (std::int64_t width = 64; width < 512; width += 32) {
    for (const double share : {0.0, 0.4, 0.6}) {
      const double wanted = flops(width) * std::pow(flops(width + 32) / flops(width), share);
      const ModelConfig shape = shape_for(wanted, 512);
      EXPECT_EQ(shape.num_layers, 8) << wanted;
      EXPECT_EQ(shape.hidden_size, width + (share > 0.5 ? 32 : 0)) << wanted;
    }
  }
  EXPECT_EQ(shape_for(flops(512), 512).hidden_size, 512);
  EXPECT_GE(shape_for(1.01 * flops(512), 512).num_layers, 8);
  EXPECT_EQ(shape_for(0.76 * flops(64), 512).num_layers, 6);  // of 64
  EXPECT_EQ(shape_for(0.76 * flops(64), 512).hidden_size, 64);
}

TEST(Shape, SuitsTheHardware) {
  for (double exponent = 6.5; exponent < 14; exponent += 0.05) {
    const ModelConfig m = shape_for(std::pow(10, exponent), 1024);
    EXPECT_EQ(m.hidden_size % (m.hidden_size < 512 ? 32 : 128), 0);
    if (m.hidden_size % 64 == 0) {
      EXPECT_EQ(m.head_dim, m.hidden_size < 2048 ? 64 : 128);
    }
    EXPECT_EQ(m.num_heads * m.head_dim, m.hidden_size);
    EXPECT_EQ(m.num_heads % (m.hidden_size < 8192 ? m.hidden_size < 4096 ? 1 : 4 : 8), 0);
    EXPECT_EQ(m.num_kv_heads, m.hidden_size < 8192 ? m.num_heads : 8);
    const std::int64_t step = m.hidden_size < 512 ? 16 : m.hidden_size < 4096 ? 64 : 256;
    EXPECT_EQ(m.intermediate_size % step, 0);
    EXPECT_GE(3 * m.intermediate_size, 8 * m.hidden_size);
    EXPECT_LT(3 * m.intermediate_size, 8 * m.hidden_size + 3 * step);
    EXPECT_EQ(m.max_position, 1024);
  }
}

// Kernels take heads of 32 to 128 in steps of 8; of those that divide the width the nearest to 64.
TEST(Shape, OfWidthsThat64DoesNotDivideHasHeadsThatDo) {
  const std::map<std::int64_t, std::int64_t> expected{{96, 48},  {160, 80}, {224, 56}, {288, 72},
                                                      {352, 88}, {416, 104}, {480, 80}};
  for (const auto& [width, head_dim] : expected) {
    const auto d = static_cast<double>(width);
    const ModelConfig shape = shape_for(8 * d * (72 * d + 12 * 512), 512);
    EXPECT_EQ(shape.hidden_size, width);
    EXPECT_EQ(shape.head_dim, head_dim) << width;
    EXPECT_EQ(shape.num_heads, width / head_dim) << width;
  }
}

TEST(Shape, RefusesWhatNoModelHas) {
  EXPECT_NO_THROW(shape_for(72.0 * 64 * 64 + 12.0 * 64 * 512, 512));
  for (const double flops : {72.0 * 64 * 64 + 12.0 * 64 * 512 - 1, 0.0, 1e16, double(NAN)}) {
    const std::string message = test::input_error_of([&] { shape_for(flops, 512); });
    EXPECT_NE(message.find("1 × 64 takes 6.88e+05"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace fathom::scaling
