// The checked JSON reader: values, fields, and the message of each mistake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json_object.h"
#include "io/json_value.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::ElementsAre;

const std::string document =
    R"({"a": 1, "b": [2, "x", null, {"c": -3}], "d": {"e": 1.5, "f": true, "g": null},)"
    R"( "big": 18446744073709551615, "list": [4, 5], "names": ["p", "q"], "objects": [{"h": 6}]})";

TEST(JsonValue, ReadsEachType) {
  const JsonValue root = JsonValue::parse(document, "f");
  EXPECT_EQ(root.at("a").integer(), 1);
  EXPECT_EQ(root.at("a").integer(1, 1), 1);
  EXPECT_EQ(root.at("b").items()[0].integer(), 2);
  EXPECT_EQ(root.at("b").items()[1].text(), "x");
  EXPECT_TRUE(root.at("b").items()[2].is_null());
  EXPECT_EQ(root.at("d").at("e").number(), 1.5);
  EXPECT_TRUE(root.at("d").at("f").boolean());
  EXPECT_TRUE(root.at("d").boolean_or("f", false));
  EXPECT_TRUE(root.at("d").boolean_or("g", true));
  EXPECT_FALSE(root.at("d").has("g"));
  EXPECT_FALSE(root.at("d").find("g"));
  EXPECT_TRUE(root.at("d").at("g").is_null());
  EXPECT_EQ(root.at("big").unsigned_integer(), UINT64_MAX);
  EXPECT_EQ(JsonValue::parse("9223372036854775807", "f").integer(), INT64_MAX);
  EXPECT_EQ(JsonValue::parse("-9223372036854775808", "f").integer(), INT64_MIN);
  EXPECT_THAT(root.at("d").keys(), ElementsAre("e", "f", "g"));
}

TEST(JsonValue, ShowsTheBeginningOfALongValue) {
  const auto shown = [](std::size_t letters) {
    return JsonValue::parse("\"" + std::string(letters, 'x') + "\"", "f").shown();
  };
  EXPECT_EQ(shown(58), "\"" + std::string(58, 'x') + "\"");
  EXPECT_EQ(shown(59), "\"" + std::string(59, 'x') + "...");
}

TEST(JsonValue, OutlivesItsRoot) {
  const JsonValue inner = JsonValue::parse(document, "f").at("b").items()[3].at("c");
  EXPECT_EQ(inner.integer(), -3);
  EXPECT_EQ(inner.path(), "b[3].c");
  EXPECT_EQ(inner.source(), "f");
}

TEST(JsonValue, NamesSourceAndPathOfEachMistake) {
  const JsonValue root = JsonValue::parse(document, "f");
  const auto error = [](auto&& read) { return input_error_of(read); };
  EXPECT_EQ(error([&] { root.at("b").items()[1].integer(); }),
            "f: 'b[1]' is \"x\", not a whole number");
  EXPECT_EQ(error([&] { root.at("d").at("e").integer(); }), "f: 'd.e' is 1.5, not a whole number");
  EXPECT_EQ(error([&] { root.at("a").integer(2, 9); }),
            "f: 'a' is 1, not a whole number from 2 to 9");
  EXPECT_EQ(error([&] { root.at("a").integer(-9, 0); }),
            "f: 'a' is 1, not a whole number from -9 to 0");
  EXPECT_EQ(error([&] { root.at("big").integer(); }),
            "f: 'big' is 18446744073709551615, not a whole number");
  EXPECT_EQ(error([&] { root.at("b").items()[3].at("c").unsigned_integer(); }),
            "f: 'b[3].c' is -3, not a whole number from 0");
  EXPECT_EQ(error([&] { root.at("a").text(); }), "f: 'a' is 1, not a text");
  EXPECT_EQ(error([&] { root.at("a").boolean(); }), "f: 'a' is 1, not true or false");
  EXPECT_EQ(error([&] { root.at("d").at("f").number(); }), "f: 'd.f' is true, not a number");
  EXPECT_EQ(error([&] { root.at("a").items(); }), "f: 'a' is 1, not a list");
  EXPECT_EQ(error([&] { root.at("a").keys(); }), "f: 'a' is 1, not an object");
  EXPECT_EQ(error([&] { root.at("a").has("b"); }), "f: 'a' is 1, not an object");
  EXPECT_EQ(error([&] { root.at("d").at("z"); }), "f: 'd.z' is missing");
  EXPECT_EQ(error([&] { root.at("z"); }), "f: 'z' is missing");
  EXPECT_EQ(error([&] { root.refuse("is odd"); }), "f: is odd");
}

