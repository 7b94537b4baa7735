// The rules of DROP, MATH and pass@k. Expected values are those of lm-evaluation-harness 0.4.13.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "eval/answer_metric.h"
#include "eval/drop_metric.h"
#include "eval/math_text.h"
#include "eval/pass_at_k.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

TEST(DropMetric, MakesTextsAlike) {
  EXPECT_EQ(normal_drop_text("The 1,200 Yards"), "1200.0 yards");
  EXPECT_EQ(normal_drop_text("under the age of 18 and 25-44"), "under age of 18.0 and 25.0 44.0");
  EXPECT_EQ(normal_drop_text(" an  apple, a\tday. "), "apple day");
  EXPECT_EQ(normal_drop_text("-3.50"), "3.5");  // the sign divides words
  EXPECT_EQ(normal_drop_text("1e3 0x10"), "1000.0 0x10");
  EXPECT_EQ(normal_drop_text("$5.00 50% .5 5."), "500.0 50.0 0.5 5.0");
  EXPECT_EQ(normal_drop_text("The theatre, an ant; Anna"), "theatre ant anna");
  EXPECT_EQ(normal_drop_text("inf NaN 1p3 (7)"), "inf nan 1p3 7.0");
  EXPECT_EQ(normal_drop_text("it's \"x\"!"), "its x");
  EXPECT_EQ(normal_drop_text("- a -"), "");
}

TEST(DropMetric, TakesTheBestOfTheRightAnswers) {
  const auto score = [](const std::string& answer, const std::vector<std::vector<std::string>>& golds) {
    const DropScore best = best_drop_score(answer, golds);
    return std::pair(best.exact, best.f1);
  };
  EXPECT_EQ(score(" Pakistanis and Filipinos", {{"Pakistanis and Filipinos"}, {"x"}}), std::pair(1.0, 1.0));
  EXPECT_EQ(score("3", {{"3.0"}}), std::pair(1.0, 1.0));
  EXPECT_EQ(score("4 yards", {{"3 yards"}}), std::pair(0.0, 0.0));  // the number is wrong
  EXPECT_EQ(score("the big red dog", {{"a red dog"}}), std::pair(0.0, 0.8));
  EXPECT_EQ(score("red dog", {{"the big red dog"}}), std::pair(0.0, 0.8));
  EXPECT_EQ(score("red", {{"red dog house"}}), std::pair(0.0, 0.5));
  EXPECT_EQ(score("dog red", {{"red dog"}}), std::pair(0.0, 1.0));
  EXPECT_EQ(score("a b c", {{"b c d"}}), std::pair(0.0, 0.8)) << "the article is no word";
  EXPECT_EQ(score("x b c", {{"b c d"}}), std::pair(0.0, 0.67)) << "of two decimals";
  // A number of the right answer has to be there, whichever one it is.
  EXPECT_EQ(score("3 yards", {{"3 of 4 yards"}}), std::pair(0.0, 0.67));
  EXPECT_EQ(score("yards of land", {{"yards"}}), std::pair(0.0, 0.5));
  EXPECT_EQ(score("4 yards", {{"yards"}}), std::pair(0.0, 0.67));
  // The best of several, in either order.
  EXPECT_EQ(score("red dog", {{"x"}, {"red dog"}, {"red"}}), std::pair(1.0, 1.0));
  EXPECT_EQ(score("red dog", {{"red"}, {"x"}}), std::pair(0.0, 0.67));
  // Several texts together are never the whole answer.
  EXPECT_EQ(score("4", {{"4", "5"}}), std::pair(0.0, 0.5));
  EXPECT_EQ(score("4", {{"4", "4", "5"}}), std::pair(0.0, 0.33));
  EXPECT_EQ(score("4", {{}, {" ", "4"}, {"4"}}), std::pair(1.0, 1.0));
  EXPECT_EQ(score("4", {{}, {" ", "4"}}), std::pair(0.0, 0.0));
  // One text fits one of two.
  EXPECT_EQ(score("Tom", {{"Tom", "Ann"}}), std::pair(0.0, 0.5));
  EXPECT_EQ(score("Tom", {{" "}}), std::pair(0.0, 0.0));
  EXPECT_EQ(score("", {{"Tom"}}), std::pair(0.0, 0.0));
}

