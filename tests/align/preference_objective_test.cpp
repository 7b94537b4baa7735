// Preference training with the reference that the model itself was, its file, and what is recorded.
#include "align/preference_objective.h"

#include <gmock/gmock.h>

#include <cmath>

#include "align/golden_policy.h"
#include "align/preference_validator.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::GoldenPolicy;
using test::TempDir;

std::shared_ptr<PreferenceReference> reference_of(const GoldenPolicy& policy,
                                                  const std::string& path,
                                                  const ReferenceKey& key = {}) {
  return std::make_shared<PreferenceReference>(
      ReferenceOptions{path, key, GoldenPolicy::micro_rows},
      std::vector<NamedPairs>{{"training data", policy.source}, {"held-out data", policy.source}},
      policy.rank.groups);
}

bool operator==(const PairLogProbs& a, const PairLogProbs& b) {
  return a.chosen == b.chosen && a.rejected == b.rejected;
}

double figure(const StepTerms& terms, const std::string& name) {
  for (const auto& [key, sum] : terms.sums) {
    if (key == name) return sum / terms.normaliser;
  }
  return NAN;
}

TEST(PreferenceObjective, TheFirstStepIsLn2WithFreshAndWithCachedReference) {
  const TempDir dir;
  GoldenPolicy policy;
  std::vector<PairLogProbs> fresh;
  for (const bool cached : {false, true}) {
    const auto reference = reference_of(policy, dir / "reference.safetensors");
    PreferenceObjective objective({}, policy.source, reference, policy.rank.groups);
    int evaluated = 0;
    const EvaluateBatch evaluate = policy.evaluate();
    objective.begin(
        [&](const Batch& batch) {
          ++evaluated;
          return evaluate(batch);
        },
        0);
    EXPECT_EQ(evaluated == 0, cached);
    if (!cached) fresh = reference->of(0);
    for (std::size_t i = 0; i < fresh.size(); ++i) EXPECT_TRUE(reference->of(0)[i] == fresh[i]);

    std::vector<Batch> batches = policy.batches(policy.source->rows(), GoldenPolicy::micro_rows);
    const StepTerms terms = policy.gradients(objective, batches);
    EXPECT_DOUBLE_EQ(*terms.loss / terms.normaliser, std::log(2.0));
    EXPECT_EQ(figure(terms, "rewards/chosen"), 0);
    EXPECT_EQ(figure(terms, "rewards/accuracies"), 0);
    EXPECT_LT(figure(terms, "logps/chosen"), -1);
  }
}

// Of each pair alone in its row, and of several in one.
TEST(PreferenceObjective, LogProbabilitiesHardlyDependOnTheRows) {
  GoldenPolicy policy;
  const auto values = [&](PairRows mode, std::int64_t rows) {
    return evaluate_pairs(PairSource(policy.pairs, GoldenPolicy::row_tokens, 1, mode), {rows, ""},
                          policy.evaluate(), policy.rank.groups.data());
  };
  const auto packed = values(PairRows::packed, 2), alone = values(PairRows::one_pair, 1);
  for (std::size_t i = 0; i < packed.size(); ++i) {
    EXPECT_NEAR(packed[i].chosen / alone[i].chosen, 1, 1e-5);
    EXPECT_NEAR(packed[i].rejected / alone[i].rejected, 1, 1e-5);
  }
}

