// IFEval: each kind of instruction, followed and not.
#include "eval/instructions.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "eval/english_text.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

Item item_of(const std::string& id, const Json& kwargs) {
  Item item;
  item.where = "data:1";
  item.fields = std::make_shared<Json>(Json{{"prompt", "p"}, {"instruction_id_list", Json::array({id})}, {"kwargs", Json::array({kwargs})}});
  return item;
}
bool follows(const std::string& id, const std::string& kwargs, const std::string& answer) {
  return follow_instructions(item_of(id, Json::parse(kwargs)), answer).strict.at(0);
}

struct Case {
  const char *id, *kwargs, *good, *bad;
};

TEST(Instructions, AreFollowedOrNot) {
  for (const Case& c : std::initializer_list<Case>{
           {"keywords:existence", R"({"keywords": ["one", "Two"]})", "ONE and two", "one only"},
           {"keywords:frequency", R"({"keyword": "go", "frequency": 2, "relation": "at least"})", "Go, go!", "go"},
           {"keywords:frequency", R"({"keyword": "go", "frequency": 2, "relation": "less than"})", "go", "go go"},
           {"keywords:forbidden_words", R"({"forbidden_words": ["cat"]})", "a category", "a CAT."},
           {"keywords:letter_frequency", R"({"letter": "A", "let_frequency": 3, "let_relation": "at least"})", "aAa", "aa"},
           {"language:response_language", R"({"language": "de"})", "Das ist ein ganz gewöhnlicher deutscher Satz über das Wetter.",
            "This is quite an ordinary English sentence about the weather."},
           {"length_constraints:number_sentences", R"({"num_sentences": 3, "relation": "at least"})", "One went. Go on! Why me?", "One went. Two, e.g. these"},
           {"length_constraints:number_paragraphs", R"({"num_paragraphs": 2})", "a\n***\nb", "a\n***\n\n***\nb"},
           {"length_constraints:number_words", R"({"num_words": 3, "relation": "less than"})", "it's", "one two three"},
           {"length_constraints:nth_paragraph_first_word", R"({"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"})",
            "a\n\n'then, b", "a\n\nb then"},
           {"detectable_content:number_placeholders", R"({"num_placeholders": 2})", "[a] [b]", "[a [b"},
           {"detectable_content:postscript", R"({"postscript_marker": "P.S."})", "a\nP. S. b", "a\nPS b"},
           {"detectable_content:postscript", R"({"postscript_marker": "P.P.S"})", "a p.p.s b", "a P.S. b"},
           {"detectable_format:number_bullet_lists", R"({"num_bullets": 2})", "* a\n- b", "* a\n** b"},
           {"detectable_format:constrained_response", "{}", "So: My answer is yes.", "My answer is yes"},
           {"detectable_format:number_highlighted_sections", R"({"num_highlights": 2})", "*a* **b**", "*a* * *"},
           {"detectable_format:multiple_sections", R"({"section_spliter": "Section", "num_sections": 2})", "Section 1\na\nSection 2", "Section one"},
           {"detectable_format:json_format", "{}", "```json\n{\"a\": 1}\n```", "{a: 1}"},
           {"detectable_format:title", "{}", "<<a>> b", "<< >> b"},
           {"combination:two_responses", "{}", "a\n******\nb", "a\n******\na"},
           {"combination:repeat_prompt", R"({"prompt_to_repeat": "Say a."})", "say A. b", "b say a."},
           {"startend:end_checker", R"({"end_phrase": "The end."})", "a \"the END.\"", "the end. b"},
           {"startend:quotation", "{}", "\"a\"", "\"a"},
           {"change_case:capital_word_frequency", R"({"capital_frequency": 2, "capital_relation": "at least"})", "I AM here", "I am here"},
           {"change_case:english_capital", "{}", "THIS IS AN ENGLISH SENTENCE ABOUT THE WEATHER.", "This is."},
           {"change_case:english_lowercase", "{}", "this is an english sentence about the weather.", "This is."},
           {"punctuation:no_comma", "{}", "a b", "a, b"}}) {
    EXPECT_TRUE(follows(c.id, c.kwargs, c.good)) << c.id << ": " << c.good;
    EXPECT_FALSE(follows(c.id, c.kwargs, c.bad)) << c.id << ": " << c.bad;
    EXPECT_FALSE(follows(c.id, c.kwargs, " \n")) << c.id;
  }
}

