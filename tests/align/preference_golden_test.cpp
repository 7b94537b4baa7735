// Losses of preference training and the gradients of the whole model, against PyTorch in float64.
#include <gtest/gtest.h>

#include <cmath>

#include "align/golden_policy.h"
#include "core/enum_names.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::GoldenPolicy;

PreferenceLossConfig config_of(const nlohmann::json& variant) {
  PreferenceLossConfig config;
  config.loss = enum_of<PreferenceLoss>(variant.at("loss").get<std::string>()).value();
  config.beta = variant.at("beta");
  config.label_smoothing = variant.value("label_smoothing", 0.0);
  config.length_normalised = variant.value("length_normalised", false);
  config.margin = variant.value("margin", 0.0);
  config.nll = variant.value("nll", 0.0);
  return config;
}

// How far the gradient is from the golden one along its directions, as a share of its norm.
double gradient_error(const std::vector<float>& gradient, const nlohmann::json& expected) {
  const double norm = expected.at("norm");
  double squares = 0, worst = 0;
  for (const float value : gradient) squares += double{value} * value;
  worst = std::abs(std::sqrt(squares) - norm) / norm;
  const std::vector<double> products = expected.at("projections");
  for (std::size_t k = 0; k < products.size(); ++k) {
    double product = 0;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      product += double{gradient[i]} * std::cos(0.7548776662 * double(i + 1) * double(k + 1));
    }
    worst = std::max(worst, std::abs(product - products[k]) / norm);
  }
  return worst;
}

class PreferenceGolden : public testing::TestWithParam<std::string> {};

TEST_P(PreferenceGolden, LossAndGradientsAreThoseOfPyTorch) {
  const test::TempDir dir;
  GoldenPolicy policy;
  const nlohmann::json& variant = policy.json.at("variants").at(GetParam());
  const PreferenceLossConfig config = config_of(variant);
  ReferenceCache cache({});
  cache.add(*policy.pairs, policy.golden_reference());
  cache.save(dir / "reference.safetensors");
  const auto reference = std::make_shared<PreferenceReference>(
      ReferenceOptions{dir / "reference.safetensors", {}, 1},
      std::vector<NamedPairs>{{"training data", policy.source}}, policy.rank.groups);
  PreferenceObjective objective(config, policy.source, reference, policy.rank.groups);
  objective.begin(policy.evaluate(), 0);

  // The pairs of all rows once, whatever the micro-batches.
  for (const std::int64_t rows : {1, 2}) {
    std::vector<Batch> batches = policy.batches(policy.source->rows(), rows);
    const StepTerms terms = policy.gradients(objective, batches);
    EXPECT_EQ(terms.normaliser, policy.pairs->size());
    const double loss = variant.at("value");
    EXPECT_NEAR(*terms.loss / terms.normaliser, loss, 1e-5 * std::abs(loss));
    for (const Parameter& parameter : policy.learner.parameters().all()) {
      EXPECT_LT(gradient_error(golden::download(policy.learner.context(), parameter.gradient),
                               variant.at("gradients").at(parameter.spec.name)),
                1e-4)
          << parameter.spec.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, PreferenceGolden,
                         testing::Values("sigmoid", "smoothed", "robust", "hinge", "ipo",
                                         "ipo_per_token", "length_normalised", "simpo", "nll"),
                         [](const auto& variant) { return variant.param; });

TEST(PreferenceLogProbs, LogProbabilitiesOfTheAnswers) {
  GoldenPolicy policy;
  const std::vector<PairLogProbs> values =
      evaluate_pairs(*policy.source, {2, ""}, policy.evaluate(), policy.rank.groups.data());
  const auto& expected = policy.json.at("log_probs");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(values.at(i).chosen, expected[i][0].get<double>(), 1e-4) << i;
    EXPECT_NEAR(values.at(i).rejected, expected[i][1].get<double>(), 1e-4) << i;
  }
}

}  // namespace
}  // namespace fathom
