#include "align/preference_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/enum_names.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

PreferenceLossConfig config_of(PreferenceLoss loss, double beta = 0.1) {
  PreferenceLossConfig config;
  config.loss = loss;
  config.beta = beta;
  return config;
}

// Chosen: policy −1.2, −0.5, −0.1 and reference −1.5, −0.9, −0.2; rejected: −2, −1 and −1.6, −0.8.
constexpr AnswerLogProbs chosen{-1.8, -2.6, 3}, rejected{-3.0, -2.4, 2};

PairTerms example(const PreferenceLossConfig& config) {
  return preference_terms(config, chosen, rejected);
}

constexpr double exact = 1e-9;

TEST(PreferenceLoss, TheFirstStepOfDpoIsLn2) {
  const AnswerLogProbs a{-7.3, -7.3, 5}, b{-0.4, -0.4, 1};
  const PairTerms terms = preference_terms(config_of(PreferenceLoss::sigmoid), a, b);
  EXPECT_EQ(terms.loss, std::log(2.0));
  EXPECT_EQ(terms.by_chosen, -0.05);
  EXPECT_EQ(terms.reward_chosen, 0);
}

TEST(PreferenceLoss, SigmoidOfTheWorkedExample) {
  const PairTerms terms = example(config_of(PreferenceLoss::sigmoid));
  EXPECT_NEAR(terms.loss, 0.625595182, exact);
  EXPECT_NEAR(terms.by_chosen, -0.046505705, exact);
  EXPECT_NEAR(terms.by_rejected, 0.046505705, exact);
  EXPECT_NEAR(terms.reward_chosen, 0.08, exact);
  EXPECT_NEAR(terms.reward_rejected, -0.06, exact);

  const PairTerms strong = example(config_of(PreferenceLoss::sigmoid, 0.5));
  EXPECT_NEAR(strong.loss, 0.403186049, exact);
  EXPECT_NEAR(strong.by_chosen, -0.165906114, exact);
}

TEST(PreferenceLoss, VariantsOfTheWorkedExample) {
  PreferenceLossConfig smoothed = config_of(PreferenceLoss::sigmoid);
  smoothed.label_smoothing = 0.1;
  EXPECT_NEAR(example(smoothed).loss, 0.639595182, exact);
  smoothed.loss = PreferenceLoss::robust;
  EXPECT_NEAR(example(smoothed).loss, 0.608095182, exact);

  EXPECT_NEAR(example(config_of(PreferenceLoss::hinge)).loss, 0.86, exact);
  PreferenceLossConfig ipo = config_of(PreferenceLoss::ipo);
  EXPECT_NEAR(example(ipo).loss, 12.96, exact);
  ipo.length_normalised = true;
  EXPECT_NEAR(example(ipo).loss, 19.654444444, exact);

  PreferenceLossConfig by_length = config_of(PreferenceLoss::sigmoid);
  by_length.length_normalised = true;
  EXPECT_NEAR(example(by_length).loss, 0.665215182, exact);
  EXPECT_NEAR(example(by_length).reward_chosen, 0.08, exact);  // of the whole answer still
  by_length.beta = 5;
  EXPECT_NEAR(example(by_length).loss, 0.057151748, exact);

  const PairTerms simpo = example(config_of(PreferenceLoss::simpo, 2));
  EXPECT_NEAR(simpo.loss, 0.371100666, exact);
  EXPECT_NEAR(simpo.reward_chosen, -1.2, exact);
  EXPECT_NEAR(simpo.reward_rejected, -3, exact);

  PreferenceLossConfig nll = config_of(PreferenceLoss::sigmoid);
  nll.nll = 1;
  EXPECT_NEAR(example(nll).loss + nll_token_weight(nll, 1, 3) * -chosen.policy, 1.225595182, exact);
}

TEST(PreferenceLoss, NllIsTheMeanOverTheTokensOfAllPairs) {
  PreferenceLossConfig config;
  config.nll = 0.5;
  // 2 tokens of 4 nats and 98 of 1 nat, in two pairs.
  EXPECT_NEAR(nll_token_weight(config, 2, 100) * (2 * 4 + 98) / 2, 0.5 * 1.06, 1e-15);
  EXPECT_EQ(nll_token_weight(config, 2, 0), 0);
}

TEST(PreferenceLoss, LossesOfFarAnswersAreFinite) {
  for (const double far : {-2000.0, 2000.0}) {
    const PairTerms terms =
        preference_terms(config_of(PreferenceLoss::sigmoid, 1), {far, 0, 1}, {0, 0, 1});
    EXPECT_EQ(terms.loss, far < 0 ? 2000 : 0);
    EXPECT_EQ(terms.by_chosen, far < 0 ? -1 : 0);
  }
}

