// From answers to scores: normalisations, filters, comparisons, errors of means.
#include <gmock/gmock.h>

#include <cctype>
#include <cmath>
#include <tuple>

#include "eval/scores.h"
#include "eval/text_metrics.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using testing::HasSubstr;

Item item_of(std::vector<std::string> answers, std::int64_t gold) {
  Item item;
  item.answers = std::move(answers);
  item.pairs.resize(item.answers.size());
  item.gold = gold;
  return item;
}

// Each normalisation prefers another answer.
TEST(ChoiceScores, NormaliseByTokensCharactersBytesAndTheAnswerAlone) {
  const std::vector<std::string> answers{"ab", "中文", "abcdefgh", "abcd"};
  Answer answer;
  answer.pairs = {{-2.0, 1, true}, {-2.4, 1, true}, {-4.0, 4, true}, {-3.0, 1, true}};
  answer.unconditional = {{-1.0, 1, true}, {-1.0, 1, true}, {-3.0, 1, true}, {-9.0, 1, true}};
  const auto right = [&](std::int64_t gold) { return choice_scores(item_of(answers, gold), answer); };
  EXPECT_EQ(right(0).at("acc").value, 1);
  EXPECT_EQ(right(2).at("acc_token").value, 1);
  EXPECT_EQ(right(2).at("acc_norm").value, 1);   // −1, −1.2, −0.5, −0.75
  EXPECT_EQ(right(1).at("acc_bytes").value, 1);  // −1, −0.4, −0.5, −0.75
  EXPECT_EQ(right(3).at("acc_uncond").value, 1);
  EXPECT_EQ(right(3).at("acc").value + right(0).at("acc_uncond").value + right(0).at("acc_norm").value +
                right(0).at("acc_bytes").value + right(3).at("acc_token").value,
            0);
}

TEST(ChoiceScores, PreferTheFirstOfEquals) {
  Answer answer;
  answer.pairs = {{-3, 1, true}, {-1, 1, true}, {-1, 1, true}};
  EXPECT_EQ(choice_scores(item_of({"a", "b", "c"}, 1), answer).at("acc").value, 1);
  EXPECT_EQ(choice_scores(item_of({"a", "b", "c"}, 2), answer).at("acc").value, 0);
  for (const auto& [name, part] : choice_scores(item_of({"a", "b", "c"}, 1), answer))
    EXPECT_EQ(part.value, 1) << name;
  EXPECT_FALSE(choice_scores(item_of({"a", "b", "c"}, 1), answer).contains("acc_uncond"));
  // An answer without tokens counts as one of a token.
  answer.pairs = {{-3, 2, true}, {-2, 0, true}};
  EXPECT_EQ(choice_scores(item_of({"a", "b"}, 0), answer).at("acc_token").value, 1);
}

TEST(Scores, SomeHaveWeights) {
  for (const char* score : {"bits_per_byte", "word_perplexity", "byte_perplexity",
                            "inst_level_strict_acc", "inst_level_loose_acc"}) {
    EXPECT_TRUE(has_weights(score)) << score;
  }
  for (const char* score : {"perplexity", "acc", "acc_norm", "prompt_level_strict_acc", "pass@1",
                            "bits_per_byte_x", "x_inst_level_"}) {
    EXPECT_FALSE(has_weights(score)) << score;
  }
}

// A mean's own values; of other scores values whose mean is the score.
TEST(Scores, AreMeansOfTheirLinearisedParts) {
  EXPECT_EQ(linearised("acc", {{0}, {1}, {1}}), (std::vector<double>{0, 1, 1}));
  const std::vector<Part> parts{{-1, 2}, {-3, 1}, {-2, 3}};
  for (const char* score : {"bits_per_byte", "word_perplexity", "perplexity", "inst_level_x"}) {
    const std::vector<double> values = linearised(score, parts);
    const Estimate mean = mean_of(values), whole = summarise(score, parts);
    EXPECT_NEAR(mean.value, whole.value, 1e-12) << score;
    EXPECT_NEAR(mean.standard_error, whole.standard_error, 1e-12) << score;
  }
  EXPECT_NEAR(summarise("bits_per_byte", parts).value, 1 / std::log(2.0), 1e-12);
  EXPECT_NEAR(summarise("word_perplexity", parts).value, std::exp(1), 1e-12);
  EXPECT_NEAR(summarise("inst_level_x", parts).value, -1, 1e-12);
}

