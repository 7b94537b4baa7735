// fathom plan and the profiles that `fathom bench gpu --profile` writes for it.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Arguments = std::vector<std::string>;

constexpr const char* small_model = R"([model]
num_layers = 4
hidden_size = 512
num_heads = 8
vocab_size = 4096
max_position = 1024
)";

class Plan : public testing::Test {
 protected:
  Plan() { write_file(dir_ / "model.toml", small_model); }

  // On four H200, unless `more` says something else.
  Outcome run(const Arguments& more) {
    Arguments arguments{"plan", dir_ / "model.toml", "--tokens", "1e9"};
    for (const auto& [option, value] : {std::pair{"--gpu", "h200"}, {"--gpus", "4"}}) {
      if (std::ranges::find(more, option) == more.end()) {
        arguments.insert(arguments.end(), {option, value});
      }
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  }
  json planned(Arguments more) {
    more.push_back("--json");
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out);
  }
  json first(const Arguments& more) { return planned(more).at("layouts").at(0); }

  TempDir dir_{"plan"};
};

TEST_F(Plan, PrintsTheFastestLayoutsAndTheFirstOnesMemory) {
  const Outcome outcome = run({"--batch", "64"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* text : {"tokens/s", "GPU-hours", "weights", "moments (f32)"}) {
    EXPECT_THAT(outcome.out, HasSubstr(text));
  }
  const json layouts = planned({"--batch", "64"}).at("layouts");
  EXPECT_EQ(layouts.size(), 10u);
  for (std::size_t i = 1; i < layouts.size(); ++i) {
    EXPECT_LE(layouts[i - 1].at("step_seconds"), layouts[i].at("step_seconds"));
  }
  EXPECT_EQ(planned({"--batch", "64", "--best", "3"}).at("layouts").size(), 3u);
}

TEST_F(Plan, TakesItsSizes) {
  const json all = planned({"--batch", "64", "--sequence-length", "512", "--gpus-per-node", "2"});
  EXPECT_EQ(all.at("global_batch"), 64);
  EXPECT_EQ(all.at("sequence_length"), 512);
  EXPECT_EQ(all.at("gpus_per_node"), 2);
  EXPECT_EQ(all.at("tokens"), 1'000'000'000);
  const json layout = first({"--batch", "64", "--micro-batch", "2", "--recompute", "full"});
  EXPECT_EQ(layout.at("micro_batch"), 2);
  EXPECT_EQ(layout.at("recompute"), "full");
  EXPECT_GT(planned({}).at("global_batch"), 1);  // by the law of the batch
  // The model's context, or the usual one of a model with more.
  const Arguments one{"--batch", "64", "--layouts", "dp4"};
  EXPECT_EQ(planned(one).at("sequence_length"), 1024);
  write_file(dir_ / "model.toml",
             std::string(small_model, std::strlen(small_model) - 5) + "8192\n");
  EXPECT_EQ(planned(one).at("sequence_length"), 4096);
}

TEST_F(Plan, TakesLayoutsByName) {
  const json layouts = planned({"--batch", "64", "--layouts", "pp4 dp2xtp2+sp+full"}).at("layouts");
  ASSERT_EQ(layouts.size(), 2u);
  EXPECT_EQ(layouts[0].at("layout"), "pp4");
  EXPECT_EQ(layouts[1].at("layout"), "dp2xtp2+sp");
  EXPECT_EQ(layouts[1].at("recompute"), "full");
}

TEST_F(Plan, DrawsTheFirstLayoutsStep) {
  ASSERT_EQ(run({"--batch", "64", "--layouts", "pp4", "--timeline", dir_ / "step.svg", "--trace",
                 dir_ / "step.json"})
                .code,
            0);
  EXPECT_THAT(read_file(dir_ / "step.svg"), HasSubstr("stage 3"));
  EXPECT_GT(json::parse(read_file(dir_ / "step.json")).size(), 4u * 64);
}

TEST_F(Plan, AddsTheCostOfFailures) {
  const Arguments base{"--batch", "64", "--layouts", "dp4", "--simulate-failures"};
  const auto days = [&](const Arguments& more) {
    Arguments all = base;
    all.insert(all.end(), more.begin(), more.end());
    return planned(all).at("with_failures").at("days").get<double>();
  };
  const double rare = days({"1000000"}), often = days({"0.2"});
  EXPECT_GT(often, rare);
  EXPECT_GT(days({"0.2", "--restart-seconds", "900"}), often);
  EXPECT_LT(days({"0.2", "--checkpoint-seconds", "10"}), often);
  EXPECT_GT(days({"0.2", "--write-gbs", "0.0001"}), often);
  EXPECT_THAT(run({"--batch", "64", "--layouts", "dp4", "--simulate-failures", "10"}).out,
              HasSubstr("with failures: "));
}

TEST_F(Plan, RefusesWhatCannotBe) {
  const auto refused = [&](const Arguments& more, const std::string& message) {
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(more);
    EXPECT_THAT(outcome.err, HasSubstr(message));
  };
  refused({"--gpu", "h300"}, "h300");
  refused({"--gpus", "0"}, "--gpus is 0");
  refused({"--gpus", "12", "--gpus-per-node", "8"}, "--gpus (12) is not a multiple");
  refused({"--batch", "64", "--layouts", "tp3"}, "parallel: pp (1) × dp (1) × tp (3)");
  refused({"--batch", "63", "--layouts", "dp4"}, "train.global_batch (63)");
  refused({"--batch", "1", "--gpus", "64"}, "no layout divides 64 GPUs");
  const Outcome unwritable = run({"--timeline", "/no/such/folder/step.svg"});
  EXPECT_EQ(unwritable.code, 1);
  EXPECT_THAT(unwritable.err, HasSubstr("/no/such/folder"));
  write_file(dir_ / "tiny.toml", "like = \"h200\"\nmemory_gib = 0.5\n");
  refused({"--batch", "64", "--gpu", dir_ / "tiny.toml"}, "none of");
}

// On a CPU, for the tests have no GPU: the profile is the same.
TEST_F(Plan, ReadsAProfileThatBenchHasWritten) {
  const Outcome bench = run_fathom(dir_, {"bench",
                                          "gpu",
                                          "--device",
                                          "cpu",
                                          "--model",
                                          dir_ / "model.toml",
                                          "--dtype",
                                          "f32",
                                          "--tokens-per-step",
                                          "256",
                                          "--sequence-length",
                                          "64",
                                          "--micro-batch",
                                          "2",
                                          "--steps",
                                          "1",
                                          "--heat",
                                          "0",
                                          "--logits-chunk",
                                          "128",
                                          "--recompute",
                                          "none",
                                          "--profile",
                                          dir_ / "card.toml",
                                          "--profile-like",
                                          "h100"});
  ASSERT_EQ(bench.code, 0) << bench.err;
  EXPECT_THAT(read_file(dir_ / "card.toml"), HasSubstr("those of \"h100\""));
  EXPECT_EQ(planned({"--gpu", dir_ / "card.toml", "--batch", "64"}).at("layouts").size(), 10u);
  const Outcome brief = run_fathom(
      dir_, {"bench", "gpu", "--device", "cpu", "--brief", "--profile", dir_ / "other.toml"});
  EXPECT_EQ(brief.code, 2);
  EXPECT_THAT(brief.err, HasSubstr("leave --brief out"));
}

}  // namespace
}  // namespace fathom::test