TEST(PreferenceLoss, DerivativesAreThoseOfTheLoss) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> log_prob(-40, -0.1);
  for (const PreferenceLoss loss :
       {PreferenceLoss::sigmoid, PreferenceLoss::robust, PreferenceLoss::hinge, PreferenceLoss::ipo,
        PreferenceLoss::simpo}) {
    for (const double smoothing : {0.0, 0.2}) {
      for (const bool per_token : {false, true}) {
        PreferenceLossConfig config = config_of(loss, 0.15);
        config.label_smoothing = smoothing;
        config.length_normalised = per_token;
        SCOPED_TRACE(fmt::format("loss {} smoothing {} per token {}", enum_name(loss), smoothing,
                                 per_token));
        const AnswerLogProbs a{log_prob(random), log_prob(random), 7};
        const AnswerLogProbs b{log_prob(random), log_prob(random), 3};
        const auto loss_at = [&](double da, double db) {
          return preference_terms(config, {a.policy + da, a.reference, a.tokens},
                                  {b.policy + db, b.reference, b.tokens})
              .loss;
        };
        const PairTerms terms = preference_terms(config, a, b);
        constexpr double d = 1e-4;
        EXPECT_NEAR(terms.by_chosen, (loss_at(d, 0) - loss_at(-d, 0)) / (2 * d), 1e-7);
        EXPECT_NEAR(terms.by_rejected, (loss_at(0, d) - loss_at(0, -d)) / (2 * d), 1e-7);
      }
    }
  }
}

TEST(PreferenceLoss, ImpossibleSettingsAreRefusedByKey) {
  const auto message = [](auto change) {
    PreferenceLossConfig config;
    change(config);
    return test::input_error_of([&] { check(config); });
  };
  EXPECT_EQ(message([](auto&) {}), "no error");
  EXPECT_EQ(message([](auto& c) { c.beta = 0; }), "dpo.beta is 0: use a positive number");
  EXPECT_EQ(message([](auto& c) { c.label_smoothing = 0.5; }),
            "dpo.label_smoothing is 0.5: use 0 or more and less than 0.5");
  EXPECT_EQ(message([](auto& c) {
              c.loss = PreferenceLoss::hinge;
              c.label_smoothing = 0.1;
            }),
            "dpo.label_smoothing is 0.1, which hinge does not have: use sigmoid or robust, or 0");
  EXPECT_EQ(message([](auto& c) { c.nll = -1; }),
            "dpo.nll is -1: use 0 (none) or a positive number");
}

TEST(PreferenceLoss, SettingsGoUpToTheirBounds) {
  const auto message = [](auto change) {
    PreferenceLossConfig config;
    change(config);
    return test::input_error_of([&] { check(config); });
  };
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const double beta : {-1.0, 0.0, inf, std::nan("")}) {
    EXPECT_EQ(message([&](auto& c) { c.beta = beta; }),
              fmt::format("dpo.beta is {}: use a positive number", beta));
  }
  for (const double smoothing : {-0.01, 0.5, 0.6, std::nan("")}) {
    EXPECT_EQ(message([&](auto& c) { c.label_smoothing = smoothing; }),
              fmt::format("dpo.label_smoothing is {}: use 0 or more and less than 0.5", smoothing));
  }
  EXPECT_EQ(message([](auto& c) { c.label_smoothing = 0.499; }), "no error");
  for (const PreferenceLoss loss :
       {PreferenceLoss::sigmoid, PreferenceLoss::robust, PreferenceLoss::hinge, PreferenceLoss::ipo,
        PreferenceLoss::simpo}) {
    const bool smooths = loss == PreferenceLoss::sigmoid || loss == PreferenceLoss::robust;
    EXPECT_EQ(message([&](auto& c) {
                c.loss = loss;
                c.label_smoothing = 0.1;
              }) == "no error",
              smooths)
        << enum_name(loss);
    EXPECT_EQ(message([&](auto& c) { c.loss = loss; }), "no error");
  }
  EXPECT_EQ(message([](auto& c) { c.margin = std::nan(""); }),
            "dpo.margin is nan: use a finite number");
  EXPECT_EQ(message([](auto& c) { c.margin = -inf; }), "dpo.margin is -inf: use a finite number");
  EXPECT_EQ(message([](auto& c) { c.margin = -2; }), "no error");
  EXPECT_EQ(message([](auto& c) { c.nll = inf; }),
            "dpo.nll is inf: use 0 (none) or a positive number");
  EXPECT_EQ(message([](auto& c) { c.nll = 0.5; }), "no error");
}

// Beyond its margin the hinge is flat; IPO's distance is 1 / (2 beta); SimPO has its own margin.
TEST(PreferenceLoss, CurvesHaveTheirMargins) {
  const auto terms = [](PreferenceLoss loss, double h, double margin = 0) {
    PreferenceLossConfig config = config_of(loss, 0.5);
    config.margin = margin;
    return preference_terms(config, {h, 0, 1}, {0, 0, 1});
  };
  EXPECT_EQ(terms(PreferenceLoss::hinge, 2).loss, 0);
  EXPECT_EQ(terms(PreferenceLoss::hinge, 2).by_chosen, 0);
  EXPECT_EQ(terms(PreferenceLoss::hinge, 1).loss, 0.5);
  EXPECT_EQ(terms(PreferenceLoss::hinge, 1).by_chosen, -0.5);
  EXPECT_EQ(terms(PreferenceLoss::hinge, 3).loss, 0);
  EXPECT_EQ(terms(PreferenceLoss::ipo, 1).loss, 0);
  EXPECT_EQ(terms(PreferenceLoss::ipo, 3).loss, 4);
  EXPECT_EQ(terms(PreferenceLoss::ipo, 3).by_chosen, 4);
  EXPECT_EQ(terms(PreferenceLoss::simpo, 1.5, 1.5).loss, std::log(2.0));
  EXPECT_EQ(terms(PreferenceLoss::sigmoid, 0, 1.5).loss, std::log(2.0)) << "SimPO's alone";
}

}  // namespace
}  // namespace fathom
