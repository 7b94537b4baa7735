#include "text/json_field.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

using Found = JsonField::Found;

JsonField field_of(std::string_view json, std::vector<std::string> names = {"text"}) {
  return find_json_text(json, names);
}

std::string text_of(std::string_view json) {
  const JsonField field = field_of(json);
  return field.found == Found::text ? field.text : "no text";
}

TEST(JsonField, FindsTheStringAtTheTopLevel) {
  EXPECT_EQ(text_of(R"({"text": "a"})"), "a");
  EXPECT_EQ(text_of(" \t{ \"text\" : \"a\" , \"b\" : 1 } \r\n"), "a");
  EXPECT_EQ(text_of(R"({"a":[1,{"text":"no"}],"b":{"text":"no"},"text":"yes","c":[]})"), "yes");
  EXPECT_EQ(text_of(R"({"te\u0078t":"escaped key"})"), "escaped key");
  EXPECT_EQ(text_of(R"({"text":"first","text":"last"})"), "last");
  EXPECT_EQ(text_of(R"({"text":1,"text":"last"})"), "last");
}

TEST(JsonField, EscapesBecomeCharacters) {
  EXPECT_EQ(text_of(R"({"text":"\"\\\/\b\f\n\r\t|\u0041\u4e2D\ud83d\ude00"})"),
            "\"\\/\b\f\n\r\t|A\xe4\xb8\xad\xf0\x9f\x98\x80");
  EXPECT_EQ(text_of(R"({"text":"\u0000"})"), std::string(1, '\0'));
}

TEST(JsonField, LoneSurrogatesBecomeReplacements) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(text_of(R"({"text":"a\ud800b"})"), "a" + r + "b");
  EXPECT_EQ(text_of(R"({"text":"\ude00\ud83d"})"), r + r);
  EXPECT_EQ(text_of(R"({"text":"\ud83d\ud83d\ude00"})"), r + "\xf0\x9f\x98\x80");
  EXPECT_EQ(text_of(R"({"text":"\ud83d\u0041"})"), r + "A");
}