TEST(MathTexts, AreComparedByTheirPlainForms) {
  for (const auto& [one, other] : std::vector<std::pair<std::string, std::string>>{
           {"\\frac12", "\\frac{1}{2}"},
           {"\\dfrac1{72}", "\\frac{1}{72}"},
           {"1/2", "\\frac{1}{2}"},
           {"0.5", "\\frac{1}{2}"},
           {".5", "\\tfrac{1}{2}"},
           {"\\sqrt3", "\\sqrt{3}"},
           {"x = 3", "3"},
           {"10\\%", "10"},
           {"\\$5", "5"},
           {"90^\\circ", "90"},
           {"5\\text{ cm}", "5"},
           {"\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})"},
           {"1,\\!000", "1,000"},
           {"{.5}", "{0.5}"},
           {"-1/2", "\\frac{-1}{2}"},
           {"1\n2", "12"},
           {"\\\\frac12", "\\frac12"},
           {"90^{\\circ}", "90"},
           {"(1, .5)", "(1,0.5)"},
           {"xy=3", "3"},
           {"é =3", "3"},
           {"\\sqrt3+\\sqrt{5}", "\\sqrt{3}+\\sqrt5"},
           {"\\sqrtπ", "\\sqrt{π}"},
           {"\\frac1π", "\\frac{1}{π}"},
           {"\\frac12+\\frac34", "\\frac{1}{2}+\\frac{3}{4}"},
           {"\\frac12x", "\\frac{1}{2}x"},
           {"1/-2", "\\frac{1}{-2}"},
           {"0/5", "\\frac{0}{5}"}}) {
    EXPECT_TRUE(same_mathematics(one, other)) << one << " and " << other;
  }
  for (const auto& [one, other] :
       std::vector<std::pair<std::string, std::string>>{{"0.50", "1/2"},
                                                        {"abc = 3", "3"},
                                                        {"01/2", "\\frac{1}{2}"},
                                                        {"x/2", "\\frac{x}{2}"},
                                                        {"3", "4"},
                                                        {"abc=3", "3"},
                                                        {"a=b=3", "3"},
                                                        {"-0/5", "\\frac{-0}{5}"},
                                                        {"+1/2", "\\frac{+1}{2}"},
                                                        {"1/2/3", "\\frac{1}{2}/3"},
                                                        {"1/02", "\\frac{1}{02}"}}) {
    EXPECT_FALSE(same_mathematics(one, other)) << one << " and " << other;
  }
  // Where there is no plain form, the texts count.
  EXPECT_EQ(plain_mathematics("x/2"), std::nullopt);
  EXPECT_EQ(plain_mathematics("2\\sqrt"), std::nullopt);
  EXPECT_EQ(plain_mathematics("\\frac"), std::nullopt);
  EXPECT_EQ(plain_mathematics("1\\text{ a}\\text{ b}"), std::nullopt);
  EXPECT_TRUE(same_mathematics("x/2", "x/2"));
  EXPECT_FALSE(same_mathematics("x/2 ", "x/2"));
  EXPECT_EQ(plain_mathematics(""), "");
}

TEST(PassAtK, IsTheProbabilityThatOneOfKPasses) {
  EXPECT_EQ(pass_at_k(1, 1, 1), 1);
  EXPECT_EQ(pass_at_k(1, 0, 1), 0);
  EXPECT_NEAR(pass_at_k(10, 3, 1), 0.3, 1e-15);
  EXPECT_NEAR(pass_at_k(10, 3, 5), 1 - 21.0 / 252, 1e-15);  // 1 − C(7, 5) / C(10, 5)
  EXPECT_EQ(pass_at_k(10, 3, 8), 1);                        // fewer than 8 fail
  EXPECT_NEAR(pass_at_k(10, 3, 7), 1 - 1.0 / 120, 1e-15);   // 1 − C(7, 7) / C(10, 7)
  EXPECT_EQ(pass_at_k(10, 0, 10), 0);
  EXPECT_EQ(pass_at_k(10, 1, 10), 1);
  EXPECT_THAT(test::error_of(ErrorKind::runtime, [] { pass_at_k(3, 1, 4); }),
              testing::HasSubstr("pass@4 of 3 programs"));
  EXPECT_THAT(test::error_of(ErrorKind::runtime, [] { pass_at_k(3, 1, 0); }),
              testing::HasSubstr("pass@0 of 3 programs"));
  EXPECT_THAT(test::error_of(ErrorKind::runtime, [] { pass_at_k(3, 4, 1); }),
              testing::HasSubstr("4 of which pass"));
}

TEST(AnswerMetrics, HaveTheNamesOfTheirKinds) {
  struct Row {
    TextMetric metric;
    const char* answer;
    std::map<std::string, double> scores;
  };
  Item item;
  item.golds = {"8", "1/2"};
  item.gold_texts = {{"8"}, {"1/2"}};
  for (const auto& [metric, answer, scores] :
       {Row{TextMetric::exact_match, "1/2", {{"exact_match", 1}}},
        Row{TextMetric::exact_match, "0.5", {{"exact_match", 0}}},
        Row{TextMetric::contains, "it is 1/2.", {{"contains", 1}}},
        Row{TextMetric::contains, "it is 2.", {{"contains", 0}}},
        Row{TextMetric::math, "0.5", {{"exact_match", 1}}},
        Row{TextMetric::math, "8", {{"exact_match", 1}}},
        Row{TextMetric::math, "7", {{"exact_match", 0}}},
        Row{TextMetric::drop, "8", {{"em", 1}, {"f1", 1}}},
        Row{TextMetric::drop, "8 dogs", {{"em", 0}, {"f1", 0.67}}}}) {
    TaskConfig task;
    task.source = "t.toml";
    task.generate.metric = metric;
    const auto made = make_metric(task, nullptr);
    EXPECT_FALSE(made->slow());
    std::map<std::string, double> found;
    for (const auto& [name, part] : made->score(item, {answer})) {
      found[name] = part.value;
      EXPECT_EQ(part.weight, 1);
    }
    EXPECT_EQ(found, scores) << answer;
  }
}