TEST(JsonValue, RefusesWhatIsNoJson) {
  EXPECT_THAT(input_error_of([] { JsonValue::parse("{\"a\": ", "f"); }),
              testing::StartsWith("f: not valid JSON: parse error at line 1"));
  EXPECT_THAT(input_error_of([] { JsonValue::parse("{\"a\": \"\xff\"}", "f"); }),
              testing::StartsWith("f: not valid JSON"));
  EXPECT_THAT(input_error_of([] { JsonValue::load("/nonexistent.json"); }),
              testing::StartsWith("/nonexistent.json: "));
}

TEST(JsonValue, BoundsTheDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(JsonValue::parse(nested(JsonValue::max_depth), "f").is_array());
  EXPECT_EQ(input_error_of([&] { JsonValue::parse(nested(1'000'000), "f"); }),
            "f: arrays and objects are nested more than 128 deep (at byte 129)");
  // Only brackets end a level, not what stands between them.
  std::string members, ends;
  for (int i = 0; i < JsonValue::max_depth; ++i) {
    members += i % 2 ? "{\"a\": " : "[\"]}\", 1, ";
    ends.insert(0, i % 2 ? "}" : "]");
  }
  EXPECT_TRUE(JsonValue::parse(members + "0" + ends, "f").is_array());
  EXPECT_EQ(input_error_of([&] { JsonValue::parse(members + "[]" + ends, "f"); }),
            fmt::format("f: arrays and objects are nested more than 128 deep (at byte {})",
                        members.size() + 1));
  // Brackets inside strings do not nest.
  const std::string text = "\"\\\"" + std::string(500, '[') + "\"";
  EXPECT_EQ(JsonValue::parse(text, "f").text().size(), 501u);
  EXPECT_EQ(
      JsonValue::parse("[" + nested(1) + std::string(300, ' ') + ",{},[],{}]", "f").items().size(),
      4u);
  std::string many = "[0";
  for (int i = 0; i < 300; ++i) many += ",[]";
  EXPECT_EQ(JsonValue::parse(many + "]", "f").items().size(), 301u);
}

TEST(JsonObject, ReadsFields) {
  const JsonObject root = JsonObject::parse(document, "f");
  EXPECT_EQ(root.integer("a"), 1);
  EXPECT_EQ(root.unsigned_integer("big"), UINT64_MAX);
  EXPECT_EQ(root.object("d").number("e"), 1.5);
  EXPECT_TRUE(root.object("d").boolean("f"));
  EXPECT_THAT(root.integers("list"), ElementsAre(4, 5));
  EXPECT_THAT(root.find_integers("a"), ElementsAre(1));
  EXPECT_THAT(root.find_integers("list"), ElementsAre(4, 5));
  EXPECT_TRUE(root.find_integers("z").empty());
  EXPECT_THAT(root.texts("names"), ElementsAre("p", "q"));
  EXPECT_EQ(root.objects("objects").at(0).integer("h"), 6);
  EXPECT_EQ(root.find_object("z").has_value(), false);
  EXPECT_EQ(root.find_number("z"), std::nullopt);
  EXPECT_EQ(root.object("d").find_boolean("f"), true);
  EXPECT_EQ(root.object("d").find_text("g"), std::nullopt);
  EXPECT_EQ(root.shown("z"), "nothing");
  EXPECT_EQ(root.object("d").shown("g"), "null");
  EXPECT_EQ(root.shown("list"), "[4,5]");
  EXPECT_EQ(root.shown("b"), R"([2,"x",null,{"c":-3}])");
}