TEST(DocumentScores, WordsAreDividedByBlanks) {
  const auto words = [](const char* text) {
    Item item;
    item.document = text;
    return document_scores(item, {}).at("word_perplexity").weight;
  };
  EXPECT_EQ(words("a"), 1);
  EXPECT_EQ(words("a b"), 2);
  EXPECT_EQ(words("  a,b\n\u3000 c\u00a0d "), 3);
  EXPECT_EQ(words(" \n"), 0);
}

TEST(LikelihoodScores, AreGreedinessAndPerplexity) {
  Answer answer;
  answer.pairs = {{-2.5, 3, false}};
  const ItemScores scores = likelihood_scores(answer);
  EXPECT_EQ(scores.at("acc").value, 0);
  const std::vector<Part> parts{{-1}, {-3}};
  const Estimate perplexity = summarise("perplexity", parts);
  EXPECT_NEAR(perplexity.value, std::exp(2), 1e-12);
  EXPECT_NEAR(perplexity.standard_error, std::exp(2) * 1, 1e-12);
}

TEST(DocumentScores, DivideByWordsAndBytes) {
  Item item;
  item.document = " ab 中\n";  // 2 words, 8 bytes
  Answer answer;
  answer.document.log_probability = -8 * std::log(2.0);
  const ItemScores scores = document_scores(item, answer);
  EXPECT_NEAR(summarise("bits_per_byte", {scores.at("bits_per_byte")}).value, 1, 1e-12);
  EXPECT_NEAR(summarise("byte_perplexity", {scores.at("byte_perplexity")}).value, 2, 1e-12);
  EXPECT_NEAR(summarise("word_perplexity", {scores.at("word_perplexity")}).value, 16, 1e-12);
  // Long documents count for more.
  EXPECT_NEAR(summarise("bits_per_byte", {{-std::log(2.0), 1}, {-30 * std::log(2.0), 10}}).value, 31.0 / 11, 1e-12);
}

TEST(Statistics, GiveMeansWithErrors) {
  const std::vector<double> values{0, 1, 1, 1};
  EXPECT_NEAR(mean_of(values).value, 0.75, 1e-15);
  EXPECT_NEAR(mean_of(values).standard_error, std::sqrt(0.75 / 3 / 4), 1e-15);
  EXPECT_TRUE(std::isnan(mean_of(std::vector<double>{2}).standard_error));
  // With equal denominators a ratio is a mean.
  const Estimate ratio = ratio_of_sums(values, std::vector<double>{2, 2, 2, 2});
  EXPECT_NEAR(ratio.value, 0.375, 1e-15);
  EXPECT_NEAR(ratio.standard_error, mean_of(values).standard_error / 2, 1e-15);
}

TEST(Statistics, ComparePairs) {
  const PairedDifference none = paired_difference(std::vector<double>{1, 0, 1}, std::vector<double>{1, 0, 1});
  EXPECT_EQ(none.difference.value, 0);
  EXPECT_EQ(none.p_value, 1);
  const std::vector<double> a{0, 0, 0, 1, 0, 0, 1, 0, 0, 0}, b{1, 0, 1, 1, 1, 0, 1, 1, 0, 1};
  const PairedDifference better = paired_difference(a, b);
  EXPECT_NEAR(better.difference.value, 0.5, 1e-15);
  EXPECT_NEAR(better.difference.standard_error, std::sqrt(2.5 / 9 / 10), 1e-15);
  EXPECT_NEAR(better.p_value, 0.0027, 1e-4);  // z = 3
}

FilterConfig filter(FilterKind kind, const std::string& pattern, std::int64_t match = 0) {
  FilterConfig config;
  config.name = "f";
  FilterStep step;
  step.kind = kind;
  step.pattern = pattern;
  step.match = match;
  step.with = "<\\1>";
  config.steps = {step};
  return config;
}
std::string filtered(const FilterConfig& config, const std::string& text) {
  return TextFilter(config, "t").apply(text);
}

