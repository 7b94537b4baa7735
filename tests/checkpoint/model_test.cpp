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

// Tensors of the checkpoint in `directory` after a change of the manifest's list.
template <class Change>
std::string refusal_after(const std::string& directory, Change&& change) {
  const std::string path = directory + "/manifest.json";
  CheckpointManifest manifest = parse_checkpoint_manifest(read_file(path), path);
  change(manifest.tensors);
  write_file(path, checkpoint_manifest_text(manifest));
  const Checkpoint checkpoint(directory, Checkpoint::Verify::as_read);
  return message_of([&] { require_model(checkpoint, small_model()); });
}

TEST(CheckpointModel, HasEveryWeightInItsShapeAndNoOther) {
  const std::string directory = fresh_directory("tensors");
  using Tensors = std::vector<ManifestTensor>;
  const std::string missing = saved_model(directory, 1, small_model());
  EXPECT_EQ(refusal_after(missing,
                          [](Tensors& t) {
                            std::erase_if(
                                t, [](const ManifestTensor& x) { return x.name == "head.weight"; });
                          }),
            missing + ": has no weight 'head.weight' with the shape [96, 32]");
  const std::string reshaped = saved_model(directory, 2, small_model());
  EXPECT_EQ(refusal_after(reshaped,
                          [](Tensors& t) {
                            const auto head =
                                std::ranges::find(t, "head.weight", &ManifestTensor::name);
                            head->shape = {32, 96};
                            head->slices[0].extent = {32, 96};
                          }),
            reshaped + ": has no weight 'head.weight' with the shape [96, 32]");
  const std::string foreign = saved_model(directory, 3, small_model());
  EXPECT_EQ(refusal_after(foreign,
                          [](Tensors& t) {
                            t.push_back(t.front());
                            t.back().name = "other.weight";
                          }),
            foreign + ": holds 'other.weight', which its model has not: is it damaged?");
}

TEST(CheckpointModel, NeedsAConfigWithAModel) {
  const std::string path = fresh_directory("no_model") + "/" + checkpoint_name(1);
  State state;
  TrainingState training = state.training(1);
  training.config_toml = "[train]\nsteps = 3\n";
  write_checkpoint(path, state.tensors, training);
  EXPECT_EQ(
      message_of([&] { model_of(Checkpoint(path)); }),
      path + "/state.json (config): there is no [model] table: the checkpoint is not a run's");
}

TEST(CheckpointModel, ItsTokenizerIsItsOwnOrItsRuns) {
  namespace fs = std::filesystem;
  const std::string run = fresh_directory("tokenizer");
  fs::create_directories(run + "/checkpoints");
  State state;
  const std::string path = saved(run + "/checkpoints", state, 1);
  const auto found = [](const std::string& directory) {
    return tokenizer_of(Checkpoint(directory)).value_or("none");
  };
  EXPECT_EQ(found(path), "none");
  write_file(run + "/tokenizer.json", "{}");
  EXPECT_EQ(found(path), run + "/tokenizer.json");
  EXPECT_EQ(found(path + "/"), run + "/tokenizer.json");
  // By a link from elsewhere, and beside a directory of another name.
  const std::string elsewhere = fresh_directory("tokenizer_elsewhere");
  fs::create_directory_symlink(path, elsewhere + "/link");
  EXPECT_EQ(found(elsewhere + "/link"), fs::canonical(run).string() + "/tokenizer.json");
  fs::create_directories(run + "/saves");
  EXPECT_EQ(found(saved(run + "/saves", state, 1)), "none");
  write_file(path + "/tokenizer.json", "{}");
  EXPECT_EQ(found(path), path + "/tokenizer.json");
  EXPECT_EQ(found(elsewhere + "/link"), elsewhere + "/link/tokenizer.json");
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