TEST(PreferenceObjective, FiguresAreMeansOverPairs) {
  const TempDir dir;
  GoldenPolicy policy;
  ReferenceCache cache({});
  cache.add(*policy.pairs, policy.golden_reference());
  cache.save(dir / "reference.safetensors");
  const auto reference = reference_of(policy, dir / "reference.safetensors");
  PreferenceLossConfig config;
  config.beta = 0.2;
  PreferenceObjective objective(config, policy.source, reference, policy.rank.groups);
  objective.begin(policy.evaluate(), 0);
  std::vector<Batch> batches = policy.batches(policy.source->rows(), 1);
  const StepTerms terms = policy.gradients(objective, batches);

  double chosen = 0, rejected = 0, right = 0, log_prob = 0, log_prob_rejected = 0, tokens = 0;
  const auto& expected = policy.json.at("log_probs");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& reference_of_pair = policy.json.at("pairs")[i].at("reference");
    const double a = expected[i][0].get<double>() - reference_of_pair[0].get<double>();
    const double b = expected[i][1].get<double>() - reference_of_pair[1].get<double>();
    chosen += 0.2 * a;
    rejected += 0.2 * b;
    right += a > b ? 1 : 0;
    log_prob += expected[i][0].get<double>();
    log_prob_rejected += expected[i][1].get<double>();
    tokens += double(policy.json.at("pairs")[i].at("chosen").size());
  }
  const double pairs = double(expected.size());
  EXPECT_NEAR(figure(terms, "rewards/chosen"), chosen / pairs, 1e-5);
  EXPECT_NEAR(figure(terms, "rewards/rejected"), rejected / pairs, 1e-5);
  EXPECT_NEAR(figure(terms, "rewards/margins"), (chosen - rejected) / pairs, 1e-5);
  EXPECT_EQ(figure(terms, "rewards/accuracies"), right / pairs);
  EXPECT_NEAR(figure(terms, "logps/chosen"), log_prob / pairs, 1e-5);
  EXPECT_NEAR(figure(terms, "nll_loss"), -log_prob / tokens, 1e-5);

  // The validator of the same pairs finds the same.
  PreferenceValidator validator(config, policy.source, reference, 2, policy.rank.groups);
  MetricsRecord record{0, {}};
  validator.run(policy.evaluate(), record);
  EXPECT_NEAR(*record.find("validation_loss"), *terms.loss / pairs, 1e-6);
  EXPECT_NEAR(*record.find("validation_rewards/chosen"), chosen / pairs, 1e-5);
  EXPECT_NEAR(*record.find("validation_rewards/rejected"), rejected / pairs, 1e-5);
  EXPECT_NEAR(*record.find("validation_rewards/margins"), (chosen - rejected) / pairs, 1e-5);
  EXPECT_EQ(*record.find("validation_rewards/accuracies"), right / pairs);
  EXPECT_NEAR(*record.find("validation_logps/chosen"), log_prob / pairs, 1e-5);
  EXPECT_NEAR(*record.find("validation_logps/rejected"), log_prob_rejected / pairs, 1e-5);
  EXPECT_NEAR(*record.find("validation_nll_loss"), -log_prob / tokens, 1e-5);
  EXPECT_NEAR(figure(terms, "logps/rejected"), log_prob_rejected / pairs, 1e-5);
  EXPECT_NE(tokens, pairs);

  // With an NLL term both losses are larger by it.
  PreferenceLossConfig nll = config;
  nll.nll = 0.5;
  PreferenceValidator with_nll(nll, policy.source, reference, 1, policy.rank.groups);
  MetricsRecord more{0, {}};
  with_nll.run(policy.evaluate(), more);
  EXPECT_NEAR(*more.find("validation_loss") - *record.find("validation_loss"),
              0.5 * -log_prob / tokens, 1e-5);
}

TEST(PreferenceObjective, TokensOfPromptsAndPaddingHaveNoWeight) {
  const TempDir dir;
  GoldenPolicy policy;
  PreferenceObjective objective(
      {}, policy.source, reference_of(policy, dir / "reference.safetensors"), policy.rank.groups);
  objective.begin(policy.evaluate(), 0);
  std::vector<Batch> batches = policy.batches(1, 1);
  const std::span<const float> losses = policy.evaluate()(batches[0]);
  std::vector<float> weights(losses.size(), 7.0f);
  objective.prepare(batches);
  objective.weigh(batches[0], losses, weights);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(weights[i] != 0, batches[0].targets[i] >= 0) << i;
  }
}

