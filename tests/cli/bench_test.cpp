// fathom bench: the table of a step's operations, on the CPU.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/process.h"

namespace fathom::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Json = nlohmann::json;

constexpr std::int64_t tokens = 256, length = 32, micro_batches = 4;

class Bench : public testing::Test {
 protected:
  Bench() {
    std::ofstream(dir_ / "model.toml") << "[model]\nnum_layers = 2\nhidden_size = 64\n"
                                          "num_heads = 4\nnum_kv_heads = 2\nvocab_size = 320\n";
  }

  Outcome run_bench(const std::string& command, std::vector<std::string> more) const {
    more.insert(more.begin(),
                {"bench", command, "--device", "cpu", "--model", dir_ / "model.toml", "--dtype",
                 "f32", "--tokens-per-step", std::to_string(tokens), "--sequence-length",
                 std::to_string(length), "--steps", "2", "--heat", "0"});
    return run_fathom(dir_, more);
  }

  // `bench gpu` is `bench cpu` with other defaults.
  Outcome run(std::vector<std::string> more) const {
    more.insert(more.begin(), {"--micro-batch", std::to_string(tokens / length / micro_batches),
                               "--logits-chunk", "48"});
    return run_bench("gpu", more);
  }

  Json table(std::vector<std::string> more) const {
    more.insert(more.end(), {"--json", dir_ / "table.json"});
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("tokens/s"), HasSubstr("the sum differs from")));
    return Json::parse(std::ifstream(dir_ / "table.json"));
  }

  TempDir dir_;
};

// What the table says is tested in tests/measure.
TEST_F(Bench, PrintsTheTableAndWritesItAsJson) {
  const Json json = table({});
  EXPECT_EQ(json["tokens"], tokens);
  EXPECT_EQ(json["sequence_length"], length);
  EXPECT_EQ(json["micro_batch"], tokens / length / micro_batches);
  EXPECT_EQ(json["recompute"], "none");
  EXPECT_EQ(json["dtype"], "f32");
  EXPECT_EQ(json["precision"], "dtype");
  EXPECT_GT(json["operations"].size(), 20u);
  for (const char* ceiling :
       {"gemm_f32_flops_per_second", "gemm_bf16_flops_per_second", "copy_bytes_per_second"}) {
    EXPECT_GT(json["ceilings"][ceiling].get<double>(), 1e6) << ceiling;
  }
}