TEST(JsonField, OtherFieldsMayHoldWhatPythonReads) {
  for (const char* value :
       {"NaN", "Infinity", "-Infinity", "1e999", "-0.5E+3", "123456789012345678901234567890",
        R"("\ud800")", "\"\xff\"", "true", "false", "null", "[[], {}, [{\"a\": []}]]"}) {
    EXPECT_EQ(text_of("{\"x\":" + std::string(value) + ",\"text\":\"a\"}"), "a") << value;
    EXPECT_EQ(text_of("{\"text\":\"a\",\"x\":" + std::string(value) + "}"), "a") << value;
  }
  const std::string deep(100'000, '[');
  EXPECT_EQ(text_of("{\"x\":" + deep + std::string(100'000, ']') + ",\"text\":\"a\"}"), "a");
}

TEST(JsonField, OtherOutcomesAreToldApart) {
  EXPECT_EQ(field_of("{}").found, Found::absent);
  EXPECT_EQ(field_of(R"({"body":"a"})").found, Found::absent);
  EXPECT_EQ(field_of(R"({"text":1})").found, Found::other_type);
  EXPECT_EQ(field_of(R"({"text":"a","text":null})").found, Found::other_type);
  EXPECT_EQ(field_of(R"({"text":{"text":"a"}})").found, Found::other_type);
  EXPECT_EQ(field_of("[1]").found, Found::not_an_object);
  EXPECT_EQ(field_of("3").found, Found::not_an_object);
  const JsonField bare = field_of(R"( "a\n" )");
  EXPECT_EQ(bare.found, Found::bare_text);
  EXPECT_EQ(bare.text, "a\n");
}

TEST(JsonField, TheFirstNameThatHoldsAStringCounts) {
  EXPECT_EQ(field_of(R"({"text":"t","prompt":"p"})", {"prompt", "text"}).text, "p");
  EXPECT_EQ(field_of(R"({"text":"t","prompt":1})", {"prompt", "text"}).text, "t");
}

// Where the string is, with its quotes.
TEST(JsonField, TellsThePlaceOfTheText) {
  const auto place = [](const std::string& json) {
    const JsonField field = field_of(json);
    return json.substr(field.begin, field.end - field.begin);
  };
  EXPECT_EQ(place(R"({"text": "a\"\u4e2d" , "b": 1})"), R"("a\"\u4e2d")");
  EXPECT_EQ(place(R"({"text":"first","text":"last"})"), R"("last")");
  EXPECT_EQ(place(R"({"text":""})"), R"("")");
  EXPECT_EQ(place(R"( "bare" )"), R"("bare")");
  EXPECT_EQ(field_of(R"({"text":"first","text":"last"})").begin, 23u);
}

TEST(JsonField, BadSyntaxHasAColumn) {
  const auto column = [](std::string_view json) {
    const JsonField field = field_of(json);
    EXPECT_EQ(field.found, Found::bad_syntax) << json;
    return field.column;
  };
  EXPECT_EQ(column(""), 1u);
  EXPECT_EQ(column(R"({"text": )"), 10u);
  EXPECT_EQ(column(R"({"text":"a"} x)"), 14u);
  EXPECT_EQ(column(R"({"text":"a",})"), 13u);
  EXPECT_EQ(column(R"({"a" 1})"), 6u);
  EXPECT_EQ(column("{\"text\":\"a\nb\"}"), 11u);
  for (const char* json : {"{",
                           "{\"a\":[1,]}",
                           "{\"a\":01}",
                           "{\"a\":+1}",
                           "{\"a\":1.}",
                           "{\"a\":.5}",
                           "{\"a\":1e}",
                           "{\"a\":nul}",
                           "{\"a\":nan}",
                           "{\"a\":-}",
                           "{\"a\":-Inf}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\\u12g4\"}",
                           "{\"a\":\"\\u12",
                           "{\"a\":\"b",
                           "{\"a\":[}]}",
                           "{'a':1}",
                           "{\"a\":1 \"b\":2}",
                           "hello",
                           "{\"a\":\"\\"}) {
    EXPECT_GT(column(json), 0u) << json;
  }
}

// Bytes behind the end, which would complete the line, are not read.
TEST(JsonField, ALineThatIsCutOffIsBrokenAtItsEnd) {
  const std::string_view line =
      R"( {"a":[true,false,null,NaN,-Infinity,-1.5e+7,"\"\u0a9F"],"b":{},"text" : "\n\ud83d"} )";
  ASSERT_EQ(text_of(line), "\n\xef\xbf\xbd");
  for (std::size_t size = 0; size + 1 < line.size(); ++size) {
    const JsonField field = field_of(line.substr(0, size));
    EXPECT_EQ(field.found, Found::bad_syntax) << size;
    EXPECT_EQ(field.column, size + 1);
    EXPECT_EQ(json_value_end(line.substr(0, size)), size);
  }
}

// What follows each broken value would complete the line.
TEST(JsonField, BrokenValuesAreNotPassedOver) {
  for (const std::string value : {"",        "{",        "[",     "{\"a\":1,", "{\"a\":1,\"b\"",
                                  "{\"a\"",  "{\"a\":",  "[1,",   "\"\\",      "\"\\u",
                                  "\"\\u0",  "\"\\u012", "{\"\\", "-",         "1.",
                                  "1e",      "1e+",      "1E-",   "t",         "tru",
                                  "f",       "n",        "N",     "I",         "-I",
                                  "-Infinit"}) {
    const JsonField field = field_of("{\"x\":" + value + ",\"text\":\"a\"}");
    EXPECT_EQ(field.found, Found::bad_syntax) << value;
    EXPECT_EQ(field.column, value.size() + 6) << value;
  }
  EXPECT_EQ(field_of(R"({"text":"a",,"b":1})").column, 13u);
  EXPECT_EQ(field_of(R"({"text":"a","b"})").column, 16u);
  EXPECT_EQ(field_of(R"({"x":{"a":1,},"text":"a"})").column, 13u);
  EXPECT_EQ(field_of(R"({"x":[1},"text":"a"})").column, 8u);
  EXPECT_EQ(field_of(R"({"x":{"a":1],"text":"a"})").column, 12u);
  EXPECT_EQ(field_of("{\"x\":\"\x1f\",\"text\":\"a\"}").column, 7u);
  EXPECT_EQ(text_of("{\"x\":\"\x7f \",\"text\":\"a\"}"), "a");
}

TEST(JsonField, DigitsOfEscapesAreHexadecimal) {
  EXPECT_EQ(text_of(R"({"text":"\u0939\u9afA\uA0f9"})"), "\u0939\u9afa\ua0f9");
  for (const char digit : {'/', ':', '@', 'G', '`', 'g', ' '}) {
    EXPECT_EQ(field_of(std::string(R"({"text":"\u000)") + digit + "\"}").column, 15u) << digit;
  }
}

TEST(JsonField, SurrogatesPairAtTheEdgesOfTheirRanges) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(text_of(R"({"text":"\ud800\udc00"})"), "\U00010000");
  EXPECT_EQ(text_of(R"({"text":"\udbff\udfff"})"), "\U0010ffff");
  EXPECT_EQ(text_of(R"({"text":"\ud7ff\ue000"})"), "\ud7ff\ue000");
  EXPECT_EQ(text_of(R"({"text":"\udc00\udc00"})"), r + r);
  EXPECT_EQ(text_of(R"({"text":"\udfff\udc00"})"), r + r);
  EXPECT_EQ(text_of(R"({"text":"\ud800\udbff"})"), r + r);
  EXPECT_EQ(text_of(R"({"text":"\ud800\ue000"})"), r + "\ue000");
  // A second escape that is no \u, and a "u" without its backslash.
  EXPECT_EQ(text_of(R"({"text":"\ud83d\ndc00"})"), r + "\ndc00");
  EXPECT_EQ(text_of(R"({"text":"\ud83dxudc00"})"), r + "xudc00");
}

TEST(JsonField, KeysThatAreNotAskedForAreCompared) {
  EXPECT_EQ(field_of(R"({"tex":"a","texts":"b","Text":"c"})").found, Found::absent);
  EXPECT_EQ(field_of(R"({"te\u0079t":"a"})").found, Found::absent);
  EXPECT_EQ(field_of(R"({"a":1,"b":"x"})", {"a", "c", "b"}).text, "x");
}

TEST(JsonField, ValueEndTellsWholeFromCutOffFromBroken) {
  EXPECT_EQ(json_value_end("{\"a\":1} rest"), 7u);
  EXPECT_EQ(json_value_end("{\"a\": [1, 2"), 11u);
  EXPECT_EQ(json_value_end("{a"), std::string_view::npos);
}

}  // namespace
}  // namespace fathom
