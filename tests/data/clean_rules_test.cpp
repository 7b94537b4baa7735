#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <set>

#include "data/clean/filters.h"
#include "data/clean/rules.h"
#include "io/temp_dir.h"

namespace fathom::clean {
namespace {

using test::input_error_of;

double measured(std::string_view rule, std::string_view text) {
  const Rule* found = find_rule(rule);
  EXPECT_NE(found, nullptr) << rule;
  return found ? found->measure(TextFacts(text)) : -1;
}

TEST(TextFacts, CutsTokens) {
  const auto tokens = [](std::string_view text) {
    std::string joined;
    for (const Token& token : TextFacts(text).tokens) joined += std::string(token.text) + "|";
    return joined;
  };
  EXPECT_EQ(tokens("It's 3.14, isn't it?"), "It|'s|3.14|,|isn|'t|it|?|");
  EXPECT_EQ(tokens("well-known... (a) 1,000"), "well|-|known|...|(|a|)|1,000|");
  EXPECT_EQ(tokens("中文 and 英文。"), "中|文|and|英|文|。|");
  EXPECT_EQ(tokens("'quoted' 1. x"), "'|quoted|'|1|.|x|");
  EXPECT_EQ(tokens("/usr/lib mod_cache -v foo.en.html"), "/usr|/|lib|mod_cache|-v|foo.en.html|");
  EXPECT_EQ(tokens("the U.S. (J. R.) e.g. end.Next 10-20 a..b x. 32-bit a--b 5% n% c++ --"),
            "the|U.S.|(|J.|R.|)|e.g.|end|.|Next|10|-|20|a|..|b|x.|32|-|bit|a|--|b|5|%|n%|c++|--|");
  EXPECT_EQ(tokens("see https://a.b/c?d=e, key=value x>5"),
            "see|https://a.b/c?d=e|,|key|=|value|x>5|");
  EXPECT_EQ(tokens("中ab文cd."), "中|ab|文|cd|.|");
  EXPECT_EQ(tokens("  \n"), "");
}

// Time is linear in the text, also of one that is all dashes.
TEST(TextFacts, CutsRunsOfMarksInLinearTime) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(TextFacts("a" + std::string(1 << 20, '-') + "b").tokens.size(), 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(TextFacts, Counts) {
  const TextFacts facts("one 22\n\n中文, x\n");
  EXPECT_EQ(facts.characters, 14u);
  EXPECT_EQ(facts.words, 5u);
  EXPECT_EQ(facts.word_characters, 8u);
  EXPECT_EQ(facts.digits, 2u);
  EXPECT_EQ(facts.ideographs, 2u);
  EXPECT_EQ(facts.newlines, 3u);
  EXPECT_EQ(facts.lines.size(), 3u);
  EXPECT_EQ(facts.paragraphs.size(), 2u);
  EXPECT_EQ(facts.lines[2].characters, 5u);
  EXPECT_EQ(TextFacts("don't").characters, 5u);
  EXPECT_EQ(TextFacts("a...").characters, 4u);
}

// Each rule by a text small enough to count by hand.
TEST(Rules, MeasureByHand) {
  const auto is = [](std::string_view rule, std::string_view text, double expected) {
    EXPECT_NEAR(measured(rule, text), expected, 1e-12) << rule << ": " << text;
  };
  is("words", "one, two three.", 3);
  is("characters", "a 中\n", 4);
  is("mean_word_length", "a bbb, 中", 5.0 / 3);
  is("hashes", "# a ## b", 3.0 / 5);
  is("ellipses", "a... b… c", 2.0 / 5);
  is("bullet_lines", "- a\n • b\nc\n\n", 2.0 / 4);
  is("ellipsis_lines", "a...\nb… \nc\nd.", 2.0 / 4);
  is("alphabetic_tokens", "a1 22 , 中", 2.0 / 4);
  is("english_stop_words", "the cat and the dog The", 2);
  is("chinese_stop_words", "我的书是你的", 3);
  is("punctuated_lines", "a.\nb。\n\nc\nd!", 3.0 / 4);
  is("short_lines", "short\n" + std::string(30, 'x') + "\n" + std::string(31, 'y'), 2.0 / 3);
  is("newlines_per_token", "a b\nc\n\nd", 3.0 / 4);
  is("newlines_per_character", "ab\n中", 1.0 / 4);
  is("curly_brackets", "{a} {", 2);
  is("lorem_ipsum", "x Lorem  IPSUM dolor", 1);
  is("sentences", "One. Two?! ... 三。 four", 3);
  is("ideographs", "中文ab", 0.5);
  is("digits", "1a２b", 0.5);
  is("bracketed_titles", "【ab】cd【", 4.0 / 7);
  is("character_entropy", "abab", 0.6931471805599453);
  is("repeated_lines", "a\nb\n\n\na\na", 2.0 / 4);
  is("repeated_line_characters", "aa\nb\naa", 2.0 / 7);
  is("repeated_paragraphs", "a\nb\n\nc\n\n\na\nb", 1.0 / 3);
  is("repeated_paragraph_characters", "a\nb\n\nc\n\n\na\nb", 3.0 / 12);
  is("top_2_gram", "a b c a b", 2 * 3.0 / 9);
  is("top_3_gram", "a b c d", 5.0 / 7);  // the first of equally frequent ones
  is("top_2_gram", "xx a b a b", 2 * 3.0 / 10);
  is("top_2_gram", "a", 0);
  // "a b c d e" is there again, then "f" follows: one sequence, passed over as a whole.
  is("repeated_5_grams", "a b c d e a b c d e f", 5.0 / 21);
  is("repeated_5_grams", "a b c d e f a b c d e f", 5.0 / 23);
  is("repeated_5_grams", "a b c d e f g", 0);
}

TEST(Rules, HaveNamesOfTheirOwnAndDefinitions) {
  std::set<std::string_view> names;
  for (const auto list : {quality_rules(), repetition_rules()}) {
    for (const Rule& rule : list) {
      EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
      EXPECT_TRUE(rule.definition.ends_with('.')) << rule.name;
      EXPECT_GE(rule.measure(TextFacts("")), 0) << rule.name << " of nothing";
    }
  }
}

TEST(TextFacts, EndingsWithAnApostropheAreTokens) {
  const auto tokens = [](std::string_view text) {
    std::string joined;
    for (const Token& token : TextFacts(text).tokens) joined += std::string(token.text) + "|";
    return joined;
  };
  EXPECT_EQ(tokens("we'll they're I've she'd"), "we|'ll|they|'re|I|'ve|she|'d|");
  EXPECT_EQ(tokens("we’ll John’s."), "we|’ll|John|’s|.|");
  EXPECT_EQ(tokens("o'clock rock'n'roll x'abc"), "o'clock|rock'n'roll|x'abc|");
}

TEST(TextFacts, BlanksAtBothEndsAreTrimmed) {
  EXPECT_EQ(trimmed(" \t\n\u3000a b\u00a0\u2003\r\n"), "a b");
  EXPECT_EQ(trimmed("é中"), "é中");
  EXPECT_EQ(trimmed("\u3000 \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

// Each word and mark of the lists by itself.
TEST(Rules, KnowEachWordAndMarkOfTheirLists) {
  std::string all;
  for (const char* word : {"the", "be", "to", "of", "and", "that", "have", "with"}) {
    EXPECT_EQ(measured("english_stop_words", word), 1) << word;
    EXPECT_EQ(measured("english_stop_words", std::string(word) + "x"), 0) << word;
    all += std::string(word) + " " + word + " ";
  }
  EXPECT_EQ(measured("english_stop_words", all), 8);
  all.clear();
  for (const char* word : {"的", "是", "在", "了", "和", "有", "不", "这", "我", "他", "个", "中",
                           "为", "上", "就", "也"}) {
    EXPECT_EQ(measured("chinese_stop_words", word), 1) << word;
    all += word;
  }
  EXPECT_EQ(measured("chinese_stop_words", all + all), 16);
  EXPECT_EQ(measured("chinese_stop_words", "文人"), 0);
  for (const std::string end :
       {".", "?", "!", "。", "？", "！", "…", "．", "؟", "।", "‼", "⁇", "⁈", "⁉"}) {
    EXPECT_EQ(measured("punctuated_lines", "a" + end), 1) << end;
  }
  for (const std::string end : {",", ";", ":", "，", ")", "\"", " "}) {
    EXPECT_EQ(measured("punctuated_lines", "a" + end), 0) << end;
  }
  for (const std::string end : {".", "?", "!", "。", "？", "！", "...", "…"}) {
    EXPECT_EQ(measured("sentences", "One words" + end + " and two"), 1) << end;
  }
  for (const std::string end : {",", ";", ":", "-"}) {
    EXPECT_EQ(measured("sentences", "One words" + end + " and two"), 0) << end;
  }
  for (const std::string bullet : {"•", "-", " \t•"}) {
    EXPECT_EQ(measured("bullet_lines", bullet + " a"), 1) << bullet;
  }
  EXPECT_EQ(measured("bullet_lines", "* a\n+ b\n1. c"), 0);
}

// Longer sequences than those that are counted by hand above.
TEST(Rules, CountSequencesOfEachLength) {
  for (const int n : {2, 3, 4, 5, 6}) {
    std::string text;
    for (int i = 0; i < n; ++i) text += std::string(1, static_cast<char>('a' + i)) + " ";
    const std::string rule = fmt::format("top_{}_gram", n);
    // Twice n letters with blanks between them, of which nothing else is there twice.
    EXPECT_NEAR(measured(rule, text + text + "z"), 2.0 * (2 * n - 1) / (4 * n + 1), 1e-12) << rule;
  }
  for (const int n : {5, 6, 7, 8, 9, 10, 11, 13, 14, 16}) {
    std::string text;
    for (int i = 0; i < n; ++i) text += std::string(1, static_cast<char>('a' + i)) + " ";
    const std::string rule = fmt::format("repeated_{}_grams", n);
    EXPECT_NEAR(measured(rule, text + text + "z"), 1.0 * n / (4 * n + 1), 1e-12) << rule;
    EXPECT_EQ(measured(rule, text + "y " + text.substr(2)), 0) << rule;
  }
}

// What a published set asks of one rule; `none` where it has no bound.
struct Published {
  FilterSet set;
  std::string_view rule;
  double min, max;
};
constexpr double none = std::numeric_limits<double>::infinity();
constexpr Published published[] = {
    // Rae et al., arXiv 2112.11446, A.1.1.
    {FilterSet::gopher_quality, "words", 50, 100000},
    {FilterSet::gopher_quality, "mean_word_length", 3, 10},
    {FilterSet::gopher_quality, "hashes", -none, 0.1},
    {FilterSet::gopher_quality, "ellipses", -none, 0.1},
    {FilterSet::gopher_quality, "bullet_lines", -none, 0.9},
    {FilterSet::gopher_quality, "ellipsis_lines", -none, 0.3},
    {FilterSet::gopher_quality, "alphabetic_tokens", 0.8, none},
    {FilterSet::gopher_quality, "english_stop_words", 2, none},
    // The same, table A1.
    {FilterSet::gopher_repetition, "repeated_paragraphs", -none, 0.3},
    {FilterSet::gopher_repetition, "repeated_paragraph_characters", -none, 0.2},
    {FilterSet::gopher_repetition, "repeated_lines", -none, 0.3},
    {FilterSet::gopher_repetition, "repeated_line_characters", -none, 0.2},
    {FilterSet::gopher_repetition, "top_2_gram", -none, 0.2},
    {FilterSet::gopher_repetition, "top_3_gram", -none, 0.18},
    {FilterSet::gopher_repetition, "top_4_gram", -none, 0.16},
    {FilterSet::gopher_repetition, "repeated_5_grams", -none, 0.15},
    {FilterSet::gopher_repetition, "repeated_6_grams", -none, 0.14},
    {FilterSet::gopher_repetition, "repeated_7_grams", -none, 0.13},
    {FilterSet::gopher_repetition, "repeated_8_grams", -none, 0.12},
    {FilterSet::gopher_repetition, "repeated_9_grams", -none, 0.11},
    {FilterSet::gopher_repetition, "repeated_10_grams", -none, 0.1},
    // Penedo et al., arXiv 2406.17557, section 3.6.
    {FilterSet::fineweb, "punctuated_lines", 0.12, none},
    {FilterSet::fineweb, "short_lines", -none, 0.67},
    {FilterSet::fineweb, "repeated_line_characters", -none, 0.1},
    {FilterSet::fineweb, "newlines_per_token", -none, 0.3},
    // Raffel et al., arXiv 1910.10683, section 2.2.
    {FilterSet::c4, "lorem_ipsum", -none, 0},
    {FilterSet::c4, "curly_brackets", -none, 0},
    {FilterSet::c4, "sentences", 3, none},
    // FineWeb-2 (arXiv 2506.20920) for cmn_Hani, and MAP-Neo (arXiv 2405.19327).
    {FilterSet::chinese_quality, "characters", 50, 200000},
    {FilterSet::chinese_quality, "ideographs", 0.3, none},
    {FilterSet::chinese_quality, "digits", -none, 0.3},
    {FilterSet::chinese_quality, "hashes", -none, 0.1},
    {FilterSet::chinese_quality, "ellipses", -none, 0.1},
    {FilterSet::chinese_quality, "bullet_lines", -none, 0.9},
    {FilterSet::chinese_quality, "ellipsis_lines", -none, 0.3},
    {FilterSet::chinese_quality, "bracketed_titles", -none, 0.1},
    {FilterSet::chinese_quality, "character_entropy", 3, none},
    {FilterSet::chinese_quality, "chinese_stop_words", 2, none},
    {FilterSet::chinese_quality, "punctuated_lines", 0.106, none},
    {FilterSet::chinese_quality, "newlines_per_character", -none, 0.11},
    {FilterSet::chinese_repetition, "repeated_lines", -none, 0.287},
    {FilterSet::chinese_repetition, "repeated_line_characters", -none, 0.1},
    {FilterSet::chinese_repetition, "top_3_gram", -none, 0.256},
    {FilterSet::chinese_repetition, "top_5_gram", -none, 0.201},
    {FilterSet::chinese_repetition, "top_6_gram", -none, 0.171},
    {FilterSet::chinese_repetition, "repeated_8_grams", -none, 0.198},
    {FilterSet::chinese_repetition, "repeated_10_grams", -none, 0.182},
    {FilterSet::chinese_repetition, "repeated_11_grams", -none, 0.167},
    {FilterSet::chinese_repetition, "repeated_13_grams", -none, 0.154},
    {FilterSet::chinese_repetition, "repeated_14_grams", -none, 0.14},
    {FilterSet::chinese_repetition, "repeated_16_grams", -none, 0.127},
};

double given_measure = 0;  // what the rule of keeps() measures

bool keeps(Filter filter, double measure) {
  static const Rule rule{"given", "", [](const TextFacts&) { return given_measure; }};
  given_measure = measure;
  filter.rule = &rule;
  filter.languages.clear();
  return judge(TextFacts(""), "en", std::span(&filter, 1)).filter == nullptr;
}

// Every rule of the sets lets a document pass at its bound and drops it right behind.
TEST(Filters, HaveThePublishedBounds) {
  std::vector<Filter> filters;
  for (const FilterSet set :
       {FilterSet::gopher_quality, FilterSet::gopher_repetition, FilterSet::fineweb, FilterSet::c4,
        FilterSet::chinese_quality, FilterSet::chinese_repetition}) {
    FilterConfig config;
    config.set = set;
    for (const Filter& filter : filters_of({config})) filters.push_back(filter);
  }
  ASSERT_EQ(filters.size(), std::size(published));
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const auto& [set, rule, min, max] = published[i];
    EXPECT_EQ(filters[i].rule->name, rule);
    EXPECT_TRUE(keeps(filters[i], min == -none ? -1e300 : min)) << rule;
    EXPECT_TRUE(keeps(filters[i], max == none ? 1e300 : max)) << rule;
    EXPECT_EQ(keeps(filters[i], std::nextafter(min, -none)), min == -none) << rule;
    EXPECT_EQ(keeps(filters[i], std::nextafter(max, none)), max == none) << rule;
  }
}

// Rules that a config without tables applies to a language, in their order.
std::vector<std::string> default_rules(std::string_view language) {
  std::vector<std::string> names;
  for (const Filter& filter : filters_of({})) {
    if (filter.applies_to(language)) names.emplace_back(filter.rule->name);
  }
  return names;
}

TEST(Filters, TheDefaultsAreThoseOfTheLanguage) {
  const auto rules = [](std::initializer_list<FilterSet> sets) {
    std::vector<std::string> names;
    for (const auto& [set, rule, min, max] : published) {
      if (std::ranges::find(sets, set) != sets.end()) names.emplace_back(rule);
    }
    return names;
  };
  const auto english =
      rules({FilterSet::gopher_quality, FilterSet::gopher_repetition, FilterSet::fineweb});
  EXPECT_EQ(default_rules("en"), english);
  auto others = english;  // whose stop words are not English ones
  ASSERT_EQ(std::erase(others, "english_stop_words"), 1u);
  for (const char* language : {"de", "ko", "ru", "unknown"}) {
    EXPECT_EQ(default_rules(language), others) << language;
  }
  const auto chinese = rules({FilterSet::chinese_quality, FilterSet::chinese_repetition});
  EXPECT_EQ(default_rules("zh"), chinese);
  EXPECT_EQ(default_rules("zh-Hant"), chinese);
  EXPECT_TRUE(default_rules("ja").empty()) << "no blanks between words, and no rules of its own";
}

// A filter lets a document pass at its bounds and drops it behind.
TEST(Filters, KeepWhatLiesBetweenTheBounds) {
  FilterConfig config;
  config.rule = "words";
  config.min = 3, config.max = 5;
  const std::vector<Filter> filters = filters_of({config});
  const auto kept = [&](std::string_view text) {
    return judge(TextFacts(text), "en", filters).filter == nullptr;
  };
  EXPECT_FALSE(kept("a b"));
  EXPECT_TRUE(kept("a b c"));
  EXPECT_TRUE(kept("a b c d e"));
  EXPECT_FALSE(kept("a b c d e f"));
  const Verdict verdict = judge(TextFacts("a b"), "en", filters);
  EXPECT_EQ(verdict.filter->rule->name, "words");
  EXPECT_EQ(verdict.measure, 2);
}

TEST(Filters, AreForLanguages) {
  FilterConfig config;
  config.rule = "words";
  config.min = 3;
  config.languages = {"zh"};
  auto filters = filters_of({config});
  EXPECT_TRUE(filters[0].applies_to("zh"));
  EXPECT_TRUE(filters[0].applies_to("zh-Hant"));
  EXPECT_FALSE(filters[0].applies_to("en"));
  config.languages = {"!zh", "!ja"};
  filters = filters_of({config});
  EXPECT_FALSE(filters[0].applies_to("zh-Hant"));
  EXPECT_TRUE(filters[0].applies_to("en"));
  EXPECT_FALSE(is_language("zhx", "zh"));
}

TEST(Filters, NameWhatIsWrong) {
  FilterConfig config;
  EXPECT_EQ(input_error_of([&] { filters_of({config}); }),
            "filters: a table has neither set and rule; give one of them");
  config.rule = "mean_word_lenght";
  EXPECT_EQ(input_error_of([&] { filters_of({config}); }),
            "filters: rule 'mean_word_lenght' has neither min nor max");
  config.max = 1;
  EXPECT_EQ(input_error_of([&] { filters_of({config}); }),
            "filters: there is no rule 'mean_word_lenght': did you mean 'mean_word_length'?; "
            "`fathom data clean --rules` lists them");
  config = {};
  config.set = FilterSet::c4;
  config.min = 1;
  EXPECT_EQ(input_error_of([&] { filters_of({config}); }),
            "filters: min and max belong to a rule, not a set");
  config.min.reset();
  config.rule = "words";
  EXPECT_EQ(input_error_of([&] { filters_of({config}); }),
            "filters: a table has both set and rule; give one of them");
  config.set = FilterSet::none;
  config.rule = "qqqqqqqq";
  config.min = 0;
  EXPECT_EQ(input_error_of([&] { filters_of({config}); }),
            "filters: there is no rule 'qqqqqqqq'; `fathom data clean --rules` lists them");
}

}  // namespace
}  // namespace fathom::clean
