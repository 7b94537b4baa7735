// Models in GGUF files: out and in again, the order of rotated rows, and every mismatch named.
#include "model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>

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

// llama.cpp's names of the tensors and its numbers of the files' types (docs/gguf.md of ggml).
TEST_F(GgufModel, NamesAreLlamaCpps) {
  const ModelConfig config = gguf_config(false);
  const ParameterStore store = filled(config);
  const auto values = [&](const std::string& name, std::int64_t row) {
    const Tensor& weight = const_cast<ParameterStore&>(store).at(name).weight;
    return weight.as<float>() + (weight.shape.rank() == 1 ? 0 : row * weight.row_stride);
  };
  std::map<std::string, const float*> wanted{{"token_embd.weight", values("embedding.weight", 0)},
                                             {"output_norm.weight", values("final_norm.weight", 0)},
                                             {"output.weight", values("head.weight", 0)}};
  for (const std::string layer : {"0", "1"}) {
    const std::string own = "layers." + layer + ".", ggml = "blk." + layer + ".";
    wanted[ggml + "attn_norm.weight"] = values(own + "attention_norm.weight", 0);
    wanted[ggml + "attn_q.weight"] = values(own + "attention.qkv.weight", 0);
    wanted[ggml + "attn_k.weight"] = values(own + "attention.qkv.weight", 32);
    wanted[ggml + "attn_v.weight"] = values(own + "attention.qkv.weight", 48);
    wanted[ggml + "attn_output.weight"] = values(own + "attention.output.weight", 0);
    wanted[ggml + "ffn_norm.weight"] = values(own + "mlp_norm.weight", 0);
    wanted[ggml + "ffn_gate.weight"] = values(own + "mlp.gate_up.weight", 0);
    wanted[ggml + "ffn_up.weight"] = values(own + "mlp.gate_up.weight", 40);
    wanted[ggml + "ffn_down.weight"] = values(own + "mlp.down.weight", 0);
  }
  save(config, store, GgufType::f32);
  const GgufFile file(path_);
  EXPECT_EQ(file.tensors().size(), wanted.size());
  for (const auto& [name, row] : wanted) {
    const GgufTensor* const tensor = file.find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(std::memcmp(tensor->row(0).data(), row, tensor->row(0).size()), 0) << name;
  }
}

TEST_F(GgufModel, KeysAreLlamaCpps) {
  ModelConfig config = gguf_config(false);
  config.max_position = 96;
  const ParameterStore store = filled(config);
  for (const auto& [type, number] : {std::pair(GgufType::f32, 0), std::pair(GgufType::f16, 1),
                                     std::pair(GgufType::q8_0, 7), std::pair(GgufType::bf16, 32)}) {
    save(config, store, type);
    const GgufFile file(path_);
    EXPECT_EQ(file.integer("general.file_type"), number);
    EXPECT_EQ(file.find_integer("general.quantization_version"),
              type == GgufType::q8_0 ? std::optional<std::int64_t>(2) : std::nullopt);
    EXPECT_EQ(file.text("general.architecture"), "llama");
    EXPECT_FALSE(file.has("general.name"));
    for (const auto& [key, value] :
         {std::pair("vocab_size", 50), std::pair("context_length", 96),
          std::pair("embedding_length", 32), std::pair("block_count", 2),
          std::pair("feed_forward_length", 40), std::pair("attention.head_count", 4),
          std::pair("attention.head_count_kv", 2), std::pair("attention.key_length", 8),
          std::pair("attention.value_length", 8), std::pair("rope.dimension_count", 8)}) {
      EXPECT_EQ(file.integer("llama." + std::string(key)), value) << key;
    }
    EXPECT_EQ(file.number("llama.rope.freq_base"), 50000);
    EXPECT_EQ(file.number("llama.attention.layer_norm_rms_epsilon"), 1e-5f);
  }
  SaveGgufOptions options;
  options.name = "Small";
  save_gguf(path_, config, weights_of(store, context_), options);
  EXPECT_EQ(GgufFile(path_).text("general.name"), "Small");
}

// Names of the parameters of an inference store that are in place.
std::set<std::string> in_place_in(const ParameterStore& store) {
  std::set<std::string> names;
  for (const Parameter& p : store.all()) {
    if (p.is_in_place) names.insert(p.spec.name);
  }
  return names;
}