// lm-evaluation-harness's two filters of GSM8K, and its rules for groups.
TEST(TextFilters, TakeMatches) {
  const FilterConfig strict = filter(FilterKind::regex, "#### (\\-?[0-9\\.\\,]+)");
  EXPECT_EQ(filtered(strict, "so 3\n#### 1,200. #### 7"), "1,200.");
  EXPECT_EQ(filtered(strict, "so 3"), "[invalid]");
  const FilterConfig last = filter(FilterKind::regex, "(-?[$0-9.,]{2,})|(-?[0-9]+)", -1);
  EXPECT_EQ(filtered(last, "$18 or 9 of them"), "9");
  EXPECT_EQ(filtered(last, "it is $1,800"), "$1,800");
  EXPECT_EQ(filtered(last, "none"), "[invalid]");
  EXPECT_EQ(filtered(filter(FilterKind::regex, "[A-D] "), "x C y"), "C");  // no group: the match, stripped
  EXPECT_EQ(filtered(filter(FilterKind::regex, "x(y)?"), "xz"), "");      // one group, which took no part
  EXPECT_EQ(filtered(filter(FilterKind::regex, "x(y)?(z)?"), "x"), "[invalid]");
  EXPECT_EQ(filtered(filter(FilterKind::regex, "\\d", -3), "1 2"), "[invalid]");
  for (const auto& [match, found] : {std::pair(0, "1"),
                                     {1, "2"},
                                     {2, "3"},
                                     {3, "[invalid]"},
                                     {-1, "3"},
                                     {-2, "2"},
                                     {-3, "1"},
                                     {-4, "[invalid]"}}) {
    EXPECT_EQ(filtered(filter(FilterKind::regex, "\\d", match), "1 2 3"), found) << match;
  }
  // Of several groups the first that is not empty.
  const FilterConfig groups = filter(FilterKind::regex, "<( *)(a)?(b*)>");
  EXPECT_EQ(filtered(groups, "<a>"), "a");
  EXPECT_EQ(filtered(groups, "<bb>"), "bb");
  EXPECT_EQ(filtered(groups, "< a>"), "");
  EXPECT_EQ(filtered(groups, "<>"), "[invalid]");
  EXPECT_EQ(filtered(filter(FilterKind::regex, "<(.*)>"), "< a >"), "a");
  FilterConfig other = filter(FilterKind::regex, "\\d");
  other.steps[0].otherwise = "?";
  EXPECT_EQ(filtered(other, "x"), "?");
}

TEST(TextFilters, ApplyTheirStepsInOrder) {
  FilterConfig steps = filter(FilterKind::before, "\\n");
  steps.steps.push_back({FilterKind::lower, "", "", "", 0});
  steps.steps.push_back({FilterKind::replace, "b", "B", "", 0});
  steps.steps.push_back({FilterKind::regex, "(B.*)", "", "none", -1});
  EXPECT_EQ(filtered(steps, "ABC \nB"), "Bc");
  EXPECT_EQ(filtered(steps, "A\nB"), "none");
  EXPECT_EQ(TextFilter(steps, "t").name(), "f");
  EXPECT_EQ(filtered({}, " A "), " A ");
}

// Whether each kind of step has a pattern.
TEST(TextFilters, SayWhichStepsNeedAPattern) {
  for (const auto& [kind, needs] : {std::pair(FilterKind::regex, true),
                                    {FilterKind::before, true},
                                    {FilterKind::remove, true},
                                    {FilterKind::replace, true},
                                    {FilterKind::strip, false},
                                    {FilterKind::lstrip, false},
                                    {FilterKind::lower, false}}) {
    for (const char* pattern : {"", "x"}) {
      const std::string error = input_error_of([&] { TextFilter(filter(kind, pattern), "t"); });
      const bool good = needs == (*pattern != '\0');
      EXPECT_EQ(error, good ? "no error"
                            : fmt::format("t: filter f: the step {} {} a pattern", enum_name(kind),
                                          needs ? "needs" : "has no use for"));
    }
  }
}

