// fathom scaling fit and predict: from the results of runs to the loss of a larger one.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/process.h"

namespace fathom::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using Arguments = std::vector<std::string>;

double loss_of(double m, double d) {
  return 1.69 + 747.4 / std::pow(m, 0.34) + 410.7 / std::pow(d, 0.28);
}

// Five budgets of seven models each. `key` and `text` follow in each line.
std::string results(const std::string& more = "") {
  std::string lines;
  for (const double c : {1e17, 3e17, 1e18, 3e18, 1e19}) {
    for (int i = -3; i <= 3; ++i) {
      const double m = 0.6 * std::pow(c, 0.4516) * std::exp(0.6 * i) * 3, d = c / m;
      const double loss = loss_of(m, d);
      lines += fmt::format(
          R"({{"name": "c{}m{}", "model_flops": {}, "tokens": {}, "loss": {}, "bits_per_byte": {}{}}})"
          "\n",
          c, i, m, d, loss, loss / 3, more);
    }
  }
  return lines;
}

class ScalingFit : public testing::Test {
 protected:
  Outcome fit(Arguments more) {
    Arguments arguments{"scaling", "fit", dir_ / "results.jsonl"};
    if (std::ranges::find(more, "--draws") == more.end()) {
      more.insert(more.end(), {"--draws", "100"});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  }
  nlohmann::json fitted(Arguments more) {
    more.emplace_back("--json");
    const Outcome outcome = fit(std::move(more));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out).at("datasets").at(0);
  }

  TempDir dir_;
};

TEST_F(ScalingFit, FromResultsToThePredictedLoss) {
  write_file(dir_ / "results.jsonl", results());
  const Outcome outcome = fit({"--out", dir_ / "laws"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("35 of 35 runs, loss in nats per token"),
                                 HasSubstr("M_opt, FLOPs a token"), HasSubstr("E ")));
  EXPECT_THAT(outcome.err, HasSubstr("wrote " + dir_ / "laws/laws.json"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "laws/report.html"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "laws/isoflop.svg"));
  const Arguments predict{"scaling",  "predict", "--laws",        dir_ / "laws/laws.json",
                          "--tokens", "1e10",    "--model-flops", "5e9"};
  const Outcome text = run_fathom(dir_, predict);
  EXPECT_THAT(text.out, AllOf(HasSubstr("M       5e9 FLOPs a token"), HasSubstr("nats per token")));
  Arguments json = predict;
  json.emplace_back("--json");
  const auto predicted = nlohmann::json::parse(run_fathom(dir_, json).out);
  EXPECT_NEAR(predicted.at("loss_by_surface").at("value"), loss_of(5e9, 1e10), 2e-3);
  EXPECT_NEAR(predicted.at("times_largest_fitted_run"), 5, 1e-6);
  const Outcome best = run_fathom(dir_, {"scaling", "predict", "--laws", dir_ / "laws/laws.json",
                                         "--compute", "5e19", "--unique-tokens", "1e9"});
  EXPECT_THAT(best.out, AllOf(HasSubstr("C       5e19 FLOPs"), HasSubstr("by the curve of the best runs")));
  EXPECT_THAT(best.err, HasSubstr("reads its text "));
}

TEST_F(ScalingFit, PredictTakesAModelsScaleFromItsFile) {
  write_file(dir_ / "results.jsonl", results());
  ASSERT_EQ(fit({"--out", dir_ / "laws"}).code, 0);
  const auto predict = [&](Arguments more) {
    Arguments all{"scaling", "predict", "--json", "--tokens", "1e9", "--laws"};
    all.push_back(dir_ / "laws/laws.json");
    all.insert(all.end(), more.begin(), more.end());
    return run_fathom(dir_, all);
  };
  const std::string model = FATHOM_SOURCE_DIR "/configs/models/ladder-25m.toml";
  const auto m = [&](const Arguments& more) {
    return nlohmann::json::parse(predict(more).out).at("model_flops").get<double>();
  };
  EXPECT_EQ(m({"--model", model, "--sequence-length", "512"}),
            72.0 * 8 * 512 * 512 + 12.0 * 8 * 512 * 512);
  EXPECT_GT(m({"--model", model}), m({"--model", model, "--sequence-length", "512"}));
  for (const Arguments& none : {Arguments{}, {"--model", model, "--model-flops", "1e9"}}) {
    const Outcome outcome = predict(none);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("--tokens and one of --model-flops and --model"));
  }
  const Outcome no_tokens = run_fathom(
      dir_, {"scaling", "predict", "--laws", dir_ / "laws/laws.json", "--model-flops", "1e9"});
  EXPECT_EQ(no_tokens.code, 2);
  EXPECT_THAT(no_tokens.err, HasSubstr("needs --tokens"));
  // The largest budget is 1e19: 30 times as much is still taken for near.
  EXPECT_EQ(predict({"--model-flops", "2.9e11"}).err, "");
  EXPECT_THAT(predict({"--model-flops", "3.1e11"}).err,
              HasSubstr("31 times that of the largest run"));
  EXPECT_THAT(predict({"--model-flops", "1e12"}).err,
              HasSubstr("100 times that of the largest run"));
  EXPECT_THAT(predict({"--model-flops", "1e9", "--unique-tokens", "4e8"}).err,
              HasSubstr("reads its text 2.5 times"));
  EXPECT_EQ(predict({"--model-flops", "1e9", "--unique-tokens", "1e9"}).err, "");
}

TEST_F(ScalingFit, SwitchesDoWhatTheySay) {
  write_file(dir_ / "results.jsonl", results());
  EXPECT_EQ(fitted({"--metric", "bits_per_byte"}).at("loss_unit"), "bits per byte");
  EXPECT_EQ(fitted({}).at("budgets").size(), 5u);
  EXPECT_EQ(fitted({"--budget-tolerance", "1"}).at("budgets").size(), 5u);
  EXPECT_LT(fitted({"--least-compute", "2e17"}).at("budgets").size(), 5u);
  const auto laws = fitted({}).at("laws");
  EXPECT_EQ(fitted({"--seed", "1"}).at("laws"), laws);
  EXPECT_NE(fitted({"--seed", "2"}).at("laws"), laws);
  EXPECT_NE(fitted({"--draws", "101"}).at("laws"), laws);
}

TEST_F(ScalingFit, WarningsAndMistakesGoToStandardError) {
  std::string lines = results();
  lines.insert(lines.find('\n') + 1, lines.substr(0, lines.find('\n') + 1));
  lines.insert(0, R"({"name": "bad", "model_flops": 1e8, "tokens": 1e9, "loss": null})"
                  "\n");
  write_file(dir_ / "results.jsonl", lines);
  const Outcome outcome = fit({});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("results.jsonl:3: run 'c1e+17m-3' is"),
                                 HasSubstr("1 of 36 runs diverged and are left out: bad")));
  write_file(dir_ / "results.jsonl", results(R"(, "losss": 1)"));
  const Outcome wrong = fit({});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("results.jsonl:1: 'losss' is no key of a result; did you mean "
                                   "'loss'?"));
  EXPECT_THAT(wrong.out, IsEmpty());
  write_file(dir_ / "results.jsonl", results().substr(0, 300) + "\n");
  EXPECT_EQ(fit({}).code, 2);
}

}  // namespace
}  // namespace fathom::test
