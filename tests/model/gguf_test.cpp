// Models in GGUF files: out and in again, the order of rotated rows, and every mismatch named.
#include "model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "model/gguf_tensors.h"

namespace fathom {
namespace {

using testing::HasSubstr;

ModelConfig gguf_config(bool tied) {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.intermediate_size = 40;  // rows of the down projection are no Q8_0 blocks
  config.vocab_size = 50;
  config.rope_theta = 50000;
  config.rms_norm_eps = 1e-5;
  config.tie_embeddings = tied;
  return resolve(config);
}

class GgufModel : public testing::Test {
 protected:
  explicit GgufModel() : path_(testing::TempDir() + "gguf_test.gguf") {}
  ~GgufModel() override { std::filesystem::remove(path_); }

  // Values that f16 and bf16 hold exactly.
  ParameterStore filled(const ModelConfig& config) {
    ParameterStore store(parameter_table(config), DType::f32, Gradients::none, cpu_device);
    int value = 0;
    for (Parameter& parameter : store.all()) {
      for (std::int64_t i = 0; i < parameter.weight.elements(); ++i) {
        parameter.weight.as<float>()[i] = static_cast<float>(value++ % 255 - 127) / 64;
      }
    }
    return store;
  }

  void save(const ModelConfig& config, const ParameterStore& store, GgufType type) {
    SaveGgufOptions options;
    options.type = type;
    save_gguf(path_, config, weights_of(store, context_), options);
  }

  std::string path_;
  Context context_{cpu_device, 1 << 16};
};

TEST_F(GgufModel, ThereAndBackIsTheSameModel) {
  for (const bool tied : {false, true}) {
    const ModelConfig config = gguf_config(tied);
    const ParameterStore store = filled(config);
    for (const GgufType type : {GgufType::f32, GgufType::f16, GgufType::bf16}) {
      save(config, store, type);
      const GgufFile file(path_);
      const ModelDescription description = load_gguf_description(file);
      EXPECT_EQ(description.dtype, type == GgufType::bf16 ? DType::bf16 : DType::f32);
      EXPECT_EQ(description.config.tie_embeddings, tied);
      EXPECT_EQ(description.config.num_kv_heads, 2);
      EXPECT_EQ(description.config.rope_theta, 50000);
      EXPECT_NEAR(description.config.rms_norm_eps, 1e-5, 1e-12);
      ParameterStore back(parameter_table(config), DType::f32, Gradients::none, cpu_device);
      load_weights(gguf_weights(file, description.config), back, context_);
      for (std::size_t i = 0; i < store.all().size(); ++i) {
        const Tensor a = store.all()[i].weight, b = back.all()[i].weight;
        EXPECT_EQ(std::memcmp(a.data, b.data, a.bytes()), 0) << store.all()[i].spec.name;
      }
    }
  }
}

TEST_F(GgufModel, Q8IsNearAndRowsThatAreNoBlocksAreF16) {
  const ModelConfig config = gguf_config(false);
  const ParameterStore store = filled(config);
  save(config, store, GgufType::q8_0);
  const GgufFile file(path_);
  EXPECT_EQ(file.find("blk.0.attn_q.weight")->type, GgufType::q8_0);
  EXPECT_EQ(file.find("blk.0.ffn_down.weight")->type, GgufType::f16);
  EXPECT_EQ(file.find("blk.0.attn_norm.weight")->type, GgufType::f32);
  ParameterStore back(parameter_table(config), DType::f32, Gradients::none, cpu_device);
  load_weights(gguf_weights(file, config), back, context_);
  for (std::size_t i = 0; i < store.all().size(); ++i) {
    const Tensor a = store.all()[i].weight, b = back.all()[i].weight;
    for (std::int64_t j = 0; j < a.elements(); ++j) {
      ASSERT_NEAR(a.as<float>()[j], b.as<float>()[j], 2.0 / 127 * 0.51);
    }
  }
}

// ggml rotates rows 2i and 2i + 1 together, Hugging Face rows i and i + d/2.
TEST_F(GgufModel, RotatedRowsAreInterleavedWithinAHead) {
  const ModelConfig config = gguf_config(false);
  const ParameterStore store = filled(config);
  save(config, store, GgufType::f32);
  const GgufFile file(path_);
  const auto first_of = [&](const char* name, std::int64_t row) {
    float value;
    std::memcpy(&value, file.find(name)->row(row).data(), 4);
    return value;
  };
  const Tensor qkv = const_cast<ParameterStore&>(store).at("layers.1.attention.qkv.weight").weight;
  const auto own = [&](std::int64_t row) { return qkv.as<float>()[row * qkv.row_stride]; };
  EXPECT_EQ(first_of("blk.1.attn_q.weight", 8 + 0), own(8 + 0));
  EXPECT_EQ(first_of("blk.1.attn_q.weight", 8 + 1), own(8 + 4));
  EXPECT_EQ(first_of("blk.1.attn_q.weight", 8 + 6), own(8 + 3));
  EXPECT_EQ(first_of("blk.1.attn_k.weight", 8 + 3), own(32 + 8 + 5));
  EXPECT_EQ(first_of("blk.1.attn_v.weight", 8 + 3), own(32 + 16 + 8 + 3));
}

TEST(GgufRows, TheOrdersAreInverse) {
  const ParameterSpec::HuggingFacePart part{"model.layers.0.self_attn.q_proj.weight", 48, 3};
  for (std::int64_t row = 0; row < 48; ++row) {
    EXPECT_EQ(gguf::own_row(part, gguf::stored_row(part, row)), row);
  }
}

// The error of a file with these keys after those of a good one, or in their place.
class GgufRefusals : public testing::Test {
 protected:
  ~GgufRefusals() override { std::filesystem::remove(path_); }

