// The config of a run from its file: where a model comes from, and which key wins.
#include "train/config.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "io/temp_dir.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;

TEST(TrainConfigFile, TheRunsOwnModelKeysStandOverTheModelFiles) {
  const TempDir dir;
  write_file(dir / "models/m.toml", "[model]\nnum_layers = 3\nhidden_size = 48\n");
  write_file(dir / "run.toml",
             "model_file = \"models/m.toml\"\n[model]\nhidden_size = 96\n"
             "[train]\nsteps = 5\n[data]\ndirectory = \"d=e\"\n");
  const TrainConfig config = load_train_config(
      dir / "run.toml", std::vector<std::string>{"train.steps=7", "model.num_heads=2"});
  EXPECT_EQ(config.model.num_layers, 3);
  EXPECT_EQ(config.model.hidden_size, 96);
  EXPECT_EQ(config.model.num_heads, 2);
  EXPECT_EQ(config.train.steps, 7);
  EXPECT_EQ(config.data.directory, "d=e");
  EXPECT_EQ(config.model_file, "") << "merged";
}

// The process's working directory for the time of a test.
class InDirectory {
 public:
  explicit InDirectory(const std::string& directory) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(directory);
  }
  ~InDirectory() { std::filesystem::current_path(before_); }

 private:
  std::filesystem::path before_;
};

TEST(TrainConfigFile, AModelFileIsLookedForBesideTheConfigThenWhereTheProcessIs) {
  const TempDir dir;
  write_file(dir / "configs/run.toml", "model_file = \"m.toml\"\n");
  write_file(dir / "here/m.toml", "[model]\nnum_layers = 3\n");
  const InDirectory here(dir / "here");
  const auto layers = [&] { return load_train_config(dir / "configs/run.toml").model.num_layers; };
  EXPECT_EQ(layers(), 3) << "there is none beside the config";
  EXPECT_EQ(load_train_config("../configs/run.toml").model.num_layers, 3);
  write_file(dir / "configs/m.toml", "[model]\nnum_layers = 5\n");
  EXPECT_EQ(layers(), 5);
  EXPECT_EQ(load_train_config("../configs/run.toml").model.num_layers, 5);
  std::filesystem::copy_file(dir / "configs/run.toml", dir / "here/run.toml");
  EXPECT_EQ(load_train_config("run.toml").model.num_layers, 3) << "a path of a name alone";
  write_file(dir / "configs/run.toml", "model_file = \"" + (dir / "here/m.toml") + "\"\n");
  EXPECT_EQ(layers(), 3) << "a whole path";
  write_file(dir / "configs/run.toml", "model_file = \"nowhere.toml\"\n");
  EXPECT_THAT(input_error_of([&] { layers(); }), testing::StartsWith("nowhere.toml: cannot read"));
}

// A run whose config says nothing of them has these.
TEST(TrainConfigFile, WhatIsLeftOutHasItsDefault) {
  const TempDir dir;
  write_file(dir / "run.toml", "");
  const TrainConfig config = load_train_config(dir / "run.toml");
  EXPECT_EQ(config.output, "runs/train");
  EXPECT_EQ(config.device, "cpu");
  EXPECT_EQ(config.threads, 0);
  EXPECT_EQ(config.seed, 1);
  EXPECT_FALSE(config.deterministic);
  EXPECT_EQ(config.laws + config.init_from + config.continue_from + config.model_file, "");
  EXPECT_EQ(config.train.sequence_length, 512);
  EXPECT_EQ(config.train.global_batch, 32);
  EXPECT_EQ(config.train.micro_batch, 0);
  EXPECT_FALSE(config.train.steps || config.train.tokens || config.train.epochs ||
               config.train.max_minutes);
  EXPECT_EQ(config.train.recompute, RecomputeChoice::automatic);
  EXPECT_EQ(config.train.logits_chunk, 0);
  EXPECT_EQ(config.train.log_seconds, 10);
  EXPECT_EQ(config.validation.every_steps, 500);
  EXPECT_EQ(config.validation.sample_prompts.size(), 4u);
  EXPECT_EQ(config.validation.sample_tokens, 64);
  EXPECT_EQ(config.validation.sample_temperature, 0.7);
  EXPECT_FALSE(config.repetition.enabled());
  EXPECT_EQ(config.repetition.every_steps, 0);
  EXPECT_EQ(config.repetition.max_tokens, 256);
  EXPECT_EQ(config.repetition.prompt_tokens, 256);
  EXPECT_EQ(config.repetition.batch, 16);
  EXPECT_EQ(config.repetition.limit, 0.02);
  EXPECT_FALSE(config.eval.enabled());
  EXPECT_EQ(config.eval.every_steps, 0);
  EXPECT_EQ(config.eval.limit, 0);
  EXPECT_FALSE(config.eval.shots);
  EXPECT_FALSE(config.eval.chat);
  EXPECT_EQ(config.eval.batch, 16);
  EXPECT_EQ(config.eval.cache_gib, 1);
}

