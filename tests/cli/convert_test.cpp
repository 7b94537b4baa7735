// `fathom convert` in both directions, and runs that begin with its output.
#include <gmock/gmock.h>

#include "checkpoint/writer.h"
#include "cli/tiny_run.h"
#include "core/config.h"
#include "model/parameters.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Convert : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(dir_);
    config_ = make_tiny_config(dir_);
    must(run_fathom(dir_, {"train", config_, "--set", "train.steps=20"}));
    must(run_fathom(dir_, {"convert", dir_ / "run", dir_ / "hf", "--dtype", "f32"}));
  }
  std::string text_of(const std::string& model) {
    const Outcome outcome = run_fathom(dir_, {"generate", model, "--prompt", "7 ships",
                                              "--temperature", "0", "--max-tokens", "9"});
    must(outcome);
    return outcome.out;
  }
  void refused(std::vector<std::string> arguments, const std::string& message) {
    const Outcome outcome = run_fathom(dir_, std::move(arguments));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }

  TempDir dir_;
  std::string config_;
};

TEST_F(Convert, ThereAndBackIsTheSameModel) {
  must(run_fathom(dir_, {"convert", dir_ / "hf", dir_ / "back"}));
  must(run_fathom(dir_, {"convert", dir_ / "back", dir_ / "hf2", "--dtype", "f32"}));
  const std::string weights = read_file(dir_ / "hf/model.safetensors");
  EXPECT_GT(weights.size(), 100000u);
  EXPECT_TRUE(read_file(dir_ / "hf2/model.safetensors") == weights);
  EXPECT_TRUE(read_file(dir_ / "run/model/model.safetensors") == weights);
  EXPECT_EQ(text_of(dir_ / "back"), text_of(dir_ / "hf"));
  EXPECT_EQ(text_of(dir_ / "run"), text_of(dir_ / "hf"));
}

TEST_F(Convert, AGgufFileHoldsTheSameModelAndTokenizer) {
  const std::string file = dir_ / "model.gguf";
  must(run_fathom(dir_, {"convert", dir_ / "hf", file, "--dtype", "f32"}));
  EXPECT_EQ(text_of(file), text_of(dir_ / "hf"));
  must(run_fathom(dir_, {"convert", file, dir_ / "back", "--dtype", "f32"}));
  EXPECT_TRUE(read_file(dir_ / "back/model.safetensors") ==
              read_file(dir_ / "hf/model.safetensors"));
  EXPECT_EQ(text_of(dir_ / "back"), text_of(dir_ / "hf"));
  // From the run itself, and under another name: a file is known by its content.
  must(run_fathom(dir_, {"convert", dir_ / "run", dir_ / "run.gguf", "--dtype", "f32"}));
  fs::rename(dir_ / "run.gguf", dir_ / "unnamed");
  EXPECT_EQ(text_of(dir_ / "unnamed"), text_of(dir_ / "hf"));
  must(run_fathom(dir_, {"convert", file, dir_ / "small.gguf", "--dtype", "q8_0"}));
  EXPECT_LT(fs::file_size(dir_ / "small.gguf"), fs::file_size(file) / 2);
  text_of(dir_ / "small.gguf");
  refused({"convert", dir_ / "hf", file}, "exists already");
  write_file(dir_ / "cut.gguf", read_file(file).substr(0, 1000));
  refused({"generate", dir_ / "cut.gguf", "--prompt", "x"}, "cut.gguf: ");
}

TEST_F(Convert, ARunBeginsWithTheWeights) {
  must(run_fathom(dir_, {"convert", dir_ / "hf", dir_ / "back"}));
  // The run's config says nothing of the model.
  write_file(dir_ / "next.toml",
             fmt::format("init_from = \"{}\"\noutput = \"{}\"\ndtype = \"f32\"\n"
                         "[data]\ndirectory = \"{}\"\n[train]\nsequence_length = 32\n"
                         "global_batch = 4\nsteps = 2\n[schedule]\npeak = 1e-30\n",
                         dir_ / "back", dir_ / "next", dir_ / "data"));
  const Outcome next = run_fathom(dir_, {"train", dir_ / "next.toml"});
  must(next);
  EXPECT_THAT(next.err, HasSubstr("beginning with the weights of " + (dir_ / "back")));
  EXPECT_TRUE(read_file(dir_ / "next/model/model.safetensors") ==
              read_file(dir_ / "hf/model.safetensors"))
      << "a rate of nearly nothing leaves the weights as they were";
}