// Of texts with one, two and three of what is counted, those from two on or below two.
TEST(Instructions, CountUpToTheirThreshold) {
  struct Row {
    const char *id, *names, *texts[3];
  };
  for (const Row& row : std::initializer_list<Row>{
           {"keywords:frequency", R"("keyword": " go ", "relation": "{}", "frequency": 2)", {"Go", "go gone", "go GO ago"}},
           {"keywords:letter_frequency", R"("letter": "A", "let_relation": "{}", "let_frequency": 2)", {"Ab", "aba", "baAa"}},
           {"length_constraints:number_sentences", R"("relation": "{}", "num_sentences": 2)", {"So. ", "So. No!", "So. No! Why?"}},
           {"length_constraints:number_words", R"("relation": "{}", "num_words": 2)", {"so", "so-so", "so it is"}},
           {"change_case:capital_word_frequency", R"("capital_relation": "{}", "capital_frequency": 2)",
            {"I am", "I AM", "I AM IT"}}}) {
    for (const bool least : {false, true}) {
      std::string names = row.names;
      names.replace(names.find("{}"), 2, least ? "at least" : "less than");
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(follows(row.id, "{" + names + "}", row.texts[i]), least ? i >= 1 : i < 1) << names << ": " << row.texts[i];
      }
    }
  }
}

// As many as are wanted; where more do too, and where they do not.
TEST(Instructions, CountWhatTheyWant) {
  struct Row {
    const char *id, *kwargs;
    bool more;
    const char* texts[3];
  };
  for (const Row& row : std::initializer_list<Row>{
           {"length_constraints:number_paragraphs", R"({"num_paragraphs": 2})", false, {"a", "a *** b", "a *** b *** c"}},
           {"detectable_content:number_placeholders", R"({"num_placeholders": 2})", true, {"[a] b", "[a][b]", "[a] [b] [c]"}},
           {"detectable_format:number_bullet_lists", R"({"num_bullets": 2})", false, {"* a\nb", "* a\n  - b", "- a\n- b\n* c"}},
           {"detectable_format:number_highlighted_sections", R"({"num_highlights": 2})", true, {"*a* b", "*a* *b*", "*a* *b* *c*"}},
           {"detectable_format:multiple_sections", R"({"section_spliter": "Part", "num_sections": 2})", true,
            {"Part 1 a", "Part 1 a Part 2 b", "Part 1 Part 2 Part 3"}},
           {"combination:two_responses", "{}", false, {"a", "a ****** b", "a ****** b ****** c"}}}) {
    EXPECT_FALSE(follows(row.id, row.kwargs, row.texts[0])) << row.id;
    EXPECT_TRUE(follows(row.id, row.kwargs, row.texts[1])) << row.id;
    EXPECT_EQ(follows(row.id, row.kwargs, row.texts[2]), row.more) << row.id;
  }
}

