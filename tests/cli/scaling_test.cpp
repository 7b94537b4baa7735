// fathom scaling: from a budget to a run that trains.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;
using Arguments = std::vector<std::string>;

const std::string models = FATHOM_SOURCE_DIR "/configs/models/";

nlohmann::json json_of(const TempDir& dir, Arguments arguments) {
  arguments.emplace_back("--json");
  const Outcome outcome = run_fathom(dir, arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

TEST(Scaling, HparamsAreTheReportsAtTheBudgetsOfItsModels) {
  const TempDir dir;
  const auto lines = [&](const std::string& model) {
    return run_fathom(dir, {"scaling", "hparams", "--model", models + model, "--tokens", "2e12"})
        .out;
  };
  EXPECT_THAT(lines("deepseek-llm-7b.toml"),
              testing::AllOf(HasSubstr("budget C              8.46e22 FLOPs\n"),
                             HasSubstr("peak learning rate    4.25e-4\n"),
                             HasSubstr(" 2252 sequences of 4096\n")));
  EXPECT_THAT(lines("deepseek-llm-67b.toml"),
              testing::AllOf(HasSubstr("peak learning rate    3.12e-4\n"),
                             HasSubstr(" 5043 sequences of 4096\n")));
}

TEST(Scaling, HparamsOfABudgetAndOfAModelWithTokensAgree) {
  const TempDir dir;
  const auto model = json_of(dir, {"scaling", "hparams", "--model", models + "ladder-25m.toml",
                                   "--tokens", "1e9", "--sequence-length", "512"});
  const double compute = model.at("compute");
  EXPECT_EQ(compute, 1e9 * (72.0 * 8 * 512 * 512 + 12.0 * 8 * 512 * 512));
  EXPECT_EQ(json_of(dir, {"scaling", "hparams", "--compute", fmt::format("{}", compute),
                          "--sequence-length", "512"}),
            model);
}

// The model's context, or the usual one of a model with more; of a budget alone the usual one.
TEST(Scaling, TakesTheLengthOfTheModel) {
  const TempDir dir;
  const auto hparams = [&](const std::string& max_position) {
    write_file(dir / "model.toml",
               "[model]\nnum_layers = 2\nhidden_size = 64\nnum_heads = 2\nmax_position = " +
                   max_position + "\n");
    const auto json =
        json_of(dir, {"scaling", "hparams", "--model", dir / "model.toml", "--tokens", "1e9"});
    return std::pair<double, std::int64_t>(json.at("compute"), json.at("sequence_length"));
  };
  const double blocks = 72.0 * 2 * 64 * 64, attention = 12.0 * 2 * 64;
  EXPECT_EQ(hparams("1000"), std::pair(1e9 * (blocks + attention * 1000), std::int64_t{1000}));
  EXPECT_EQ(hparams("8192"), std::pair(1e9 * (blocks + attention * 4096), std::int64_t{4096}));
  EXPECT_EQ(json_of(dir, {"scaling", "hparams", "--compute", "1e18"}).at("sequence_length"), 4096);
}

TEST(Scaling, HparamsWantsOneBudget) {
  const TempDir dir;
  for (const Arguments& budget :
       {Arguments{}, {"--tokens", "3"}, {"--model", "x"}, {"--compute", "1", "--tokens", "2"}}) {
    Arguments arguments{"scaling", "hparams"};
    arguments.insert(arguments.end(), budget.begin(), budget.end());
    const Outcome outcome = run_fathom(dir, arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("give --compute, or --model and --tokens"));
  }
}

TEST(Scaling, FlopsReadsTomlHuggingFaceDirectoriesAndRuns) {
  const TempDir dir;
  make_tiny_data(dir);
  must(run_fathom(dir, {"train", make_tiny_config(dir), "--set", "train.steps=2"}));
  const auto directory = json_of(dir, {"scaling", "flops", dir / "run/model"});
  EXPECT_EQ(directory.at("model").at("hidden_size"), 64);
  EXPECT_EQ(directory.at("sequence_length"), 64);
  EXPECT_EQ(json_of(dir, {"scaling", "flops", dir / "run"}), directory);
  EXPECT_EQ(json_of(dir, {"scaling", "flops", dir / "run/config.toml"}), directory);
  EXPECT_EQ(json_of(dir, {"scaling", "flops", dir / "run", "--sequence-length", "128"})
                .at("sequence_length"),
            128);
  const Outcome none = run_fathom(dir, {"scaling", "flops", dir / "none.toml"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("none.toml"));
}

TEST(Scaling, AllocateWritesAConfigThatTrains) {
  const TempDir dir;
  make_tiny_data(dir);
  const Arguments allocate{"scaling", "allocate", "--compute",    "1e12",   "--sequence-length",
                           "32",      "--out",    dir / "budget", "--data", dir / "data"};
  const Outcome outcome = run_fathom(dir, allocate);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("budget C              1.00e12 FLOPs\n"));
  EXPECT_THAT(outcome.err, HasSubstr("fathom train " + dir / "budget/train.toml"));
  must(run_fathom(dir, {"train", dir / "budget/train.toml", "--set", "train.steps=2"}));
  EXPECT_TRUE(std::filesystem::exists(dir / "budget/run/model/config.json"));
  const Outcome again = run_fathom(dir, allocate);
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("budget/train.toml exists: name another --out, or remove it"));
}

TEST(Scaling, ATrainingRunGoesByLaws) {
  const TempDir dir;
  make_tiny_data(dir);
  write_file(dir / "laws.toml",
             fmt::format("laws = \"deepseek\"\noutput = \"{}\"\nthreads = 2\n[model]\nnum_layers = "
                         "1\nhidden_size = 64\nnum_heads = 1\nmax_position = 32\n[data]\ndirectory "
                         "= \"{}\"\n[train]\nsequence_length = 32\ntokens = 20000\nsteps = 1\n",
                         dir / "lawful", dir / "data"));
  must(run_fathom(dir, {"train", dir / "laws.toml"}));
  const std::string config = read_file(dir / "lawful/config.toml");
  EXPECT_THAT(config, HasSubstr("laws = \"\"\n"));
  // C = (72 · 64² + 12 · 64 · 32) · 20000 = 6.4e9
  const auto json = json_of(dir, {"scaling", "hparams", "--compute", "6389760000"});
  EXPECT_THAT(config,
              HasSubstr(fmt::format("peak = {}\n", json.at("learning_rate").get<double>())));
  EXPECT_THAT(config, HasSubstr("global_batch = 15\n"));
}

TEST(Scaling, GoesByALawsFile) {
  const TempDir dir;
  write_file(dir / "laws.json", R"({"version": 1, "data": "ships", "loss_unit": "bits per byte",
    "learning_rate": {"coefficient": 0.5, "exponent": 0},
    "batch_tokens": {"coefficient": 4096, "exponent": 0}})");
  const Arguments hparams{"scaling", "hparams", "--compute", "1e18", "--laws", dir / "laws.json"};
  const auto json = json_of(dir, hparams);
  EXPECT_EQ(json.at("learning_rate"), 0.5);
  EXPECT_EQ(json.at("batch_sequences"), 1);
  EXPECT_EQ(json.at("laws").at("data"), "ships");
  const Outcome lacking =
      run_fathom(dir, {"scaling", "allocate", "--compute", "1e18", "--laws", dir / "laws.json"});
  EXPECT_EQ(lacking.code, 2);
  EXPECT_THAT(lacking.err, HasSubstr("has no law 'model_flops'"));
}

}  // namespace
}  // namespace fathom::test
