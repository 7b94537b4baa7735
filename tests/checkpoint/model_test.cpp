// Whether a checkpoint's model is the one that is wanted.
#include "checkpoint/model.h"

#include <gmock/gmock.h>

#include "checkpoint/model_state.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;

TEST(CheckpointModel, EveryKeyThatGivesTheWeightsTheirMeaningIsCompared) {
  const ModelConfig model = small_model();
  const Checkpoint checkpoint(saved_model(fresh_directory("meaning"), 1, model));
  EXPECT_EQ(message_of([&] { require_model(checkpoint, model); }), "");
  const auto refused = [&](const char* key, auto&& change) {
    ModelConfig other = model;
    change(other);
    EXPECT_THAT(message_of([&] { require_model(checkpoint, other); }),
                HasSubstr(std::string("its model.") + key + " is"));
  };
  refused("rms_norm_eps", [](ModelConfig& c) { c.rms_norm_eps = 1e-5; });
  refused("rope_theta", [](ModelConfig& c) { c.rope_theta = 500000; });
  refused("tie_embeddings", [](ModelConfig& c) { c.tie_embeddings = true; });
  refused("num_layers", [](ModelConfig& c) { c.num_layers = 3; });
  refused("hidden_size", [](ModelConfig& c) { c.hidden_size = 64; });
  refused("num_heads", [](ModelConfig& c) { c.num_heads = 2; });
  refused("num_kv_heads", [](ModelConfig& c) { c.num_kv_heads = 1; });
  refused("head_dim", [](ModelConfig& c) { c.head_dim = 16; });
  refused("intermediate_size", [](ModelConfig& c) { c.intermediate_size = 64; });
  refused("vocab_size", [](ModelConfig& c) { c.vocab_size = 97; });
}

TEST(CheckpointModel, InitialisationAndTheLongestContextMayDiffer) {
  const ModelConfig model = small_model();
  const Checkpoint checkpoint(saved_model(fresh_directory("may_differ"), 1, model));
  ModelConfig other = model;
  other.init_std = 0.5;
  other.max_position = 128;
  EXPECT_EQ(message_of([&] { require_model(checkpoint, other); }), "");
}

TEST(CheckpointModel, IsThatOfTheNewestWholeDescription) {
  const std::string directory = fresh_directory("model_at");
  EXPECT_THAT(message_of([&] { model_at(directory); }), HasSubstr("holds no checkpoint"));
  ModelConfig other = small_model();
  saved_model(directory, 1, other);
  other.num_layers = 3;
  const std::string newest = saved_model(directory, 2, other);
  EXPECT_EQ(model_at(directory).num_layers, 3);
  // Tensors are not looked at, so that the description of a large model is quickly had.
  std::filesystem::resize_file(newest + "/weight.safetensors", 9);
  EXPECT_EQ(model_at(directory).num_layers, 3);
  write_file(newest + "/state.json", "{}");
  EXPECT_EQ(model_at(directory).num_layers, 2);
  EXPECT_THAT(message_of([&] { model_at(newest); }), HasSubstr("state.json"));
}

}  // namespace
}  // namespace fathom::test
