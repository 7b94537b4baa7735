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

// A document whose bytes were repaired is not written with the broken ones.
TEST(JsonLines, AreValidUtf8) {
  EXPECT_EQ(json_line({"a\ufffd", "a.jsonl:1", "{\"text\": \"a\xff\"}"}),
            "{\"text\": \"a\ufffd\"}\n");
}

}  // namespace
}  // namespace fathom