TEST(JsonObject, NamesEachMistake) {
  const JsonObject root = JsonObject::parse(document, "f");
  EXPECT_EQ(input_error_of([&] { root.integers("b"); }), "f: 'b[1]' is \"x\", not a whole number");
  EXPECT_EQ(input_error_of([&] { root.objects("list"); }), "f: 'list[0]' is 4, not an object");
  EXPECT_EQ(input_error_of([&] { root.object("d").text("g"); }), "f: 'd.g' is missing");
  EXPECT_EQ(input_error_of([&] { root.object("a"); }), "f: 'a' is 1, not an object");
  EXPECT_EQ(input_error_of([&] { root.integer("a", 5, 6); }),
            "f: 'a' is 1, not a whole number from 5 to 6");
  EXPECT_EQ(input_error_of([] { JsonObject::parse("[]", "f"); }), "f: does not hold a JSON object");
}

TEST(JsonValue, KnowsItsType) {
  const std::pair<const char*, int> values[] = {{"null", 0}, {"true", 1}, {"-1.5", 2}, {"7", 2},
                                                {"\"\"", 3}, {"[]", 4},   {"{}", 5}};
  for (const auto& [text, kind] : values) {
    const JsonValue value = JsonValue::parse(text, "f");
    const bool is[] = {value.is_null(), value.is_bool(),  value.is_number(),
                       value.is_text(), value.is_array(), value.is_object()};
    for (int i = 0; i < 6; ++i) EXPECT_EQ(is[i], i == kind) << text << " " << i;
  }
}

TEST(JsonValue, WholeNumbersHaveNoFraction) {
  const auto error = [](const char* text) {
    return input_error_of([&] { JsonValue::parse(text, "f").integer(); });
  };
  EXPECT_EQ(error("1.0"), "f: is 1.0, not a whole number");
  EXPECT_EQ(error("9223372036854775808"), "f: is 9223372036854775808, not a whole number");
  EXPECT_EQ(error("true"), "f: is true, not a whole number");
  EXPECT_EQ(JsonValue::parse("-5", "f").integer(-5, -5), -5);
  EXPECT_EQ(JsonValue::parse("0", "f").unsigned_integer(), 0u);
  EXPECT_EQ(JsonValue::parse("3", "f").number(), 3.0);
}

TEST(JsonValue, FieldsHaveFallbacks) {
  const JsonValue root = JsonValue::parse(R"({"yes": true, "no": false, "n": 1})", "f");
  EXPECT_TRUE(root.boolean_or("yes", false));
  EXPECT_FALSE(root.boolean_or("no", true));
  EXPECT_TRUE(root.boolean_or("none", true));
  EXPECT_FALSE(root.boolean_or("none", false));
  EXPECT_EQ(input_error_of([&] { root.boolean_or("n", true); }), "f: 'n' is 1, not true or false");
}

// Siblings before a value, their keys and their own values, are no part of its path.
TEST(JsonValue, PathsLeadThroughTheirOwnLevelsAlone) {
  const JsonValue root =
      JsonValue::parse(R"({"a": {"x": [1, [2, 3]]}, "b": [[], {"c": 4, "d": [5, 6]}]})", "f");
  EXPECT_EQ(root.path(), "");
  EXPECT_EQ(root.at("a").at("x").items()[1].items()[1].path(), "a.x[1][1]");
  EXPECT_EQ(root.at("b").items()[0].path(), "b[0]");
  EXPECT_EQ(root.at("b").items()[1].at("d").items()[1].path(), "b[1].d[1]");
  EXPECT_EQ(JsonValue::parse("[7, 8]", "f").items()[1].path(), "[1]");
  EXPECT_EQ(input_error_of([&] { root.at("b").items()[1].at("e"); }), "f: 'b[1].e' is missing");
}

