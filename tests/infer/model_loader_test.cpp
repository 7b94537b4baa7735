#include "infer/model_loader.h"

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>

#include "checkpoint/writer.h"
#include "core/config.h"
#include "core/error.h"
#include "infer/tiny_model.h"
#include "io/stored_values.h"
#include "io/temp_dir.h"
#include "model/gguf.h"
#include "model/hugging_face.h"

namespace fathom::infer {
namespace {

namespace fs = std::filesystem;
using test::byte_tokenizer;
using test::TempDir;
using test::TinyModel;
using testing::ElementsAre;
using testing::HasSubstr;

class LoadModel : public testing::Test {
 protected:
  // A Hugging Face directory without a tokenizer.
  void save_hugging_face(const std::string& path, std::vector<std::int64_t> eos_tokens = {}) {
    SaveModelOptions options;
    options.dtype = DType::f32;
    options.eos_tokens = std::move(eos_tokens);
    save_model(path, model_.config, weights_of(model_.parameters, model_.context), options);
  }
  void save_checkpoint(const std::string& path) { save_checkpoint(path, model_, {}); }
  void save_checkpoint(const std::string& path, const TinyModel& model,
                       std::vector<CheckpointTensor> tensors,
                       const std::vector<CheckpointTensor>& behind = {}) {
    for (const Parameter& p : model.parameters.all()) {
      tensors.push_back(CheckpointTensor::whole(StateKind::weight, p.spec.name, p.weight));
    }
    tensors.insert(tensors.end(), behind.begin(), behind.end());
    TrainingState state;
    state.config_toml = "[model]\n" + config_to_toml(model_.config);
    fs::create_directories(fs::path(path).parent_path());
    write_checkpoint(path, tensors, state, {});
  }
  void write_tokenizer(const std::string& directory, const std::string& special) {
    test::write_file(directory + "/tokenizer.json", byte_tokenizer({special}));
  }
  // The special token of the tokenizer that is found, or the error.
  std::string found(const std::string& path) {
    try {
      const LoadedModel loaded = load_model(path, {}, model_.context);
      return std::string(loaded.tokenizer.id_to_token(256));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
  }

  TempDir dir_;
  TinyModel model_{test::tiny_config(258)};
};

TEST_F(LoadModel, TakesAHuggingFaceDirectorysOwnTokenizerOnly) {
  save_hugging_face(dir_ / "models/llama");
  write_tokenizer(dir_ / "models", "<parent>");
  write_tokenizer(dir_ / ".", "<grandparent>");
  const std::string none = "models/llama: there is no tokenizer.json in it";
  EXPECT_THAT(found(dir_ / "models/llama"), HasSubstr(none));
  // A link does not make the link's neighbours the model's.
  fs::create_directory(dir_ / "links");
  write_tokenizer(dir_ / "links", "<beside the link>");
  fs::create_directory_symlink(dir_ / "models/llama", dir_ / "links/llama");
  EXPECT_THAT(found(dir_ / "links/llama"), HasSubstr("there is no tokenizer.json in it"));
  write_tokenizer(dir_ / "models/llama", "<own>");
  EXPECT_EQ(found(dir_ / "models/llama"), "<own>");
  EXPECT_EQ(found(dir_ / "models/llama/"), "<own>");
}

TEST_F(LoadModel, TakesACheckpointsTokenizerFromItOrItsRun) {
  save_checkpoint(dir_ / "run/checkpoints/step-00000000");
  write_tokenizer(dir_ / ".", "<parent of the run>");
  write_tokenizer(dir_ / "run/checkpoints", "<beside the checkpoint>");
  for (const char* path : {"run", "run/checkpoints", "run/checkpoints/step-00000000"}) {
    EXPECT_THAT(found(dir_ / path), HasSubstr("there is no tokenizer.json of this checkpoint"));
  }
  write_tokenizer(dir_ / "run", "<run>");
  fs::create_directory_symlink(dir_ / "run/checkpoints/step-00000000", dir_ / "link");
  for (const char* path : {"run", "run/checkpoints/", "run/checkpoints/step-00000000", "link"}) {
    EXPECT_EQ(found(dir_ / path), "<run>") << path;
  }
  write_tokenizer(dir_ / "run/checkpoints/step-00000000", "<checkpoint>");
  EXPECT_EQ(found(dir_ / "run"), "<checkpoint>");
}

// A checkpoint outside a run has no run two levels up.
TEST_F(LoadModel, TakesNoTokenizerForAMovedCheckpoint) {
  save_checkpoint(dir_ / "models/mine");
  write_tokenizer(dir_ / ".", "<grandparent>");
  write_tokenizer(dir_ / "models", "<parent>");
  EXPECT_THAT(found(dir_ / "models/mine"), HasSubstr("there is no tokenizer.json of this"));
}

TEST_F(LoadModel, TakesTheTokenizerThatIsNamed) {
  save_hugging_face(dir_ / "model");
  write_tokenizer(dir_ / "model", "<own>");
  test::write_file(dir_ / "other.json", byte_tokenizer({"<other>"}));
  const LoadedModel loaded = load_model(dir_ / "model", {dir_ / "other.json", {}}, model_.context);
  EXPECT_EQ(loaded.tokenizer.id_to_token(256), "<other>");
}

TEST_F(LoadModel, EndsAtTheTokensOfModelAndTokenizer) {
  save_hugging_face(dir_ / "none");
  write_tokenizer(dir_ / "none", "<user>");
  EXPECT_TRUE(load_model(dir_ / "none", {}, model_.context).end_tokens.empty());
  save_hugging_face(dir_ / "model", {7, 9});
  write_tokenizer(dir_ / "model", "</s>");
  EXPECT_THAT(load_model(dir_ / "model", {}, model_.context).end_tokens, ElementsAre(7, 9, 256));
  save_hugging_face(dir_ / "same", {256});
  write_tokenizer(dir_ / "same", "</s>");
  EXPECT_THAT(load_model(dir_ / "same", {}, model_.context).end_tokens, ElementsAre(256));
}

TEST_F(LoadModel, ReadsTheWeightsInTheTypeAskedFor) {
  save_hugging_face(dir_ / "model");
  save_checkpoint(dir_ / "checkpoint");
  for (const char* name : {"model", "checkpoint"}) {
    write_tokenizer(dir_ / name, "</s>");
    const LoadedModel stored = load_model(dir_ / name, {}, model_.context);
    EXPECT_EQ(stored.stage->dtype(), DType::f32);
    for (const Parameter& p : model_.parameters.all()) {
      const Tensor loaded = stored.parameters->at(p.spec.name).weight;
      EXPECT_EQ(std::memcmp(loaded.data, p.weight.data, p.weight.bytes()), 0) << p.spec.name;
    }
    const LoadedModel converted = load_model(dir_ / name, {"", DType::bf16}, model_.context);
    EXPECT_EQ(converted.stage->dtype(), DType::bf16);
  }
}

// The value of a weight in 8 bits.
float int8_value(const Parameter& p, std::int64_t i) {
  const auto integer = static_cast<std::int8_t>(p.weight.as<std::uint8_t>()[i]);
  return integer * float_of_half(p.scales.as<std::uint16_t>()[i / ops::int8_block]);
}

LoadOptions in_8_bits() {
  LoadOptions options;
  options.storage = MatrixStorage::int8;
  return options;
}

// Rows of `down` are no whole number of blocks, and norms are no matrices.
TEST_F(LoadModel, RoundsMatricesTo8Bits) {
  save_hugging_face(dir_ / "model");
  save_checkpoint(dir_ / "checkpoint");
  for (const char* name : {"model", "checkpoint"}) {
    write_tokenizer(dir_ / name, "</s>");
    const LoadedModel loaded = load_model(dir_ / name, in_8_bits(), model_.context);
    EXPECT_EQ(loaded.stage->dtype(), DType::f32);
    for (const Parameter& p : model_.parameters.all()) {
      const Parameter& q = loaded.parameters->at(p.spec.name);
      const bool matrix = p.weight.shape.rank() == 2 && p.weight.cols() % ops::int8_block == 0;
      ASSERT_EQ(q.is_int8(), matrix) << p.spec.name;
      if (!matrix) {
        EXPECT_EQ(std::memcmp(q.weight.data, p.weight.data, p.weight.bytes()), 0) << p.spec.name;
        continue;
      }
      for (std::int64_t i = 0; i < p.weight.elements(); ++i) {
        const float step = float_of_half(q.scales.as<std::uint16_t>()[i / ops::int8_block]);
        // Half a step, and the rounding of the scale to half precision.
        ASSERT_NEAR(int8_value(q, i), p.weight.as<float>()[i], 0.57f * step) << p.spec.name;
      }
    }
  }
}

TEST_F(LoadModel, TakesMatricesIn8BitsOnACpuAlone) {
  save_hugging_face(dir_ / "model");
  write_tokenizer(dir_ / "model", "</s>");
  Context elsewhere(cpu_device);
  elsewhere.device = {DeviceType::cuda, 0};
  EXPECT_THAT(
      [&] { load_model(dir_ / "model", in_8_bits(), elsewhere); },
      testing::ThrowsMessage<Error>(HasSubstr("weights in 8 bits are for a CPU, not for cuda:0")));
}

// The same logits as of the same values in f32, for a few tokens and for many.
TEST_F(LoadModel, ComputesWithMatricesIn8Bits) {
  save_hugging_face(dir_ / "model");
  write_tokenizer(dir_ / "model", "</s>");
  const LoadedModel loaded = load_model(dir_ / "model", in_8_bits(), model_.context);
  for (Parameter& p : model_.parameters.all()) {
    const Parameter& q = loaded.parameters->at(p.spec.name);
    for (std::int64_t i = 0; q.is_int8() && i < p.weight.elements(); ++i) {
      p.weight.as<float>()[i] = int8_value(q, i);
    }
  }
  test::Tokens tokens{200, 3, 77};
  for (int i = 0; i < 40; ++i) {
    const std::vector<float> expected = model_.last_logits(tokens);
    const std::vector<float> logits = test::last_logits(*loaded.stage, model_.context, tokens);
    for (std::size_t t = 0; t < logits.size(); ++t) ASSERT_NEAR(logits[t], expected[t], 2e-4) << i;
    tokens.push_back(i * 5);
  }
}

TEST_F(LoadModel, ReadsWeightsWhereTheyLieInTheFile) {
  SaveGgufOptions options;
  options.type = GgufType::f32;
  save_gguf(dir_ / "f32.gguf", model_.config, weights_of(model_.parameters, model_.context),
            options);
  save_hugging_face(dir_ / "model");
  write_tokenizer(dir_ / "model", "</s>");
  LoadOptions load;
  load.tokenizer = dir_ / "model/tokenizer.json";
  for (const std::string& path : {dir_ / "f32.gguf", dir_ / "model"}) {
    const LoadedModel loaded = load_model(path, load, model_.context);
    EXPECT_TRUE(loaded.parameters->at("embedding.weight").is_in_place) << path;
    for (const Parameter& p : model_.parameters.all()) {
      const Tensor& weight = loaded.parameters->at(p.spec.name).weight;
      EXPECT_EQ(std::memcmp(weight.data, p.weight.data, p.weight.bytes()), 0) << p.spec.name;
    }
    LoadOptions copying = load;
    copying.file_weights = FileWeights::copied;
    const LoadedModel copied = load_model(path, copying, model_.context);
    for (const Parameter& p : copied.parameters->all()) EXPECT_FALSE(p.is_in_place) << path;
  }
}

// The file's own integers and scales.
TEST_F(LoadModel, KeepsTheIntegersOfAQ8File) {
  SaveGgufOptions options;
  options.type = GgufType::q8_0;
  save_gguf(dir_ / "q8.gguf", model_.config, weights_of(model_.parameters, model_.context),
            options);
  write_tokenizer(dir_ / ".", "</s>");
  LoadOptions load = in_8_bits();
  load.tokenizer = dir_ / "tokenizer.json";
  const LoadedModel loaded = load_model(dir_ / "q8.gguf", load, model_.context);
  const GgufFile file(dir_ / "q8.gguf");
  const Parameter& q = loaded.parameters->at("embedding.weight");
  const GgufTensor& stored = *file.find("token_embd.weight");
  ASSERT_EQ(stored.type, GgufType::q8_0);
  for (std::int64_t b = 0; b < q.scales.elements(); ++b) {
    const std::byte* const block = stored.data.data() + b * 34;
    ASSERT_EQ(std::memcmp(q.scales.as<std::uint16_t>() + b, block, 2), 0) << b;
    ASSERT_EQ(std::memcmp(q.weight.as<std::uint8_t>() + b * 32, block + 2, 32), 0) << b;
  }
}

// Beside weights in bf16 a checkpoint holds moments in f32.
TEST_F(LoadModel, HasTheTypeOfACheckpointsWeights) {
  TinyModel model(test::tiny_config(258), DType::bf16);
  std::vector<float> moment(258 * 32);
  const Tensor values(moment.data(), DType::f32, {258, 32});
  std::vector<CheckpointTensor> moments;
  for (const StateKind kind : {StateKind::first_moment, StateKind::second_moment}) {
    moments.push_back(CheckpointTensor::whole(kind, "embedding.weight", values));
  }
  save_checkpoint(dir_ / "before", model, moments);
  save_checkpoint(dir_ / "behind", model, {}, moments);
  for (const char* name : {"before", "behind"}) {
    write_tokenizer(dir_ / name, "</s>");
    EXPECT_EQ(load_model(dir_ / name, {}, model_.context).stage->dtype(), DType::bf16) << name;
  }
}

TEST_F(LoadModel, RefusesACheckpointThatHoldsMoreThanItsModel) {
  float value = 1;
  save_checkpoint(dir_ / "checkpoint", model_,
                  {CheckpointTensor::whole(StateKind::weight, "strange.weight",
                                           Tensor(&value, DType::f32, {1}))});
  write_tokenizer(dir_ / "checkpoint", "</s>");
  EXPECT_THAT(found(dir_ / "checkpoint"),
              HasSubstr("holds 'strange.weight', which its model has not"));
}

TEST_F(LoadModel, RefusesATokenizerWithMoreTokensThanTheModel) {
  save_hugging_face(dir_ / "model");
  test::write_file(dir_ / "model/tokenizer.json", byte_tokenizer({"<a>", "<b>"}));
  EXPECT_EQ(found(dir_ / "model"), "<a>") << "258 tokens of 258";
  test::write_file(dir_ / "model/tokenizer.json", byte_tokenizer({"<a>", "<b>", "<c>"}));
  EXPECT_THAT(found(dir_ / "model"), HasSubstr("the tokenizer has 259 tokens and the model 258"));
  EXPECT_THAT(found(dir_ / "nothing"), HasSubstr("there is no such file or directory"));
}

}  // namespace
}  // namespace fathom::infer
