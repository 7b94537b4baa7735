// Every kind of bad input: exit code 2, and one line that says what, where and what to
// do, before any work is lost.
#include <gmock/gmock.h>

#include <algorithm>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Other logs of the command, such as the memory table, are not errors.
std::string error_lines(const std::string& err) {
  std::string lines;
  std::istringstream in(err);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("error:")) lines += line + "\n";
  }
  return lines;
}

void expect_refused(const Outcome& outcome, const std::string& message) {
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  const std::string error = error_lines(outcome.err);
  EXPECT_EQ(std::ranges::count(error, '\n'), 1) << outcome.err;
  EXPECT_THAT(error, HasSubstr(message));
}

// Overwrites one byte.
void flip(const std::string& path, std::uintmax_t at) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(at));
  const auto byte = static_cast<char>(file.get() ^ 0x55);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

// The first file under `directory` whose name ends so.
std::string find_file(const std::string& directory, const std::string& ending) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.path().string().ends_with(ending)) return entry.path().string();
  }
  ADD_FAILURE() << "no *" << ending << " in " << directory;
  return "";
}

class BadInput : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(dir_);
    config_ = make_tiny_config(dir_);
  }
  void train_refused(const std::string& set, const std::string& message) {
    SCOPED_TRACE(set);
    expect_refused(run_fathom(dir_, {"train", config_, "--set", set}), message);
    EXPECT_FALSE(fs::exists(dir_ / "run")) << "refused before anything is made";
  }
  Outcome prepare() {
    return run_fathom(dir_, {"data", "prepare", dir_ / "data.toml", "--overwrite"});
  }

  TempDir dir_;
  std::string config_;
};

TEST_F(BadInput, TrainKeysAndTypes) {
  train_refused("train.step=3", "train.step: this key is not known; did you mean 'steps'?");
  train_refused("modle.num_heads=3", "did you mean 'model'?");
  train_refused("train.steps=\"many\"", "train.steps: wants");
  train_refused("train.steps=1.5", "train.steps: wants");
  train_refused("output=", "output is empty");
  train_refused("dtype=\"f16\"", "'f16' is not one of auto, f32, bf16");
  write_file(dir_ / "broken.toml", "[train]\nsteps = = 3\n");
  expect_refused(run_fathom(dir_, {"train", dir_ / "broken.toml"}),
                 "broken.toml:2: not valid TOML");
  expect_refused(run_fathom(dir_, {"train", dir_ / "none.toml"}),
                 "none.toml: cannot read this config file");
}

TEST_F(BadInput, TrainSizes) {
  train_refused("model.num_heads=5", "model.num_heads (5) does not divide model.hidden_size (64)");
  train_refused("model.num_kv_heads=3", "model.num_kv_heads (3) does not divide");
  train_refused("model.vocab_size=100", "model.vocab_size (100) is smaller than the tokenizer's");
  train_refused("train.sequence_length=65", "longer than model.max_position (64)");
  train_refused("train.micro_batch=3", "is not a multiple of train.micro_batch (3)");
  train_refused("train.steps=0", "train.steps is 0");
  train_refused("model.hidden_size=1000000", "this run needs");
}

TEST_F(BadInput, TrainData) {
  train_refused("data.directory=\"/no/such\"", "/no/such");
  const std::string shard = find_file(dir_ / "data/train", ".tokens");
  const std::string whole = read_file(shard);
  fs::resize_file(shard, whole.size() - 3);
  train_refused("train.steps=2", shard);
  fs::resize_file(shard, 10);
  train_refused("train.steps=2", shard);
  write_file(shard, whole);
  flip(shard, 20);  // in the header
  train_refused("train.steps=2", shard);
  write_file(shard, whole);
  flip(shard, whole.size() - 9);  // a token: found when asked for
  train_refused("data.verify=true", shard);
  expect_refused(run_fathom(dir_, {"data", "check", dir_ / "data"}), shard);
  fs::remove(shard);
  train_refused("train.steps=2", shard);
  write_file(shard, whole);
  write_file(dir_ / "data/manifest.json", "{\"tokenizer_hash\": ");
  train_refused("train.steps=2", "manifest.json");
}

TEST_F(BadInput, TrainCheckpoints) {
  must(run_fathom(dir_, {"train", config_, "--set", "train.steps=3"}));
  const std::string run = dir_ / "run";
  const auto train = [&](const std::string& resume) {
    return run_fathom(dir_, {"train", config_, "--resume", resume});
  };
  expect_refused(train("/no/such/checkpoint"), "/no/such/checkpoint");
  expect_refused(run_fathom(dir_, {"train", config_, "--set", "seed=9"}), "the seed");
  // Weights that would fit by their sizes, or whose beginnings would.
  const auto other_model = [&](const std::string& set, const std::string& message) {
    expect_refused(run_fathom(dir_, {"train", config_, "--set", set}), message);
  };
  other_model("model.hidden_size=32", "its model.hidden_size is 64, the config's 32");
  other_model("model.num_heads=2", "its model.num_heads is 4, the config's 2");
  other_model("model.num_layers=1", "its model.num_layers is 2, the config's 1");
  other_model("model.rope_theta=500", "its model.rope_theta is 10000, the config's 500");
  for (const auto& step : fs::directory_iterator(run + "/checkpoints")) {
    const std::string file = find_file(step.path(), ".safetensors");
    fs::resize_file(file, fs::file_size(file) / 2);
  }
  expect_refused(train("auto"), "damaged");
  expect_refused(run_fathom(dir_, {"convert", run, dir_ / "hf"}), "damaged");
  EXPECT_FALSE(fs::exists(dir_ / "hf"));
}