// What a conversation needs goes along, in both directions.
TEST_F(Convert, ChatFilesGoAlong) {
  const std::string chat = "{{ bos_token }}{{ messages[0].content }}";
  const std::string config = "{\"bos_token\": \"<x>\"}", generation = "{\"temperature\": 0.5}";
  write_file(dir_ / "hf/chat_template.jinja", chat);
  fs::create_directories(dir_ / "hf/additional_chat_templates");
  write_file(dir_ / "hf/additional_chat_templates/rag.jinja", "rag");
  write_file(dir_ / "hf/tokenizer_config.json", config);
  write_file(dir_ / "hf/generation_config.json", generation);
  must(run_fathom(dir_, {"convert", dir_ / "hf", dir_ / "back"}));
  must(run_fathom(dir_, {"convert", dir_ / "back", dir_ / "hf2"}));
  EXPECT_EQ(read_file(dir_ / "hf2/chat_template.jinja"), chat);
  EXPECT_EQ(read_file(dir_ / "hf2/additional_chat_templates/rag.jinja"), "rag");
  EXPECT_EQ(read_file(dir_ / "hf2/tokenizer_config.json"), config);
  EXPECT_EQ(read_file(dir_ / "hf2/generation_config.json"), generation);
  // Tokens that the command line gives are in the file that generation reads.
  must(run_fathom(dir_, {"convert", dir_ / "back", dir_ / "hf3", "--eos-token", "3"}));
  EXPECT_THAT(read_file(dir_ / "hf3/generation_config.json"), HasSubstr("\"eos_token_id\": 3"));
  EXPECT_EQ(read_file(dir_ / "hf3/chat_template.jinja"), chat);
  // A GGUF file holds the default template, from wherever the model comes, and gives it back.
  must(run_fathom(dir_, {"convert", dir_ / "hf", dir_ / "hf.gguf"}));
  must(run_fathom(dir_, {"convert", dir_ / "hf.gguf", dir_ / "again.gguf"}));
  fs::create_directory(dir_ / "chatty");
  fs::copy_file(dir_ / "hf/tokenizer.json", dir_ / "chatty/tokenizer.json");
  write_file(dir_ / "chatty/chat_template.jinja", chat);
  must(run_fathom(dir_, {"convert", dir_ / "run", dir_ / "run.gguf", "--tokenizer",
                         dir_ / "chatty/tokenizer.json"}));
  for (const std::string name : {"hf", "again", "run"}) {
    const std::string made = dir_ / ("of_" + name);
    must(run_fathom(dir_, {"convert", dir_ / (name + ".gguf"), made}));
    const fs::path file = made + "/chat_template.jinja";
    ASSERT_TRUE(fs::exists(file)) << name;
    EXPECT_EQ(read_file(file), chat) << name;
  }
}

// Whose config says less than its weights hold: a part of it is another model, not a smaller one.
TEST_F(Convert, ACheckpointThatIsNotItsModelIsRefusedByEveryCommand) {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_heads = 4;
  config.vocab_size = 320;
  config.max_position = 64;
  const ModelConfig whole = resolve(config);
  config.num_layers = 1;
  config = resolve(config);
  ParameterStore store(parameter_table(whole), DType::f32, Gradients::none, cpu_device);
  std::vector<CheckpointTensor> tensors;
  for (const Parameter& p : store.all()) {
    tensors.push_back(CheckpointTensor::whole(StateKind::weight, p.spec.name, p.weight));
  }
  TrainingState state;
  state.config_toml = "[model]\n" + config_to_toml(config);
  const std::string damaged = dir_ / "damaged";
  write_checkpoint(damaged, tensors, state,
                   {{"tokenizer.json", read_file(dir_ / "tokenizer.json")}});
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"convert", damaged, dir_ / "x"},
           {"convert", damaged, dir_ / "x.gguf"},
           {"generate", damaged, "--prompt", "7"},
           {"train", config_, "--set", "output=" + (dir_ / "y"), "--set", "init_from=" + damaged,
            "--set", "model.num_layers=1", "--set", "model.hidden_size=32"}}) {
    refused(command, "which its model has not: is it damaged?");
  }
  EXPECT_FALSE(fs::exists(dir_ / "x") || fs::exists(dir_ / "x.gguf"));
}

TEST_F(Convert, SaysWhatCannotBe) {
  must(run_fathom(dir_, {"convert", dir_ / "hf", dir_ / "back"}));
  const std::string back = dir_ / "back";
  refused({"convert", dir_ / "run", dir_ / "hf"}, "exists already");
  refused({"convert", dir_ / "run", dir_ / "x", "--eos-token", "9999"}, "--eos-token is 9999");
  refused({"convert", dir_ / "run", dir_ / "x", "--bos-token", "-4"}, "--bos-token is -4");
  refused({"convert", dir_ / "run", dir_ / "x", "--eos-token", "320"}, "tokens are 0 to 319");
  refused({"convert", dir_ / "run", dir_ / "x", "--max-shard-size", "0"}, "--max-shard-size");
  refused({"convert", dir_ / "run", dir_ / "x", "--tokenizer", "/no/such.json"}, "/no/such.json");
  refused({"convert", dir_ / "data", dir_ / "x"}, "manifest");
  refused({"train", config_, "--set", "output=" + (dir_ / "y"), "--resume", back},
          "start from it with --set init_from=" + back);
  refused({"train", config_, "--set", "output=" + (dir_ / "y"), "--set",
           "init_from=" + (dir_ / "hf"), "--set", "model.rope_theta=5"},
          (dir_ / "hf") + ": its model.rope_theta is 10000, the config's 5");
  refused({"train", config_, "--set", "output=" + (dir_ / "y"), "--set", "init_from=" + back,
           "--set", "model.rope_theta=5"},
          back + ": its model.rope_theta is 10000, the config's 5");
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

}  // namespace
}  // namespace fathom::test
