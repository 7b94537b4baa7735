// fathom bench: the table of a step's operations, on the CPU.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/process.h"
#include "model/config.h"

namespace fathom::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Json = nlohmann::json;

constexpr std::int64_t layers = 2, tokens = 256, length = 32, micro_batches = 4;

ModelConfig small_model() {
  ModelConfig model;
  model.num_layers = layers;
  model.hidden_size = 64;
  model.num_heads = 4;
  model.num_kv_heads = 2;
  model.vocab_size = 320;
  return resolve(model);
}

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

std::map<std::string, std::int64_t> calls_of(const Json& table) {
  std::map<std::string, std::int64_t> calls;
  for (const Json& row : table["operations"]) calls[row["operation"]] = row["calls"];
  return calls;
}

TEST_F(Bench, TheTableHoldsAllOfAStep) {
  const Json json = table({});
  const auto calls = calls_of(json);
  EXPECT_EQ(calls.at("qkv"), layers * micro_batches);
  EXPECT_EQ(calls.at("attention_backward"), layers * micro_batches);
  EXPECT_EQ(calls.at("add_rmsnorm"), (2 * layers + 1) * micro_batches);
  EXPECT_EQ(calls.at("embedding_backward"), micro_batches);
  EXPECT_EQ(calls.at("head"), 2 * micro_batches);  // 64 tokens, 48 at once
  for (const char* name : {"output dgrad", "gate_up wgrad", "down", "rope", "swiglu", "adamw",
                           "swiglu_backward", "cross_entropy", "add_sum_of_squares", "fill"}) {
    EXPECT_TRUE(calls.contains(name)) << name;
  }
  double products = 0, attention = 0, seconds = 0;
  for (const Json& row : json["operations"]) {
    const double flops = row["flops"].get<double>() * row["calls"].get<double>();
    const bool is_attention = row["operation"].get<std::string>().starts_with("attention");
    (is_attention ? attention : products) += flops;
    seconds += row["seconds"].get<double>();
    EXPECT_GT(row["bytes"].get<double>(), 0) << row;
    EXPECT_GT(row["seconds"].get<double>(), 0) << row;
    EXPECT_GT(row["share_of_ceiling"].get<double>(), 0) << row;
  }
  // The count that tokens a second turn into TFLOP/s by: attention's backward has a
  // product there that it has to do again here.
  const ModelConfig model = small_model();
  EXPECT_DOUBLE_EQ(products, 6.0 * static_cast<double>(count_matmul_parameters(model) * tokens));
  EXPECT_DOUBLE_EQ(attention * 6 / 7,
                   6.0 * static_cast<double>(layers * model.query_width() * length * tokens));
  EXPECT_DOUBLE_EQ(json["step"]["flops"].get<double>(), products + attention * 6 / 7);
  EXPECT_NEAR(json["sum_of_operations_seconds"].get<double>(), seconds, 1e-9);
  EXPECT_LT(seconds, 2 * json["traced_step_seconds"].get<double>());
}

TEST_F(Bench, RecomputationShowsInTheTable) {
  const auto none = calls_of(table({})), full = calls_of(table({"--recompute", "full"}));
  EXPECT_EQ(full.at("qkv"), 2 * none.at("qkv"));
  EXPECT_EQ(full.at("down"), none.at("down"));  // its output is not needed again
  EXPECT_EQ(full.at("qkv wgrad"), none.at("qkv wgrad"));
}

TEST_F(Bench, BriefIsTheStepAlone) {
  const Outcome outcome = run({"--brief", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  EXPECT_GT(json["step"]["tokens_per_second"].get<double>(), 0);
  EXPECT_FALSE(json.contains("operations"));
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
  EXPECT_THAT(save({}).err, HasSubstr("use one of them"));
  EXPECT_THAT(save({"--discard", "--directory", dir_ / "disk"}).err, HasSubstr("use one of them"));
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
}

}  // namespace
}  // namespace fathom::test