TEST_F(Bench, FiguresThatAreNoneAreRefused) {
  for (const char* option : {"--heat", "--peak"}) {
    for (const char* value : {"-1", "nan", "inf"}) {
      const Outcome outcome = run_fathom(dir_, {"bench", "cpu", option, value});
      EXPECT_EQ(outcome.code, 2);
      EXPECT_THAT(outcome.err, HasSubstr(std::string(option) + " is " + value + ": use 0 or more"));
    }
  }
  for (const char* option :
       {"--steps", "--tokens-per-step", "--sequence-length", "--logits-chunk"}) {
    const Outcome outcome =
        run_fathom(dir_, {"bench", "cpu", "--model", dir_ / "model.toml", "--brief", option, "0"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(std::string(option) + " is 0: use 1 or more, and at most"));
  }
}

TEST_F(Bench, BriefIsTheStepAlone) {
  const Outcome outcome = run({"--brief", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  const auto& step = json["step"];
  const double rate = step["flops"].get<double>() / step["seconds"].get<double>();
  EXPECT_NEAR(step["mfu"].get<double>() / (rate / 989e12), 1, 1e-9);
  EXPECT_GT(json["step"]["tokens_per_second"].get<double>(), 0);
  EXPECT_FALSE(json.contains("operations"));
  EXPECT_FALSE(std::filesystem::exists("-")) << "the name of standard output, not of a file";
  const Outcome text = run({"--brief"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("tokens/s"));
}

TEST_F(Bench, PairsOfTextsHaveAReference) {
  std::ofstream(dir_ / "lengths") << "9\n7\n";
  const Outcome outcome = run({"--brief", "--json", "--pairs", "--text-lengths", dir_ / "lengths"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  const double step = json["step"]["seconds"], forward = json["preference"]["forward_seconds"];
  const double unpaired = json["preference"]["unpaired_step_seconds"];
  EXPECT_GT(forward, 0);
  EXPECT_NEAR(json["preference"]["share_of_two_forwards_and_backward"].get<double>(),
              (forward + unpaired) / (forward + step), 1e-9);
  EXPECT_NEAR(json["preference"]["text_tokens_per_second"].get<double>(),
              json["text_tokens"].get<double>() / (forward + step), 1e-6);
}

TEST_F(Bench, PacksTextsOfTheGivenLengths) {
  const auto with_lengths = [&](const std::string& lines) {
    std::ofstream(dir_ / "lengths") << lines;
    return run({"--brief", "--json", "--text-lengths", dir_ / "lengths"});
  };
  const Outcome outcome = with_lengths("20\n7\n");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::int64_t fits = 20 + 7 <= length ? 27 : 0;
  ASSERT_GT(fits, 0);
  EXPECT_EQ(Json::parse(outcome.out)["text_tokens"], tokens / length * fits);
  const std::string path = dir_ / "lengths";
  for (const auto& [lines, message] : std::vector<std::pair<std::string, std::string>>{
           {"20\n7x\n", path + ":2: \"7x\" is not a number of tokens"},
           {"20\n\n", path + ":2: \"\" is not a number of tokens"},
           {"", path + ": the file is empty"},
           {"20000\n", "a text of 20000 tokens in sequences of"},
           {"0\n", "a text of 0 tokens"}}) {
    const Outcome refused = with_lengths(lines);
    EXPECT_EQ(refused.code, 2) << lines;
    EXPECT_THAT(refused.err, HasSubstr(message));
  }
}

TEST_F(Bench, SaveTellsWhatItCostAndLeavesNothing) {
  std::filesystem::create_directory(dir_ / "disk");
  const auto save = [&](std::vector<std::string> more) { return run_bench("save", more); };
  for (const std::vector<std::string>& where :
       {std::vector<std::string>{"--discard"}, {"--directory", dir_ / "disk"}}) {
    const Outcome outcome = save(where);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("of the 300 s between saves"), HasSubstr("saved"),
                                   HasSubstr("MB")));
    EXPECT_TRUE(std::filesystem::is_empty(dir_ / "disk"));
  }
  EXPECT_THAT(save({}).err, HasSubstr("needs --directory DIR to write to, or --discard"));
  EXPECT_THAT(save({"--discard", "--directory", dir_ / "disk"}).err,
              HasSubstr("needs --directory DIR to write to, or --discard"));
}

TEST_F(Bench, RefusesWhatIsNoStep) {
  const auto error = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"bench", "cpu"});
    const Outcome outcome = run_fathom(dir_, more);
    EXPECT_EQ(outcome.code, 2);
    return outcome.err;
  };
  EXPECT_THAT(error({"--micro-batch", "3"}), HasSubstr("use a divisor of the step's 8 sequences"));
  EXPECT_THAT(error({"--tokens-per-step", "100"}), HasSubstr("not a multiple"));
  EXPECT_THAT(error({"--recompute", "most"}), HasSubstr("use auto, none, selective, full"));
  EXPECT_THAT(error({"--dtype", "f16"}), HasSubstr("use auto, f32, bf16"));
  EXPECT_THAT(error({"--precision", "fp4"}), HasSubstr("use dtype, fp8"));
}

TEST_F(Bench, MeasuresProductsInFp8) {
  const Json json = table({"--precision", "fp8"});
  EXPECT_EQ(json["precision"], "fp8");
  std::set<std::string> names;
  for (const Json& row : json["operations"]) names.insert(row["operation"]);
  for (const char* name : {"quantize_fp8", "gate_up", "qkv dgrad", "down wgrad", "head wgrad"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

// Two loads of a model with 2 · 64 · 2 bytes of keys and values a layer and token in bf16, or twice
// that in f32, and f32 weights without the input embedding.
TEST_F(Bench, GenerateMeasuresEachLoad) {
  // Every load is longer than the model's positions: the command makes room for it.
  std::ofstream(dir_ / "model.toml", std::ios::app) << "max_position = 8\n";
  const auto generate = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"bench", "generate", dir_ / "model.toml", "--dtype", "f32"});
    return run_fathom(dir_, more);
  };
  const Outcome outcome = generate(
      {"--sequences", "1", "3", "--requests", "3", "--prompt", "5", "9", "--new", "4", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  constexpr int width = 64, kv = 32, inner = 192, vocabulary = 320;
  const int block = width * (width + 2 * kv) + width * width + 3 * width * inner + 2 * width;
  EXPECT_EQ(json["weight_bytes"], 4 * (2 * block + width + vocabulary * width));
  EXPECT_EQ(json["cache_bytes_per_token"], 2 * 2 * kv * 4);
  ASSERT_EQ(json["loads"].size(), 2u);
  EXPECT_EQ(json["loads"][1]["sequences"], 3);
  for (const Json& load : json["loads"]) {
    // Every request makes its 4 tokens.
    const double seconds = load["seconds"];
    EXPECT_NEAR(load["tokens_per_second"].get<double>() * seconds, 12, 1e-6);
    EXPECT_GT(load["generating_tokens_per_second"], 0);
    EXPECT_NEAR(load["generating_tokens_per_second"].get<double>() *
                    load["step_seconds"].get<double>(),
                load["sequences"].get<double>(), 1e-6);
  }
  // Prompts come between, or some are read while others generate.
  for (const Json& load : json["loads"]) EXPECT_EQ(load["prompt_tokens_per_second"], 0);
  const Outcome alike = generate({"--sequences", "2", "--prompt", "9", "--new", "4", "--json"});
  EXPECT_GT(Json::parse(alike.out)["loads"][0]["prompt_tokens_per_second"], 0);
  EXPECT_EQ(Json::parse(alike.out)["batch_invariant"], false);
  const Outcome invariant = generate({"--new", "3", "--batch-invariant", "--json"});
  EXPECT_EQ(Json::parse(invariant.out)["batch_invariant"], true);
  EXPECT_THAT(generate({"--new", "3"}).out, AllOf(HasSubstr("ms/step"), HasSubstr("128")));
}

// A model's own positions may end with the prompt, or within the answer.
TEST_F(Bench, GenerateMakesRoomForEveryToken) {
  for (const int positions : {1, 6, 8, 64}) {
    const std::string file = dir_ / fmt::format("{}.toml", positions);
    std::ofstream(file) << std::ifstream(dir_ / "model.toml").rdbuf()
                        << "max_position = " << positions << "\n";
    const Outcome outcome =
        run_fathom(dir_, {"bench", "generate", file, "--dtype", "f32", "--prompt", "6", "--new",
                          "4", "--turns", "1", "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Json load = Json::parse(outcome.out)["loads"][0];
    EXPECT_NEAR(load["tokens_per_second"].get<double>() * load["seconds"].get<double>(), 4, 1e-6)
        << positions;
  }
}

TEST_F(Bench, GenerateRefusesWhatItCannotMeasure) {
  const auto refused = [&](std::vector<std::string> more, const std::string& why) {
    more.insert(more.begin(), {"bench", "generate"});
    const Outcome outcome = run_fathom(dir_, more);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(why));
  };
  refused({dir_ / "model.toml", "--prompt", "9", "5"}, "--prompt is 9 to 5: use 1 or more");
  refused({dir_ / "model.toml", "--prompt", "0"}, "--prompt is 0 to 0: use 1 or more");
  refused({dir_ / "model.toml", "--dtype", "f16"}, "--dtype is f16: use auto, f32, bf16");
  refused({dir_ / "absent.toml"}, "absent.toml");
  std::ofstream(dir_ / "empty.toml") << "[data]\n";
  refused({dir_ / "empty.toml"}, "there is no [model] table");
}

}  // namespace
}  // namespace fathom::test