TEST(TrainConfigFile, TheMeterIsOnWithPromptsOrAFileOfThem) {
  RepetitionConfig config;
  config.prompts_file = "p.jsonl";
  EXPECT_TRUE(config.enabled());
  config.prompts_file.clear();
  config.prompts = {"a"};
  EXPECT_TRUE(config.enabled());
}

TEST(TrainConfigFile, NamesMeanTheirValues) {
  const TempDir dir;
  write_file(dir / "run.toml", "");
  const auto with = [&](const std::string& key) {
    return load_train_config(dir / "run.toml", std::vector<std::string>{key});
  };
  EXPECT_EQ(with("seed=1").dtype, DTypeChoice::automatic);
  EXPECT_EQ(with("dtype=auto").dtype, DTypeChoice::automatic);
  EXPECT_EQ(with("dtype=f32").dtype, DTypeChoice::f32);
  EXPECT_EQ(with("dtype=bf16").dtype, DTypeChoice::bf16);
  EXPECT_EQ(with("seed=1").precision, Products::dtype);
  EXPECT_EQ(with("precision=fp8").precision, Products::fp8);
  EXPECT_THAT(input_error_of([&] { with("precision=fp4"); }), HasSubstr("dtype, fp8"));
  EXPECT_THAT(input_error_of([&] { with("dtype=f16"); }), HasSubstr("auto, f32, bf16"));
  const auto recompute = [&](const std::string& name) {
    return with("train.recompute=" + name).train.recompute;
  };
  EXPECT_EQ(recompute("auto"), RecomputeChoice::automatic);
  EXPECT_EQ(recompute("none"), RecomputeChoice::none);
  EXPECT_EQ(recompute("selective"), RecomputeChoice::selective);
  EXPECT_EQ(recompute("full"), RecomputeChoice::full);
}

TEST(TrainConfigFile, AChoiceOfRecomputationIsAPolicy) {
  EXPECT_FALSE(policy_of(RecomputeChoice::automatic));
  for (const auto& [choice, policy] : {std::pair(RecomputeChoice::none, Recompute::none),
                                       std::pair(RecomputeChoice::selective, Recompute::selective),
                                       std::pair(RecomputeChoice::full, Recompute::full)}) {
    EXPECT_EQ(policy_of(choice), policy);
    EXPECT_EQ(choice_of(policy), choice);
  }
}

// "run/.verify" would be another directory than "run.verify", and the page's title would be empty.
TEST(TrainConfigFile, TheOutputEndsInAName) {
  const TempDir dir;
  const auto output = [&](const std::string& given) {
    write_file(dir / "run.toml", "output = \"" + given + "\"\n");
    return load_train_config(dir / "run.toml").output;
  };
  EXPECT_EQ(output("runs/one/"), "runs/one");
  EXPECT_EQ(output("one//"), "one");
  EXPECT_EQ(output("/"), "/");
}

TEST(TrainConfigFile, UnknownKeysAndFilesAreNamed) {
  const TempDir dir;
  write_file(dir / "run.toml", "[train]\nstep = 5\n");
  EXPECT_THAT(input_error_of([&] { load_train_config(dir / "run.toml"); }), HasSubstr("steps"));
  write_file(dir / "run.toml", "model_file = \"nowhere.toml\"\n");
  EXPECT_THAT(input_error_of([&] { load_train_config(dir / "run.toml"); }),
              HasSubstr("nowhere.toml"));
}

TEST(TrainConfigFile, TheModelIsThatOfTheHuggingFaceDirectoryItBeginsWith) {
  const TempDir dir;
  write_file(dir / "run.toml", "init_from = \"" + (dir / "hf") + "\"\n");
  write_file(dir / "hf/config.json", "{}");
  EXPECT_THAT(input_error_of([&] { load_train_config(dir / "run.toml"); }),
              HasSubstr("hf/config.json"));
  ModelConfig model;
  model.num_layers = 3;
  model.hidden_size = 96;
  model.num_heads = 4;
  model.vocab_size = 64;
  Context context(cpu_device);
  ParameterStore store(parameter_table(resolve(model)), DType::f32, Gradients::none, cpu_device);
  save_model(dir / "hf2", resolve(model), weights_of(store, context), {});
  write_file(dir / "run.toml", "init_from = \"" + (dir / "hf2") + "\"\n");
  EXPECT_EQ(load_train_config(dir / "run.toml").model.num_layers, 3);
  EXPECT_EQ(load_train_config(dir / "run.toml").model.hidden_size, 96);
}

}  // namespace
}  // namespace fathom
