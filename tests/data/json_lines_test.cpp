#include "data/json_lines.h"

#include <gtest/gtest.h>

#include "text/utf8.h"

namespace fathom {
namespace {

// All of a row but the text stays as it is, to the byte, also where a strict parser would fail.
TEST(JsonLines, ReplacesTheTextAlone) {
  const auto replaced = [](const std::string& row) {
    return json_line_with_text({"old", "a.jsonl:1", row}, "content", "n\"w");
  };
  EXPECT_EQ(replaced(R"({"id": 1.50, "content": "old", "x": NaN})"),
            R"({"id": 1.50, "content": "n\"w", "x": NaN})"
            "\n");
  EXPECT_EQ(replaced(R"({"u":"\ud800","content" :"o\u006cd"})"),
            R"({"u":"\ud800","content" :"n\"w"})"
            "\n");
  EXPECT_EQ(replaced("{\"u\": \"a\xff\", \"content\": \"old\"}"),
            "{\"u\": \"a\ufffd\", \"content\": \"n\\\"w\"}\n");
  const std::string deep = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  EXPECT_EQ(replaced(R"({"content": "old", "more": )" + deep + "}"),
            R"({"content": "n\"w", "more": )" + deep + "}\n");
}

TEST(JsonLines, AddsMembers) {
  EXPECT_EQ(json_line({"t", "a.txt:1", ""}, "\"n\": 1"),
            R"({"text": "t", "source": "a.txt:1", "n": 1})"
            "\n");
  EXPECT_EQ(json_line({"t", "a.jsonl:1", R"({"text": "t"} )"}, "\"n\": 1"),
            R"({"text": "t", "n": 1})"
            "\n");
  EXPECT_EQ(json_line_with_text({"t", "a.txt:1", ""}, "content", "new", "\"n\": 1"),
            R"({"text": "new", "source": "a.txt:1", "n": 1})"
            "\n");
}

// An object of any form keeps its bytes; what is no object becomes one.
TEST(JsonLines, KeepRowsAsTheyWereRead) {
  const auto line = [](const std::string& row, const std::string& added) {
    return json_line({"t", "f:1", row}, added);
  };
  const std::string made = R"({"text": "t", "source": "f:1")";
  for (const char* none : {"", "text", "[1]", R"([{"text": "t"}])", "\"{}\"", "x {}"}) {
    EXPECT_EQ(line(none, ""), made + "}\n") << none;
    EXPECT_EQ(line(none, "\"n\": 1"), made + ", \"n\": 1}\n") << none;
  }
  EXPECT_EQ(line("{}", "\"n\": 1"), "{\"n\": 1}\n");
  EXPECT_EQ(line("{ \t}\r", "\"n\": 1"), "{ \t\"n\": 1}\n");
  EXPECT_EQ(line(" \t{\"a\": {}}  \r", ""), " \t{\"a\": {}}\n");
  EXPECT_EQ(line("{\"a\": {}}", "\"n\": 1, \"m\": 2"), "{\"a\": {}, \"n\": 1, \"m\": 2}\n");
}

TEST(JsonLines, ReplaceTheTextThatCounts) {
  const auto replaced = [](const std::string& row) {
    return json_line_with_text({"old", "f:1", row}, "content", "new");
  };
  EXPECT_EQ(replaced(R"({"content": "first", "content": "old"})"),
            R"({"content": "first", "content": "new"})"
            "\n");
  EXPECT_EQ(replaced(R"({"text": "old"})"), R"({"text": "new", "source": "f:1"})"
                                            "\n")
      << "without the field";
  EXPECT_EQ(replaced(R"({"content": 7})"), R"({"text": "new", "source": "f:1"})"
                                           "\n");
  EXPECT_EQ(replaced(R"({"in": {"content": "a"}, "content": "old"} )"),
            R"({"in": {"content": "a"}, "content": "new"})"
            "\n");
}

// A document whose bytes were repaired is not written with the broken ones.
TEST(JsonLines, AreValidUtf8) {
  EXPECT_EQ(json_line({"a\ufffd", "a.jsonl:1", "{\"text\": \"a\xff\"}"}),
            "{\"text\": \"a\ufffd\"}\n");
}

}  // namespace
}  // namespace fathom