TEST(Instructions, HaveOtherFormsThatFollowThem) {
  for (const char* answer : {"My answer is yes.", "My answer is no.", "My answer is maybe."}) {
    EXPECT_TRUE(follows("detectable_format:constrained_response", "{}", answer)) << answer;
  }
  for (const char* answer : {"```json\n1\n```", "```Json\n1```", "```JSON\n1\n```", "```\n1\n```", " 1 "}) {
    EXPECT_TRUE(follows("detectable_format:json_format", "{}", answer)) << answer;
  }
  const std::string first = "length_constraints:nth_paragraph_first_word";
  const auto begins = [&](int paragraphs, int nth, const std::string& answer) {
    return follows(first, fmt::format(R"({{"num_paragraphs": {}, "nth_paragraph": {}, "first_word": "so"}})", paragraphs, nth), answer);
  };
  EXPECT_TRUE(begins(2, 1, "So, a\n\nb"));
  EXPECT_TRUE(begins(2, 2, "a\n\n\"so\" b"));
  EXPECT_FALSE(begins(2, 0, "so a\n\nso b"));
  EXPECT_FALSE(begins(2, 3, "so a\n\nso b"));
  EXPECT_FALSE(begins(3, 1, "so a\n\nso b"));
  EXPECT_FALSE(begins(1, 1, "so a\n\nso b"));
  EXPECT_FALSE(begins(2, 1, "sore a\n\nso b"));
}

// Each of the eight forms of an answer that loose checks look at.
TEST(Instructions, AreLooseWithStarsToo) {
  const auto loose = [](const std::string& answer) {
    return bool(
        follow_instructions(item_of("startend:quotation", Json::object()), answer).loose.at(0));
  };
  for (const char* answer : {"\"a\"", "*\"a\"", "x\n\"a\"", "x\n*\"a\"", "\"a\"\nx", "\"a\"*\nx",
                             "x\n\"a\"\ny", "x\n\"a\"**\ny", "x\n  \"a\"\n\n y"}) {
    EXPECT_TRUE(loose(answer)) << answer;
  }
  for (const char* answer : {"a", "x\na\ny", "x \"a\"", "\"a", "\"", "\"\na"})
    EXPECT_FALSE(loose(answer)) << answer;
}

TEST(Instructions, CheckEachOfARow) {
  Item item = item_of("x", Json::object());
  item.fields = std::make_shared<Json>(
      Json{{"instruction_id_list",
            {"punctuation:no_comma", "startend:quotation", "detectable_format:title"}},
           {"kwargs", {Json::object(), Json::object(), Json::object()}}});
  const InstructionScores scores = follow_instructions(item, "<<a>>,\n\"b\"");
  EXPECT_EQ(scores.strict, (std::vector<bool>{false, false, true}));
  EXPECT_EQ(scores.loose, (std::vector<bool>{true, true, true}));
}