  template <class Change>
  std::string error_of(Change&& change, std::vector<GgufTensorSpec> more = {}) {
    GgufMetadata keys;
    keys.add_text("general.architecture", "llama");
    std::map<std::string, std::uint32_t> numbers{
        {"llama.block_count", 1},          {"llama.context_length", 64},
        {"llama.embedding_length", 32},    {"llama.feed_forward_length", 64},
        {"llama.attention.head_count", 4}, {"llama.attention.head_count_kv", 4}};
    std::map<std::string, std::vector<std::int64_t>> shapes{
        {"token_embd.weight", {50, 32}},        {"output_norm.weight", {32}},
        {"blk.0.attn_norm.weight", {32}},       {"blk.0.attn_q.weight", {32, 32}},
        {"blk.0.attn_k.weight", {32, 32}},      {"blk.0.attn_v.weight", {32, 32}},
        {"blk.0.attn_output.weight", {32, 32}}, {"blk.0.ffn_norm.weight", {32}},
        {"blk.0.ffn_gate.weight", {64, 32}},    {"blk.0.ffn_up.weight", {64, 32}},
        {"blk.0.ffn_down.weight", {32, 64}}};
    change(keys, numbers, shapes);
    for (const auto& [key, value] : numbers) keys.add_u32(key, value);
    keys.add_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    std::vector<GgufTensorSpec> tensors = std::move(more);
    for (const auto& [name, shape] : shapes) tensors.push_back({name, GgufType::f32, shape});
    GgufWriter writer(path_, keys, tensors);
    for (const auto& tensor : tensors) {
      writer.append(tensor.name, std::vector<std::byte>(tensor.bytes()));
    }
    writer.finish();
    try {
      const GgufFile file(path_);
      gguf_weights(file, load_gguf_description(file).config);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "no error";
  }

  std::string path_ = testing::TempDir() + "gguf_refusals.gguf";
};

TEST_F(GgufRefusals, AGoodFileIsTheControl) {
  EXPECT_EQ(error_of([](auto&, auto&, auto&) {}), "no error");
}

TEST_F(GgufRefusals, KeysThatAskForOtherMathematics) {
  const auto with = [&](const char* key, std::uint32_t value) {
    return error_of([&](auto&, auto& numbers, auto&) { numbers[key] = value; });
  };
  EXPECT_THAT(with("llama.expert_count", 8), HasSubstr("'llama.expert_count' asks for experts"));
  EXPECT_THAT(with("llama.rope.dimension_count", 4), HasSubstr("a part of each head"));
  EXPECT_THAT(with("llama.block_count", 0), HasSubstr("num_layers is 0"));
  EXPECT_THAT(with("llama.attention.head_count", 5), HasSubstr("does not divide"));
  EXPECT_THAT(with("tokenizer.ggml.eos_token_id", 50), HasSubstr("the model's tokens are 0 to 49"));
  EXPECT_THAT(error_of([](auto&, auto& numbers, auto&) { numbers.erase("llama.block_count"); }),
              HasSubstr("the key 'llama.block_count' is missing"));
  EXPECT_THAT(error_of([](GgufMetadata& keys, auto&, auto&) {
                keys.add_text("llama.rope.scaling.type", "yarn");
              }),
              HasSubstr("scaled rotary embeddings"));
}

TEST_F(GgufRefusals, TensorsThatDoNotFitTheKeys) {
  EXPECT_THAT(error_of([](auto&, auto&, auto& shapes) { shapes.erase("blk.0.ffn_up.weight"); }),
              HasSubstr("the tensor 'blk.0.ffn_up.weight' is missing"));
  EXPECT_THAT(error_of([](auto&, auto&, auto& shapes) {
                shapes["blk.0.ffn_up.weight"] = {32, 64};
              }),
              HasSubstr("has the shape [32, 64], but its keys make it [64, 32]"));
  EXPECT_THAT(error_of([](auto&, auto&, auto& shapes) { shapes["blk.0.attn_q.bias"] = {32}; }),
              HasSubstr("holds the tensor 'blk.0.attn_q.bias'"));
  EXPECT_THAT(error_of([](auto&, auto&, auto& shapes) { shapes["rope_freqs.weight"] = {4}; }),
              HasSubstr("scales rotary embeddings"));
}

}  // namespace
}  // namespace fathom