TEST_F(GgufModel, MatricesOfTheRightTypeAndOrderAreReadWhereTheyLie) {
  const ModelConfig config = gguf_config(false);
  const ParameterStore store = filled(config);
  const std::set<std::string> matrices{"embedding.weight",
                                       "layers.0.attention.output.weight",
                                       "layers.0.mlp.gate_up.weight",
                                       "layers.0.mlp.down.weight",
                                       "layers.1.attention.output.weight",
                                       "layers.1.mlp.gate_up.weight",
                                       "layers.1.mlp.down.weight",
                                       "head.weight"};
  const std::set<std::string> norms{"layers.0.attention_norm.weight", "layers.0.mlp_norm.weight",
                                    "layers.1.attention_norm.weight", "layers.1.mlp_norm.weight",
                                    "final_norm.weight"};  // in f32 in every file
  for (const auto& [type, dtype, wanted] : {std::tuple(GgufType::bf16, DType::bf16, matrices),
                                            {GgufType::bf16, DType::f32, norms},
                                            {GgufType::f16, DType::bf16, {}}}) {
    save(config, store, type);
    auto file = std::make_shared<const GgufFile>(path_);
    const WeightReader reader = gguf_weights(*file, config);
    ParameterStore copied(parameter_table(config), dtype, MatrixStorage::dtype, cpu_device);
    load_weights(reader, copied, context_);
    ParameterStore read(parameter_table(config), dtype, MatrixStorage::dtype, cpu_device,
                        gguf_in_place(file));
    load_weights(reader, read, context_);
    EXPECT_EQ(in_place_in(read), wanted) << name_of(type);
    EXPECT_EQ(read.weight_bytes() < copied.weight_bytes(), !wanted.empty());
    file.reset();  // the store holds it
    std::filesystem::remove(path_);
    for (std::size_t i = 0; i < copied.all().size(); ++i) {
      const Tensor a = copied.all()[i].weight, b = read.all()[i].weight;
      EXPECT_EQ(std::memcmp(a.data, b.data, a.bytes()), 0) << copied.all()[i].spec.name;
    }
  }
}

// The norms of a file in f32 too; not the matrices that are kept in 8 bits.
TEST_F(GgufModel, InF32NormsAreReadWhereTheyLieAndMatricesIn8BitsAreNot) {
  const ModelConfig config = gguf_config(true);
  save(config, filled(config), GgufType::f32);
  const auto file = std::make_shared<const GgufFile>(path_);
  const ParameterStore whole(parameter_table(config), DType::f32, MatrixStorage::dtype, cpu_device,
                             gguf_in_place(file));
  EXPECT_TRUE(in_place_in(whole).contains("final_norm.weight"));
  EXPECT_TRUE(in_place_in(whole).contains("embedding.weight"));
  const ParameterStore rounded(parameter_table(config), DType::f32, MatrixStorage::int8, cpu_device,
                               gguf_in_place(file));
  EXPECT_TRUE(in_place_in(rounded).contains("final_norm.weight"));
  EXPECT_FALSE(in_place_in(rounded).contains("embedding.weight"));
  const ParameterStore elsewhere(parameter_table(config), DType::f32, MatrixStorage::dtype,
                                 meta_device, gguf_in_place(file));
  EXPECT_TRUE(in_place_in(elsewhere).empty());
}

// Blocks are taken over as they are, except where a scale is no number from 0.
TEST_F(GgufModel, BlocksOfAQ8FileBecomeRowsIn8Bits) {
  const ModelConfig config = gguf_config(false);
  save(config, filled(config), GgufType::q8_0);
  const GgufFile file(path_);
  const WeightReader reader = gguf_weights(file, config);
  ParameterStore encoded(parameter_table(config), DType::bf16, MatrixStorage::int8, cpu_device);
  load_weights(reader, encoded, context_);
  std::vector<std::byte> negative;  // the first block of the embedding, with the scale's sign
  const BlockReader blocks = [&](const ParameterSpec& spec) {
    auto rows = gguf_blocks(file)(spec);
    // Norms are in f32, and rows of 40 values in f16.
    EXPECT_EQ(rows.empty(), spec.shape.rank() == 1 || spec.shape[1] == 40) << spec.name;
    if (spec.name == "embedding.weight") {
      negative.assign(rows[0], rows[0] + 34);
      negative[1] |= std::byte{0x80};
      rows[0] = negative.data();
    }
    return rows;
  };
  ParameterStore taken(parameter_table(config), DType::bf16, MatrixStorage::int8, cpu_device);
  load_weights(reader, taken, context_, blocks);
  for (std::size_t i = 0; i < taken.all().size(); ++i) {
    const Parameter &a = encoded.all()[i], &b = taken.all()[i];
    ASSERT_EQ(a.is_int8(), b.is_int8());
    const std::size_t skip = a.spec.name == "embedding.weight" ? 32 : 0;
    const auto* const encoded_bytes = static_cast<const std::int8_t*>(a.weight.data);
    const auto* const taken_bytes = static_cast<const std::int8_t*>(b.weight.data);
    EXPECT_EQ(std::memcmp(encoded_bytes + skip, taken_bytes + skip, a.weight.bytes() - skip), 0)
        << a.spec.name;
    if (a.is_int8()) {
      EXPECT_EQ(std::memcmp(a.scales.data, b.scales.data, a.scales.bytes()), 0) << a.spec.name;
    }
    // The sign is in the integers.
    for (std::size_t j = 0; j < skip; ++j) EXPECT_EQ(encoded_bytes[j], -taken_bytes[j]);
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