TEST(AnswerMetrics, OfSeveralAnswersAreMeans) {
  TaskConfig task;
  task.source = "t.toml";
  task.mode = Mode::generate;
  Item item;
  item.golds = {"7"};
  const ItemScores scores = make_metric(task, nullptr)->score(item, {"7", "8", "7", "9"});
  EXPECT_EQ(scores.at("exact_match").value, 0.5);
  EXPECT_EQ(scores.at("exact_match").weight, 1);
}

TEST(AnswerMetrics, OfInstructionsCountThemAndPromptsThatFollowAll) {
  using Json = nlohmann::ordered_json;
  TaskConfig task;
  task.source = "t.toml";
  task.mode = Mode::generate;
  task.generate.metric = TextMetric::instructions;
  Item item;
  item.where = "data:1";
  item.fields = std::make_shared<Json>(Json{{"prompt", "p"},
                                            {"instruction_id_list", {"punctuation:no_comma", "change_case:english_lowercase"}},
                                            {"kwargs", Json::array({Json::object(), Json::object()})}});
  const auto metric = make_metric(task, nullptr);
  struct Row {
    const char* answer;
    double prompt, instructions;
  };
  for (const auto& [answer, prompt, instructions] : {Row{"this is an english sentence about the weather.", 1, 1},
                                                     {"This is an English sentence about the weather.", 0, 0.5},
                                                     {"this is, we say, an english sentence.", 0, 0.5},
                                                     {"This is, we say, an English sentence.", 0, 0}}) {
    const ItemScores scores = metric->score(item, {answer});
    for (const std::string kind : {"strict", "loose"}) {
      EXPECT_EQ(scores.at("prompt_level_" + kind + "_acc").value, prompt) << answer;
      EXPECT_EQ(scores.at("prompt_level_" + kind + "_acc").weight, 1);
      EXPECT_EQ(scores.at("inst_level_" + kind + "_acc").value / scores.at("inst_level_" + kind + "_acc").weight,
                instructions)
          << answer;
      EXPECT_EQ(scores.at("inst_level_" + kind + "_acc").weight, 2);
    }
  }
}

TEST(AnswerMetrics, OfCodeNeedARunner) {
  TaskConfig task;
  task.source = "t.toml";
  task.generate.metric = TextMetric::code;
  EXPECT_THAT(test::input_error_of([&] { make_metric(task, nullptr); }), testing::HasSubstr("t.toml: generate.metric"));
}

TEST(AnswerMetrics, RunTheProgramOfEachAnswer) {
  TaskConfig task;
  task.source = "t.toml";
  task.mode = Mode::generate;
  task.generate.metric = TextMetric::code;
  task.generate.samples = 4;
  task.generate.pass_at = {1, 2};
  task.generate.program = "{{ start }}{{ completion }}\nassert f(2) == 4";
  std::optional<PythonRunner> runner;
  try {
    runner.emplace("python3", Isolation::limits_only);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  Item item;
  item.where = "data:1";
  item.fields = std::make_shared<nlohmann::ordered_json>(nlohmann::ordered_json{{"start", "def f(x):\n  return "}});
  const ItemScores scores = make_metric(task, &*runner)->score(item, {"x + x", "x", "(", "x ** 2"});
  EXPECT_EQ(scores.at("pass@1").value, 0.5);
  EXPECT_NEAR(scores.at("pass@2").value, 1 - 1.0 / 6, 1e-15);
}

// A program of about 200 MB, in less memory and in more.
TEST(AnswerMetrics, ProgramsHaveTheMemoryOfTheTask) {
  TaskConfig task;
  task.source = "t.toml";
  task.mode = Mode::generate;
  task.generate.metric = TextMetric::code;
  task.generate.program = "x = bytearray(b'x') * (200 << 20)";
  task.generate.pass_at = {1};
  std::optional<PythonRunner> runner;
  try {
    runner.emplace("python3", Isolation::limits_only);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  Item item;
  item.where = "data:1";
  item.fields = std::make_shared<nlohmann::ordered_json>(nlohmann::ordered_json::object());
  for (const auto& [mib, passes] : {std::pair(100, 0), std::pair(2000, 1)}) {
    task.generate.program_mib = mib;
    EXPECT_EQ(make_metric(task, &*runner)->score(item, {""}).at("pass@1").value, passes) << mib;
  }
}

}  // namespace
}  // namespace fathom::eval
