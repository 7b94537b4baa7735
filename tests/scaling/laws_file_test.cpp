#include "scaling/laws_file.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "io/temp_dir.h"

namespace fathom::scaling {
namespace {

Laws full_laws() {
  Laws laws = deepseek_laws();
  laws.source = "some.json";
  laws.data = "a \"quoted\" name";
  laws.loss_unit = "nats per token";
  laws.learning_rate->coefficient.interval = Interval{0.1, 0.4};
  laws.learning_rate->exponent.interval = Interval{-0.2, 0.1};
  laws.learning_rate->record = {{{1e17, 2e-3}, {1e18, 1.0 / 3}}, {{0.3, -0.125}}};
  LossCurve& loss = laws.loss.emplace();
  loss.irreducible.value = 0;
  loss.coefficient.value = 20;
  loss.exponent.value = -0.05;
  loss.record = {{{1e17, 1.2}}, {{0.1, 20, -0.05}, {0.2, 21, -0.06}}};
  LossSurface& surface = laws.loss_surface.emplace();
  surface.irreducible.value = 1.69;
  surface.model_coefficient.value = 406;
  surface.model_exponent.value = 0.34;
  surface.data_coefficient.value = 410;
  surface.data_exponent.value = 0.28;
  surface.data_exponent.interval = Interval{0.27, 0.29};
  surface.record = {{{1e8, 1e9, 3}}, {{1, 2, 3, 4, 5}}};
  return laws;
}

std::string refusal(const std::string& text) {
  return test::input_error_of([&] { parse_laws(text, "laws.json"); });
}

// The file with a change of one field: "" makes it `value`.
std::string refusal_with(const std::string& pointer, const nlohmann::json& value) {
  auto json = nlohmann::json::parse(laws_text(full_laws()));
  json[nlohmann::json::json_pointer(pointer)] = value;
  return refusal(json.dump());
}

TEST(LawsFile, KeepsEveryNumber) {
  EXPECT_EQ(parse_laws(laws_text(full_laws()), "some.json"), full_laws());
}

TEST(LawsFile, LeavesOutWhatIsAbsent) {
  const auto json = nlohmann::json::parse(laws_text(deepseek_laws()));
  EXPECT_FALSE(json.contains("loss"));
  EXPECT_EQ(json["tokens"], nlohmann::json({{"coefficient", 5.8316}, {"exponent", 0.4757}}));
}

TEST(LawsFile, IsReadBackFromDisk) {
  const test::TempDir dir;
  const std::string path = dir / "laws.json";
  save_laws(path, full_laws());
  Laws expected = full_laws();
  expected.source = path;
  EXPECT_EQ(load_laws(path), expected);
}

TEST(LawsFile, DeepseekIsBuiltIn) {
  EXPECT_EQ(load_laws("deepseek"), deepseek_laws());
  EXPECT_NE(test::input_error_of([] { load_laws("/no/such.json"); }).find("/no/such.json"),
            std::string::npos);
}

TEST(LawsFile, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal_with("/batch_token", 3),
            "laws.json: 'batch_token' is no key of a laws file; did you mean 'batch_tokens'?");
  EXPECT_EQ(refusal_with("/tokens/exponents", 3),
            "laws.json: 'tokens.exponents' is no key of a laws file; did you mean 'exponent'?");
  EXPECT_EQ(refusal_with("/loss/coefficients", 3),
            "laws.json: 'loss.coefficients' is no key of a laws file; did you mean 'coefficient'?");
  EXPECT_EQ(refusal_with("/tokens/irreducible", 3),
            "laws.json: 'tokens.irreducible' is no key of a laws file; known here: points, draws, "
            "coefficient, coefficient_interval, exponent, exponent_interval");
  EXPECT_EQ(refusal_with("/version", 2), "laws.json: 'version' is 2: this Fathom reads version 1");
}

TEST(LawsFile, RefusesWhatIsMissing) {
  EXPECT_EQ(refusal("{}"), "laws.json: 'version' is missing");
  EXPECT_EQ(refusal(R"({"version": 1, "loss_unit": "x"})"), "laws.json: 'data' is missing");
  EXPECT_EQ(refusal(R"({"version": 1, "data": "x"})"), "laws.json: 'loss_unit' is missing");
  EXPECT_EQ(
      refusal(R"({"version": 1, "data": "x", "loss_unit": "y", "tokens": {"coefficient": 1}})"),
      "laws.json: 'tokens.exponent' is missing");
}

TEST(LawsFile, RefusesNumbersThatNoLawHas) {
  EXPECT_EQ(refusal_with("/tokens/coefficient", -1),
            "laws.json: 'tokens.coefficient' is -1, not a positive number");
  EXPECT_EQ(refusal_with("/loss_surface/data_coefficient", 0),
            "laws.json: 'loss_surface.data_coefficient' is 0, not a positive number");
  EXPECT_EQ(refusal_with("/tokens/exponent", "x"),
            "laws.json: 'tokens.exponent' is \"x\", not a number");
  EXPECT_EQ(refusal_with("/tokens/exponent_interval", {0.5, 0.4}),
            "laws.json: 'tokens.exponent_interval' does not begin with its lower end");
  EXPECT_EQ(refusal_with("/learning_rate/points/0", {1, 2, 3}),
            "laws.json: 'learning_rate.points[0]' has 3 numbers, not 2");
  EXPECT_EQ(refusal_with("/loss/draws/1", {1, 2}),
            "laws.json: 'loss.draws[1]' has 2 numbers, not 3");
}

TEST(LawsFile, DoesNotWriteWhatItCouldNotRead) {
  Laws laws = full_laws();
  laws.loss->exponent.value = std::numeric_limits<double>::infinity();
  EXPECT_THROW(laws_text(laws), Error);
  laws = full_laws();
  laws.tokens->exponent.interval = Interval{0, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(laws_text(laws), Error);
  laws = full_laws();
  laws.loss_surface->record.draws[0][4] = std::numeric_limits<double>::infinity();
  EXPECT_THROW(laws_text(laws), Error);
}

}  // namespace
}  // namespace fathom::scaling