TEST(TextMetrics, KnowBlanksPunctuationAndSmallLetters) {
  for (int c = 0; c < 128; ++c)
    EXPECT_EQ(is_punctuation(static_cast<char>(c)), c != 0 && std::ispunct(c) != 0) << c;
  EXPECT_FALSE(is_punctuation('\xa1'));
  for (const auto& [text, first, last] :
       std::vector<std::tuple<const char*, const char*, const char*>>{
           {"", "", ""},
           {" ", "", ""},
           {"a", "a", "a"},
           {" a b ", "a b ", " a b"},
           {"\t\n中\u3000", "中\u3000", "\t\n中"},
           {"\u3000\u00a0é \u2028", "é \u2028", "\u3000\u00a0é"}}) {
    EXPECT_EQ(without_first_blanks(text), first);
    EXPECT_EQ(without_last_blanks(text), last);
    EXPECT_EQ(strip_blanks(text), without_last_blanks(first));
  }
  EXPECT_EQ(small_letters("AÉЯ中ß1"), "aéя中ß1");
}

TEST(TextFilters, CutReplaceAndStrip) {
  EXPECT_EQ(filtered(filter(FilterKind::before, "\\n|Q:"), "a Q: b\n"), "a ");
  EXPECT_EQ(filtered(filter(FilterKind::remove, "[,.]"), "1,2."), "12");
  EXPECT_EQ(filtered(filter(FilterKind::replace, "(\\w)\\w*"), "ab cd"), "<a> <c>");
  EXPECT_EQ(filtered(filter(FilterKind::strip, ""), " \xE3\x80\x80中 a\n"), "中 a");
  EXPECT_EQ(filtered(filter(FilterKind::lstrip, ""), " \xE3\x80\x80中 a\n"), "中 a\n");
  EXPECT_EQ(filtered(filter(FilterKind::lstrip, ""), " \n"), "");
  EXPECT_EQ(filtered(filter(FilterKind::lower, ""), "ÀB"), "àb");
  EXPECT_THAT(input_error_of([] { TextFilter(filter(FilterKind::regex, ""), "t"); }), HasSubstr("needs a pattern"));
  EXPECT_THAT(input_error_of([] { TextFilter(filter(FilterKind::strip, "x"), "t"); }), HasSubstr("has no use for a pattern"));
  EXPECT_THAT(input_error_of([] { TextFilter(filter(FilterKind::regex, "("), "t"); }), HasSubstr("'(' is no regular expression"));
}

TEST(AnswerComparison, IgnoresWhatItIsTold) {
  GenerateConfig config;
  const auto score = [&](const std::string& answer, const std::vector<std::string>& golds) {
    return AnswerComparison(config, "t").score(answer, golds);
  };
  EXPECT_EQ(score("Paris", {"London", "Paris"}), 1);
  EXPECT_EQ(score("paris", {"Paris"}), 0);
  config.ignore_case = true;
  EXPECT_EQ(score("PARIS", {"Paris"}), 1);
  EXPECT_EQ(score("Paris!", {"Paris"}), 0);
  config.ignore_punctuation = true;
  EXPECT_EQ(score("Paris!", {"P.aris"}), 1);
  config.ignore = {",", "\\$", "(?s).*#### ", "\\.$"};
  EXPECT_EQ(score("$1,200.", {"so it is\n#### 1200"}), 1);
  EXPECT_EQ(score("x Paris y", {"Paris"}), 0);
  config.metric = TextMetric::contains;
  EXPECT_EQ(score("x Paris y", {"Paris"}), 1);
  EXPECT_EQ(score("Paris", {"x Paris y"}), 0);
  EXPECT_EQ(score("x", {}), 0);
  EXPECT_EQ(score("x", {"a", "X"}), 1);
}

// Expressions see the text as it was written.
TEST(AnswerComparison, RemovesExpressionsFirst) {
  GenerateConfig config;
  config.ignore = {"B", "!c"};
  config.ignore_case = config.ignore_punctuation = true;
  const AnswerComparison comparison(config, "t");
  EXPECT_EQ(comparison.score("aB!c", {"A"}), 1);
  EXPECT_EQ(comparison.score("ab", {"A"}), 0);
  EXPECT_EQ(comparison.score("aÉ", {"Aé."}), 1);
  config.ignore = {"("};
  EXPECT_THAT(input_error_of([&] { AnswerComparison(config, "t"); }),
              HasSubstr("t: ignore: '(' is no regular expression"));
}

}  // namespace
}  // namespace fathom::eval