TEST(Instructions, HaveTheirBounds) {
  struct Row {
    const char *id, *kwargs, *answer;
    bool followed;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"keywords:existence", R"({"keywords": []})", "a", true},
           {"keywords:existence", R"({"keywords": ["an?t"]})", "at", true},
           {"keywords:forbidden_words", R"({"forbidden_words": ["at", "cat"]})", "catapult bat",
            true},
           {"keywords:letter_frequency",
            R"({"letter": "ab", "let_frequency": 2, "let_relation": "at least"})", "ABab", true},
           {"keywords:letter_frequency",
            R"({"letter": " ", "let_frequency": 1, "let_relation": "less than"})", "a b", true},
           {"keywords:letter_frequency",
            R"({"letter": "aa", "let_frequency": 2, "let_relation": "at least"})", "aaa", false},
           {"language:response_language", R"({"language": "zh"})",
            "早上的港口很安靜，船隻都在等待潮水上漲。", true},
           {"language:response_language", R"({"language": "z"})",
            "早上的港口很安靜，船隻都在等待潮水上漲。", false},
           {"language:response_language", R"({"language": "de"})", "1 + 1", true},
           {"length_constraints:number_paragraphs", R"({"num_paragraphs": 2})", "***a***b***",
            true},
           {"length_constraints:number_paragraphs", R"({"num_paragraphs": 2})", "a***  ***b",
            false},
           {"length_constraints:number_paragraphs", R"({"num_paragraphs": 1})", "***\n***\na",
            false},
           {"length_constraints:nth_paragraph_first_word",
            R"({"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "SO"})", "'\"So?\"", true},
           {"length_constraints:nth_paragraph_first_word",
            R"({"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "so"})", "so!", true},
           {"length_constraints:nth_paragraph_first_word",
            R"({"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "so"})", "\n\nso", false},
           {"length_constraints:nth_paragraph_first_word",
            R"({"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "it"})", "it's", true},
           {"detectable_content:postscript", R"({"postscript_marker": "P.P.S"})", "p.p. s", true},
           {"detectable_content:postscript", R"({"postscript_marker": "P.S."})", "p.s", false},
           {"detectable_content:postscript", R"({"postscript_marker": " Note "})", "a\n note: b",
            true},
           {"detectable_content:postscript", R"({"postscript_marker": "Note"})", "no", false},
           {"detectable_format:number_bullet_lists", R"({"num_bullets": 2})", "a * b\n* c\n-",
            true},
           {"detectable_format:number_bullet_lists", R"({"num_bullets": 2})",
            "\t* a\n - b\n** c\n* * d", false},
           {"detectable_format:title", "{}", "<< <a> >>", true},
           {"detectable_format:title", "{}", "<<a\nb>>", false},
           {"detectable_format:title", "{}", "<<<<>>>>", false},
           {"detectable_format:title", "{}", "<a>", false},
           {"detectable_format:number_highlighted_sections", R"({"num_highlights": 1})", "**",
            false},
           {"detectable_format:number_highlighted_sections", R"({"num_highlights": 1})", "**a**",
            true},
           {"detectable_format:number_highlighted_sections", R"({"num_highlights": 1})", "*a\nb*",
            false},
           {"detectable_format:multiple_sections",
            R"({"section_spliter": " Part ", "num_sections": 1})", "Part12", true},
           {"detectable_format:multiple_sections",
            R"({"section_spliter": "Part", "num_sections": 1})", "part 1", false},
           {"combination:two_responses", "{}", "******a******b******", true},
           {"combination:two_responses", "{}", "a****** a ", false},
           {"startend:end_checker", R"({"end_phrase": " END "})", "the end\"\n", true},
           {"startend:end_checker", R"({"end_phrase": "end"})", "the end.", false},
           {"startend:end_checker", R"({"end_phrase": "end"})", "\"\"", false},
           {"startend:end_checker", R"({"end_phrase": " "})", "\"\"", true},
           {"startend:quotation", "{}", "\"", false},
           {"startend:quotation", "{}", " \"\" ", true},
           {"change_case:english_capital", "{}",
            "DAS IST EIN GANZ GEWÖHNLICHER DEUTSCHER SATZ ÜBER DAS WETTER.", false},
           {"change_case:english_lowercase", "{}",
            "das ist ein ganz gewöhnlicher deutscher satz über das wetter.", false},
           {"change_case:english_capital", "{}", "1 + 1", false},
           {"combination:repeat_prompt", R"({"prompt_to_repeat": " Say é "})", " sAY É.", true}}) {
    EXPECT_EQ(follows(row.id, row.kwargs, row.answer), row.followed)
        << row.id << ": " << row.answer;
  }
}

TEST(Instructions, AreLooseWithFirstAndLastLines) {
  const auto loose = [](const char* id, const std::string& answer) -> bool {
    return follow_instructions(item_of(id, Json::object()), answer).loose.at(0);
  };
  EXPECT_TRUE(loose("startend:quotation", "Sure:\n\"a\""));
  EXPECT_TRUE(loose("startend:quotation", "\"a\"\nbye"));
  EXPECT_TRUE(loose("startend:quotation", "Sure:\n*\"a\"*\nbye"));
  EXPECT_FALSE(loose("startend:quotation", "Sure:\nSure:\n\"a\""));
  EXPECT_FALSE(loose("punctuation:no_comma", "a,"));
}