TEST(PreferenceReference, AFileOfAnotherModelOrOtherDataIsRefused) {
  const TempDir dir;
  GoldenPolicy policy;
  const std::string path = dir / "reference.safetensors";
  const ReferenceKey key{"aa", "bb", "cc", "f32"};
  reference_of(policy, path, key)->begin(policy.evaluate(), 0);
  reference_of(policy, path, {"", "bb", "", "f32"})->begin(policy.evaluate(), 0);  // not known
  const auto error = [&](const ReferenceKey& other) {
    return test::input_error_of(
        [&] { reference_of(policy, path, other)->begin(policy.evaluate(), 0); });
  };
  const std::string advice =
      "name another file by dpo.reference, or remove this one to compute them again";
  EXPECT_EQ(error({"a1", "bb", "cc", "f32"}),
            path +
                ": reference log-probabilities of another model (weights aa; this run has a1): " +
                advice);
  EXPECT_THAT(error({"aa", "b1", "cc", "f32"}), testing::HasSubstr("of another tokenizer"));
  EXPECT_THAT(error({"aa", "bb", "c1", "f32"}), testing::HasSubstr("of another chat template"));
  EXPECT_THAT(error({"aa", "bb", "cc", "bf16"}), testing::HasSubstr("of another precision"));

  const std::vector<std::int32_t> one{1}, two{2}, three{3};
  policy.pairs->add({one, two, three});
  EXPECT_EQ(error(key), path +
                            ": reference log-probabilities of other data: pair 8 of the training "
                            "data is not among them; " +
                            advice);
  std::string bytes = test::read_file(path);
  bytes.back() = char(bytes.back() ^ 1);
  test::write_file(path, bytes);
  EXPECT_EQ(error(key),
            path + ": damaged: remove it to compute the reference log-probabilities again");
}

TEST(PreferenceReference, ARunThatHasLearntCannotComputeItAgain) {
  const TempDir dir;
  GoldenPolicy policy;
  const std::string path = dir / "reference.safetensors";
  EXPECT_EQ(
      test::input_error_of([&] { reference_of(policy, path)->begin(policy.evaluate(), 7); }),
      path +
          ": missing, and the run has done 7 steps since its reference: restore the file, or begin "
          "again with --resume none");
}

TEST(LikelihoodWatch, WarnsOnceWhenBothFall) {
  LikelihoodWatch falling, good, brief;
  int warnings = 0;
  for (int step = 0; step < 100; ++step) {
    const std::string warning = falling.observe(-3, -12.25);
    if (warning.empty()) continue;
    ++warnings;
    EXPECT_EQ(step, 19);
    EXPECT_THAT(warning, testing::HasSubstr("a chosen answer has lost 3.0 nats and a rejected one "
                                            "12.2"));
  }
  EXPECT_EQ(warnings, 1);
  for (int step = 0; step < 100; ++step) {
    EXPECT_EQ(good.observe(0.5, -12), "");
    EXPECT_EQ(brief.observe(step == 50 ? -15 : 0, -12), "");  // one bad step
  }
}

// After the first window, where each mean lies below the limit, and no more than once.
TEST(LikelihoodWatch, WantsBothMeansBelowTheLimit) {
  const auto step_of_warning = [](double chosen, double rejected) {
    LikelihoodWatch watch;
    for (int step = 0; step < 60; ++step) {
      if (!watch.observe(chosen, rejected).empty()) return step;
    }
    return -1;
  };
  EXPECT_EQ(step_of_warning(-3, -3), 19);
  EXPECT_EQ(step_of_warning(-3, 3), -1);
  EXPECT_EQ(step_of_warning(3, -3), -1);
  EXPECT_EQ(step_of_warning(-0.001, -3), -1);
  EXPECT_EQ(step_of_warning(-3, -0.001), -1);
  LikelihoodWatch late;
  for (int step = 0; step < 20; ++step) EXPECT_EQ(late.observe(0, -9), "");
  int more = 0;
  while (late.observe(-30, -9).empty()) ++more;
  EXPECT_LT(more, 20) << "the mean forgets";
}

}  // namespace
}  // namespace fathom