TEST(JsonObject, OptionalFieldsAreNoneOrChecked) {
  const JsonObject root = JsonObject::parse(
      R"({"n": 1.5, "s": "x", "o": {}, "i": -2, "no": false, "null": null})", "f");
  EXPECT_EQ(root.find_integer("i"), -2);
  EXPECT_EQ(root.find_number("n"), 1.5);
  EXPECT_EQ(root.find_boolean("no"), false);
  EXPECT_EQ(root.find_text("s"), "x");
  EXPECT_TRUE(root.find_object("o").has_value());
  for (const char* key : {"null", "none"}) {
    EXPECT_FALSE(root.has(key));
    EXPECT_EQ(root.find_integer(key), std::nullopt) << key;
    EXPECT_EQ(root.find_number(key), std::nullopt) << key;
    EXPECT_EQ(root.find_boolean(key), std::nullopt) << key;
    EXPECT_EQ(root.find_text(key), std::nullopt) << key;
    EXPECT_FALSE(root.find_object(key).has_value()) << key;
    EXPECT_TRUE(root.find_integers(key).empty()) << key;
    EXPECT_EQ(input_error_of([&] { root.number(key); }), fmt::format("f: '{}' is missing", key));
  }
  EXPECT_EQ(input_error_of([&] { root.find_integer("n"); }), "f: 'n' is 1.5, not a whole number");
  EXPECT_EQ(input_error_of([&] { root.find_number("s"); }), "f: 's' is \"x\", not a number");
  EXPECT_EQ(input_error_of([&] { root.find_boolean("i"); }), "f: 'i' is -2, not true or false");
  EXPECT_EQ(input_error_of([&] { root.find_text("i"); }), "f: 'i' is -2, not a text");
  EXPECT_EQ(input_error_of([&] { root.find_object("i"); }), "f: 'i' is -2, not an object");
  EXPECT_EQ(input_error_of([&] { root.find_integers("s"); }),
            "f: 's' is \"x\", not a whole number");
  EXPECT_EQ(input_error_of([&] { root.texts("i"); }), "f: 'i' is -2, not a list");
  EXPECT_EQ(input_error_of([&] { root.unsigned_integer("i"); }),
            "f: 'i' is -2, not a whole number from 0");
  EXPECT_THAT(root.keys(), ElementsAre("i", "n", "no", "null", "o", "s"));
  EXPECT_EQ(root.source(), "f");
}

TEST(JsonObject, IsLoadedFromAFile) {
  const test::TempDir dir;
  test::write_file(dir / "a.json", "{\"a\": 3}");
  test::write_file(dir / "b.json", "[3]");
  EXPECT_EQ(JsonObject::load(dir / "a.json").integer("a"), 3);
  EXPECT_EQ(JsonValue::load(dir / "b.json").items()[0].integer(), 3);
  EXPECT_EQ(input_error_of([&] { JsonObject::load(dir / "b.json"); }),
            (dir / "b.json") + ": does not hold a JSON object");
}

TEST(JsonQuoted, KeepsCharactersAndEscapesWhatJsonMust) {
  EXPECT_EQ(json_quoted(""), "\"\"");
  EXPECT_EQ(json_quoted("中文 é 😀"), "\"中文 é 😀\"");
  EXPECT_EQ(json_quoted("a \"b\" \\ /"), R"("a \"b\" \\ /")");
  EXPECT_EQ(json_quoted("\n\r\t\b\f\x01\x1f\x7f"), "\"\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\"");
  EXPECT_EQ(json_quoted("a\xff"
                        "b\xe4\xb8"),
            "\"a\ufffdb\ufffd\"");
}

}  // namespace
}  // namespace fathom