TEST(Instructions, RefuseRowsThatLackSomething) {
  const auto error = [](const std::string& id, const char* kwargs) {
    return input_error_of([&] { follows(id, kwargs, "a"); });
  };
  EXPECT_EQ(error("keywords:none", "{}"), "data:1: there is no instruction 'keywords:none'");
  EXPECT_EQ(error("keywords:frequency", R"({"keyword": "a"})"), "data:1: keywords:frequency: its argument relation is missing");
  EXPECT_THAT(error("keywords:frequency", R"({"keyword": "a", "relation": "most", "frequency": 1})"), HasSubstr("its relation is 'most'"));
  EXPECT_THAT(error("keywords:existence", R"({"keywords": "a"})"), HasSubstr("is no list of texts"));
  EXPECT_EQ(error("keywords:frequency", R"({"keyword": null})"),
            "data:1: keywords:frequency: its argument keyword is missing");
  EXPECT_EQ(error("keywords:frequency", R"({"keyword": 1})"),
            "data:1: keywords:frequency: its argument keyword is no text");
  EXPECT_EQ(
      error("length_constraints:number_paragraphs", R"({"num_paragraphs": "1"})"),
      "data:1: length_constraints:number_paragraphs: its argument num_paragraphs is no number");
  EXPECT_EQ(error("length_constraints:number_paragraphs", R"({"num_paragraphs": 1.0})"),
            "no error");
  EXPECT_EQ(error("keywords:existence", R"({"keywords": ["a", 1]})"),
            "data:1: keywords:existence: its argument keywords is no list of texts");
  EXPECT_THAT(error("keywords:existence", R"({"keywords": ["("]})"),
              HasSubstr("data:1: keywords:existence: '(?i)(' is no regular expression"));
  Item item = item_of("punctuation:no_comma", Json::object());
  for (const char* row : {R"({"instruction_id_list": [], "kwargs": [{}]})",
                          R"({"instruction_id_list": "a", "kwargs": "b"})", R"({"kwargs": []})"}) {
    item.fields = std::make_shared<Json>(Json::parse(row));
    EXPECT_EQ(input_error_of([&] { follow_instructions(item, "a"); }),
              "data:1: its instruction_id_list and kwargs are no lists of one length");
  }
  item.fields = std::make_shared<Json>(Json{{"instruction_id_list", Json::array()}});
  EXPECT_THAT(input_error_of([&] { follow_instructions(item, "a"); }), HasSubstr("data:1: its instruction_id_list and kwargs"));
}

TEST(EnglishText, HasSentences) {
  EXPECT_THAT(sentences_of("Mr. Smith met J. R. He said \"No!\" Then (it was 3.5 p.m.) he left... Why?  "),
              ElementsAre("Mr. Smith met J. R. He said \"No!\"", "Then (it was 3.5 p.m.) he left...", "Why?"));
  EXPECT_THAT(sentences_of(""), ElementsAre());
  EXPECT_THAT(sentences_of("i went home. then i slept. it was good! really? yes it was."),
              ElementsAre("i went home.", "then i slept.", "it was good!", "really?", "yes it was."));
  EXPECT_THAT(sentences_of("Is it No. 5? The answer is no. It is six."),
              ElementsAre("Is it No. 5?", "The answer is no.", "It is six."));
  EXPECT_THAT(sentences_of("He ate, slept, etc.   and then...  left. why not?! \"so!\" he said."),
              ElementsAre("He ate, slept, etc.   and then...  left.", "why not?!", "\"so!\"", "he said."));
}

TEST(EnglishText, SentencesEndBehindWhatClosesThem) {
  for (const char* text :
       {"One. Two.",          "One! Two",      "One? two",      "One?! Two",     "One.) Two",
        "(One.\") Two",       "One.’ Two",     "“One.” Two",    "One.* Two",     "One.] Two",
        "One.\nTwo",          "One.\u3000Two", "One… yes. Two", "One... Two",    "One..? two",
        "It was I. He left.", "No. Two",       "See no. Two",   "He said no. x", "A 3. Two"}) {
    EXPECT_EQ(sentences_of(text).size(), 2u) << text;
  }
  for (const char* text : {"One.Two.", "One", "One... two", "One.. two", "One,\nTwo", "One.( Two",
                           "3.5 x", "No. 5", "no. 5", "No.\n7 x", "Mr. Two", "MR. Two", "J. Two",
                           "Two...", "Dr.", "e.g. this", "(e.g. this"}) {
    EXPECT_EQ(sentences_of(text).size(), 1u) << text;
  }
  for (const char* text : {"", " ", "\n\u3000"}) EXPECT_EQ(sentences_of(text).size(), 0u) << text;
}

TEST(EnglishText, AbbreviationsEndNoSentence) {
  for (const char* word : {"Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Jr", "Sr", "Gen", "Col", "Capt", "Lt", "Sgt", "Rev",
                           "Hon", "Rep", "Sen", "Gov", "vs", "e.g", "i.e", "etc", "cf", "al", "Fig", "vol", "Inc", "Ltd",
                           "Co", "Corp", "dept", "est", "approx", "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep",
                           "Sept", "Oct", "Nov", "Dec", "U.S", "U.K", "P.S", "P.P.S", "a.m", "p.m", "Ph.D"}) {
    EXPECT_EQ(sentences_of("See " + std::string(word) + ". Smith of it.").size(), 1u) << word;
    EXPECT_EQ(sentences_of("See " + std::string(word) + "! Smith of it.").size(), 2u) << word;
  }
  for (const char* word : {"May", "us", "an", "cat", "I", "i", "no", "7"}) {
    EXPECT_EQ(sentences_of("See " + std::string(word) + ". Smith of it.").size(), 2u) << word;
  }
}

// An initial is a letter, but for "I".
TEST(EnglishText, InitialsEndNoSentence) {
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    const std::string text = std::string("It is ") + letter + ". You know.";
    EXPECT_EQ(sentences_of(text).size(), letter == 'I' ? 2u : 1u) << text;
  }
}

