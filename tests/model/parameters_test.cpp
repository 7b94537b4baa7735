#include "model/parameters.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "core/error.h"
#include "io/gguf_blocks.h"
#include "model/hugging_face.h"
#include "model/shard.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

ModelConfig deepseek_7b() {
  ModelConfig c;
  c.num_layers = 30;
  c.hidden_size = 4096;
  c.num_heads = 32;
  c.vocab_size = 102400;
  return resolve(c);
}

TEST(ModelConfig, DerivesTheReportsSizes) {
  const ModelConfig c = deepseek_7b();
  EXPECT_EQ(c.intermediate_size, 10944);  // 8/3 d up to 64; the report's 11008 is set by hand
  EXPECT_EQ(c.num_kv_heads, 32);
  EXPECT_EQ(c.head_dim, 128);
}

TEST(ModelConfig, CountsParametersAsTheTableHoldsThem) {
  for (const bool tied : {false, true}) {
    ModelConfig c = deepseek_7b();
    c.intermediate_size = 11008;
    c.tie_embeddings = tied;
    std::int64_t in_table = 0;
    for (const ParameterSpec& spec : parameter_table(c)) in_table += spec.shape.elements();
    EXPECT_EQ(count_parameters(c), in_table);
    if (!tied) {
      EXPECT_EQ(in_table, 6'910'365'696);  // deepseek-ai/deepseek-llm-7b-base
    }
  }
}

std::string error_of(ModelConfig c) {
  try {
    resolve(c);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

TEST(ModelConfig, RefusesImpossibleSizesByKey) {
  ModelConfig c = deepseek_7b();
  c.head_dim = 0;
  c.num_heads = 30;
  EXPECT_EQ(error_of(c),
            "model.num_heads (30) does not divide model.hidden_size (4096): change one, or set "
            "model.head_dim");
  c = deepseek_7b();
  c.num_kv_heads = 5;
  EXPECT_EQ(error_of(c), "model.num_kv_heads (5) does not divide model.num_heads (32)");
  c = deepseek_7b();
  c.head_dim = 7;
  EXPECT_EQ(error_of(c), "model.head_dim is 7: rotary embedding needs an even one");
  c = deepseek_7b();
  c.num_layers = -1;
  EXPECT_EQ(error_of(c), "model.num_layers is -1: use a value between 1 and 2147483647");
  c = deepseek_7b();
  c.vocab_size = 0;
  EXPECT_EQ(error_of(c), "model.vocab_size is 0: use a value between 1 and 2147483647");
}

// Each fits by itself; the products would overflow.
TEST(ModelConfig, RefusesSizesWhoseProductsAreTooLarge) {
  constexpr std::int64_t large = 2'000'000'000;
  for (std::int64_t ModelConfig::*size :
       {&ModelConfig::num_layers, &ModelConfig::hidden_size, &ModelConfig::intermediate_size}) {
    ModelConfig c = deepseek_7b();
    c.hidden_size = 1 << 20;
    c.vocab_size = 1 << 24;
    c.*size = large;
    c.num_heads = c.num_kv_heads = 32;
    EXPECT_NE(error_of(c).find("parameters: lower model.num_layers"), std::string::npos)
        << error_of(c);
  }
  ModelConfig c = deepseek_7b();
  c.max_position = large;
  c.head_dim = large;
  c.hidden_size = c.num_heads = c.num_kv_heads = 1;
  EXPECT_EQ(error_of(c),
            "model.max_position (2000000000) times model.head_dim (2000000000) is too large a "
            "table of angles");
  c = deepseek_7b();
  c.num_layers = 1000;
  c.hidden_size = 100'000;
  c.num_heads = c.num_kv_heads = 1000;
  c.head_dim = 100;
  EXPECT_EQ(error_of(c), "no error");
}

TEST(ParameterTable, NamesAreUniqueAndPartsCoverTheRows) {
  std::set<std::string> names, hugging_face;
  for (const ParameterSpec& spec : parameter_table(deepseek_7b())) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    std::int64_t rows = 0;
    for (const auto& part : spec.parts) {
      EXPECT_TRUE(hugging_face.insert(part.name).second) << part.name;
      rows += part.rows;
    }
    EXPECT_EQ(rows, spec.shape[0]) << spec.name;
  }
  EXPECT_TRUE(hugging_face.contains("model.layers.29.mlp.up_proj.weight"));
}

// Norms are vectors that begin as ones; weight decay would pull them to zero.
TEST(ParameterTable, WeightDecayIsOfMatricesAlone) {
  for (const bool tied : {false, true}) {
    ModelConfig c = deepseek_7b();
    c.tie_embeddings = tied;
    int norms = 0;
    for (const ParameterSpec& spec : parameter_table(c)) {
      const bool norm = spec.name.ends_with("norm.weight");
      norms += norm;
      EXPECT_EQ(spec.shape.rank(), norm ? 1 : 2) << spec.name;
      EXPECT_EQ(spec.weight_decay, !norm) << spec.name;
      EXPECT_EQ(spec.init == Initializer::ones, norm) << spec.name;
    }
    EXPECT_EQ(norms, 2 * 30 + 1);
  }
}

TEST(ParameterStore, InitialWeightsDependOnNameAndSeedAlone) {
  ModelConfig c;
  c.num_layers = 1;
  c.hidden_size = 16;
  c.num_heads = 2;
  c.vocab_size = 32;
  c = resolve(c);
  Context context(cpu_device);
  ParameterStore a(parameter_table(c), DType::f32, Gradients::none, cpu_device);
  ParameterStore b(parameter_table(c), DType::f32, Gradients::f32, cpu_device);
  const auto fill = [&](ParameterStore& store, std::uint64_t seed) {
    for (Parameter& p : store.all()) initialize(context, p.spec, c.init_std, seed, p.weight);
  };
  const auto row = [](ParameterStore& store, const char* name) {
    const Tensor w = store.at(name).weight;
    return std::vector<float>(w.as<float>(), w.as<float>() + 16);
  };
  fill(a, 1);
  fill(b, 1);
  EXPECT_EQ(row(a, "head.weight"), row(b, "head.weight"));
  EXPECT_NE(row(a, "head.weight"), row(a, "embedding.weight"));
  EXPECT_EQ(row(a, "final_norm.weight"), std::vector<float>(16, 1.0f));
  fill(b, 2);
  EXPECT_NE(row(a, "head.weight"), row(b, "head.weight"));
  EXPECT_THROW(a.at("nothing"), Error);
}

// Of row- and column-parallel matrices, and of key heads that ranks share.
TEST(ParameterStore, AShardsInitialWeightsAreItsPartOfTheWhole) {
  const ModelConfig c = test::small_model(1, 2, 50);
  Context context(cpu_device);
  for (const ParameterSpec& spec : parameter_table(c)) {
    std::vector<float> whole(static_cast<std::size_t>(spec.shape.elements()));
    initialize(context, spec, 0.2, 7, Tensor(whole.data(), DType::f32, spec.shape));
    for (const int ranks : {1, 2, 4, 8}) {
      for (int rank = 0; rank < ranks; ++rank) {
        const TensorShard shard{rank, ranks};
        ParameterStore store({spec}, DType::f32, Gradients::none, cpu_device, shard);
        const Parameter& parameter = store.all().front();
        initialize(context, parameter, shard, 0.2, 7);
        for (const ShardBox& box : shard_boxes(spec, shard)) {
          const std::int64_t columns = box.shape[-1], rows = box.shape.elements() / columns;
          const std::int64_t row = spec.shape.rank() > 1 ? box.offset[0] : 0;
          for (std::int64_t r = 0; r < rows; ++r) {
            const float* mine = parameter.weight.as<float>() + (box.local + r) * columns;
            const auto expected = whole.begin() + (row + r) * spec.shape[-1] + box.offset.back();
            EXPECT_TRUE(std::equal(mine, mine + columns, expected))
                << spec.name << " row " << r << " of rank " << rank << " of " << ranks;
          }
        }
      }
    }
  }
}

ParameterSpec spec_of(std::string name, Shape shape, bool product) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.shape = shape;
  spec.parts = {{spec.name, shape[0]}};
  spec.gradient_is_product = product;
  return spec;
}

// 16 elements take 128 places and 150 take 256; two or four ranks share 512, three 384.
TEST(ParameterStore, PadsEachParameterAndTheWhole) {
  const std::vector<ParameterSpec> specs{spec_of("small", {16}, false),
                                         spec_of("large", {3, 50}, true)};
  for (const auto& [ranks, elements] : {std::pair(1, 384u), {2, 512u}, {3, 384u}, {4, 512u}}) {
    ParameterStore store(specs, DType::bf16, Gradients::f32, cpu_device, {}, ranks);
    EXPECT_EQ(store.flat_elements(), elements) << ranks;
    EXPECT_EQ(store.weight_bytes(), elements * 2);
    EXPECT_EQ(store.gradient_bytes(), elements * 4);
    EXPECT_EQ(store.at("small").first, 0);
    EXPECT_EQ(store.at("large").first, 128);
    EXPECT_EQ(store.at("large").weight.data,
              static_cast<std::byte*>(store.flat_weights().data) + 128 * 2);
    EXPECT_EQ(store.at("large").gradient.data,
              static_cast<std::byte*>(store.flat_gradients().data) + 128 * 4);
  }
  EXPECT_EQ(ParameterStore(specs, DType::f32, Gradients::none, cpu_device).gradient_bytes(), 0u);
}

TEST(ParameterStore, HasFp8CopiesOfTheBlocksMatricesThatSuitIt) {
  ModelConfig config = test::small_model(1, 8, 48);
  const auto with_copies = [&](Products products, const TensorShard& shard) {
    ParameterStore store(parameter_table(config), DType::bf16, Gradients::f32, cpu_device, shard, 1,
                         products);
    std::set<std::string> names;
    std::size_t bytes = 0;
    for (const Parameter& p : store.all()) {
      if (!p.fp8) continue;
      names.insert(p.spec.name);
      const Shape shape = p.weight.shape;
      EXPECT_EQ(p.fp8->values.shape, shape) << p.spec.name;
      EXPECT_EQ(p.fp8->transposed.shape, (Shape{shape[1], shape[0]})) << p.spec.name;
      EXPECT_TRUE(p.fp8->is_stale);
      bytes += 2 * static_cast<std::size_t>(shape.elements());
    }
    EXPECT_GE(store.fp8_bytes(), bytes);
    EXPECT_LE(store.fp8_bytes(), bytes + names.size() * 1024);
    return names;
  };
  using Names = std::set<std::string>;
  const Names all{"layers.0.attention.qkv.weight", "layers.0.attention.output.weight",
                  "layers.0.mlp.gate_up.weight", "layers.0.mlp.down.weight"};
  EXPECT_EQ(with_copies(Products::fp8, {}), all);
  EXPECT_EQ(with_copies(Products::dtype, {}), Names{});
  // 48 / 2 is no multiple of 16.
  EXPECT_EQ(with_copies(Products::fp8, {0, 2}),
            (Names{"layers.0.attention.qkv.weight", "layers.0.attention.output.weight",
                   "layers.0.mlp.gate_up.weight"}));
  config.intermediate_size = 40;
  EXPECT_EQ(with_copies(Products::fp8, {}),
            (Names{"layers.0.attention.qkv.weight", "layers.0.attention.output.weight",
                   "layers.0.mlp.gate_up.weight"}));
}

// The first product of a step overwrites what is stale; all other gradients are sums from zero.
TEST(ParameterStore, BeginsGradientsAtZeroOrStale) {
  const std::vector<ParameterSpec> specs{spec_of("sum", {2, 3}, false),
                                         spec_of("product", {2, 3}, true)};
  Context context(cpu_device);
  ParameterStore store(specs, DType::f32, Gradients::f32, cpu_device);
  for (Parameter& p : store.all()) std::fill_n(p.gradient.as<float>(), 6, 5.0f);
  store.begin_gradients(context);
  EXPECT_FALSE(store.at("sum").gradient_is_stale);
  EXPECT_TRUE(store.at("product").gradient_is_stale);
  EXPECT_EQ(store.at("sum").gradient.as<float>()[5], 0);
  EXPECT_EQ(store.at("product").gradient.as<float>()[5], 5);
  ParameterStore none(specs, DType::f32, Gradients::none, cpu_device);
  EXPECT_NO_THROW(none.begin_gradients(context));
}

// Rows in 8 bits are rounded about four million values at a time.
TEST(ParameterStore, LargeMatricesIn8BitsAreLoadedInParts) {
  constexpr std::int64_t rows = 33, columns = std::int64_t{1} << 17;
  ParameterStore store({spec_of("wide", {rows, columns}, true)}, DType::f32, MatrixStorage::int8,
                       cpu_device);
  Context context(cpu_device);
  std::vector<std::pair<std::int64_t, std::int64_t>> parts;
  load_weights(
      [&](const ParameterSpec& spec, std::int64_t first, Tensor values) {
        EXPECT_EQ(spec.name, "wide");
        parts.emplace_back(first, values.rows());
        for (std::int64_t r = 0; r < values.rows(); ++r) {
          std::fill_n(values.as<float>() + r * columns, columns, 127.0f * float(first + r + 1));
        }
      },
      store, context);
  EXPECT_EQ(parts, (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 32}, {32, 1}}));
  const Parameter& wide = store.at("wide");
  ASSERT_TRUE(wide.is_int8());
  constexpr std::int64_t blocks = columns / ops::int8_block;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::vector<float> values(ops::int8_block, 127.0f * float(r + 1));
    std::vector<std::byte> encoded(block_of(GgufType::q8_0).bytes);
    encode_gguf(GgufType::q8_0, values, encoded.data());
    const auto* scales = wide.scales.as<std::uint16_t>() + r * blocks;
    EXPECT_EQ(std::memcmp(&scales[0], encoded.data(), 2), 0) << r;
    EXPECT_EQ(scales[blocks - 1], scales[0]) << r;
    EXPECT_EQ(int(wide.weight.as<std::uint8_t>()[(r + 1) * columns - 1]), 127) << r;
  }
}

}  // namespace
}  // namespace fathom