TEST_F(BadInput, TokenizerOfAnotherKindOnResume) {
  must(run_fathom(dir_, {"train", config_, "--set", "train.steps=3"}));
  must(run_fathom(dir_, {"tokenizer", "train", dir_ / "text.txt", "--vocab-size", "280", "--out",
                         dir_ / "tokenizer.json"}));
  must(prepare());
  expect_refused(run_fathom(dir_, {"train", config_, "--set", "model.vocab_size=320"}),
                 "but the data with");
}

TEST_F(BadInput, DataPrepare) {
  const auto refused = [&](const std::string& set, const std::string& message) {
    expect_refused(run_fathom(dir_, {"data", "prepare", dir_ / "data.toml", "--set", set}),
                   message);
  };
  refused("shard_token=3", "did you mean 'shard_tokens'?");
  refused("shard_tokens=\"x\"", "shard_tokens: wants");
  refused("tokenizer=\"/no/such.json\"", "/no/such.json");
  refused("seed=1", "exists");  // the output is there already

  const std::string jsonl = dir_ / "lines.jsonl";
  write_file(jsonl, "{\"text\": \"one\"}\n{\"text\": \"two\"\n{\"text\": \"three\"}\n");
  const std::string head =
      fmt::format("tokenizer = \"{}\"\noutput = \"{}\"\nheld_out_fraction = 0\n",
                  dir_ / "tokenizer.json", dir_ / "lines");
  const auto source = [&](const std::string& path, const std::string& more) {
    write_file(dir_ / "lines.toml",
               head + fmt::format("[[sources]]\nname = \"l\"\npaths = [\"{}\"]\n{}", path, more));
    return run_fathom(dir_, {"data", "prepare", dir_ / "lines.toml"});
  };
  expect_refused(source(jsonl, ""), jsonl + ":2:");
  EXPECT_FALSE(fs::exists(dir_ / "lines"));
  expect_refused(source("/no/such/*.txt", ""), "/no/such/*.txt");
  expect_refused(source(jsonl, "field = \"body\"\n"), "body");
  const Outcome skipped = source(jsonl, "skip_broken_lines = true\n");
  must(skipped);
  EXPECT_THAT(skipped.out + skipped.err, HasSubstr("1 broken line"));
}

TEST_F(BadInput, Tokenizer) {
  const std::string file = dir_ / "tokenizer.json";
  const std::string whole = read_file(file);
  expect_refused(run_fathom(dir_, {"tokenizer", "train", "/no/such.txt"}), "/no/such.txt");
  expect_refused(run_fathom(dir_, {"tokenizer", "train", dir_ / "text.txt", "--vocab-size", "20"}),
                 "20");
  expect_refused(run_fathom(dir_, {"tokenizer", "encode", "/no/such.json"}), "/no/such.json");
  expect_refused(run_fathom(dir_, {"tokenizer", "encode", file, "/no/such.txt"}), "/no/such.txt");
  write_file(file, whole.substr(0, whole.size() / 2));
  expect_refused(run_fathom(dir_, {"tokenizer", "encode", file, dir_ / "text.txt"}), file);
  write_file(file, R"({"model": {"type": "Unigram", "vocab": {}}})");
  expect_refused(run_fathom(dir_, {"tokenizer", "encode", file, dir_ / "text.txt"}), "Unigram");
}

TEST_F(BadInput, GenerateAndConvert) {
  must(run_fathom(dir_, {"train", config_, "--set", "train.steps=3"}));
  const std::string model = dir_ / "run/model", weights = model + "/model.safetensors";
  const auto generate = [&] {
    return run_fathom(dir_, {"generate", model, "--prompt", "a", "--max-tokens", "2"});
  };
  const auto back = [&] { return run_fathom(dir_, {"convert", model, dir_ / "back"}); };
  must(generate());
  const std::string whole = read_file(weights);
  const auto both_refused = [&](const std::string& content, const std::string& message) {
    write_file(weights, content);
    expect_refused(generate(), message);
    expect_refused(back(), message);
    EXPECT_FALSE(fs::exists(dir_ / "back"));
  };
  both_refused(whole.substr(0, whole.size() - 1), weights);
  both_refused(whole.substr(0, 5), weights);
  std::string lies = whole;
  lies.replace(0, 8, std::string(7, '\xff') + '\x0f');  // the header's length
  both_refused(lies, weights);
  write_file(weights, whole);

  const std::string config = read_file(model + "/config.json");
  write_file(model + "/config.json", config.substr(0, 30));
  expect_refused(generate(), model + "/config.json");
  expect_refused(back(), model + "/config.json");
  write_file(model + "/config.json", config);

  // A tokenizer with more tokens than the model has rows.
  must(run_fathom(dir_, {"tokenizer", "train", dir_ / "text.txt", "--pad-to-multiple", "512",
                         "--out", model + "/tokenizer.json"}));
  expect_refused(generate(), "it is not this model's tokenizer");
  expect_refused(run_fathom(dir_, {"convert", "/no/such", dir_ / "back"}), "/no/such");
}

}  // namespace
}  // namespace fathom::test