TEST(EnglishText, HasWords) {
  EXPECT_THAT(treebank_words("I don't like the U.S. flag, it's COVID-19."),
              ElementsAre("I", "do", "n't", "like", "the", "U.S.", "flag", ",", "it", "'s", "COVID-19", "."));
  EXPECT_THAT(
      treebank_words("She'll go... we've \"seen\" it--I'd say 'yes' (or NO)! Dogs' well-known"),
      ElementsAre("She", "'ll", "go", "...", "we", "'ve", "\"", "seen", "\"", "it", "--", "I", "'d",
                  "say", "'", "yes", "'", "(", "or", "NO", ")", "!", "Dogs", "'", "well-known"));
  EXPECT_THAT(treebank_words("NO--don't STOP...NOW. U.K. U.S...Why-- He left..."),
              ElementsAre("NO", "--", "do", "n't", "STOP", "...", "NOW", ".", "U.K.", "U.S", "...",
                          "Why", "--", "He", "left", "..."));
  EXPECT_THAT(treebank_words("CAN'T WON'T I'M. It is 3.5."),
              ElementsAre("CA", "N'T", "WO", "N'T", "I", "'M", ".", "It", "is", "3.5", "."));
  EXPECT_THAT(treebank_words(""), ElementsAre());
  for (const char* text : {"A", "É!", "ЯЯ", "A1中"}) {
    EXPECT_TRUE(all_upper(text)) << text;
    EXPECT_FALSE(all_lower(text)) << text;
  }
  for (const char* text : {"a", "é!", "яя", "a1中", "ß"}) {
    EXPECT_TRUE(all_lower(text)) << text;
    EXPECT_FALSE(all_upper(text)) << text;
  }
  for (const char* text : {"", "1", "中", "aB", "Ab", "ǅ", "Aǅ", "aǅ"})
    EXPECT_FALSE(all_lower(text) || all_upper(text)) << text;
  EXPECT_TRUE(all_upper("COVID-19"));
  EXPECT_FALSE(all_upper("19"));
  EXPECT_FALSE(all_upper("Ab"));
  EXPECT_TRUE(all_lower("it's"));
}

}  // namespace
}  // namespace fathom::eval
