// Items of a benchmark in training texts.
#include "eval/overlap.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "eval/overlap_search.h"
#include "io/temp_dir.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

TEST(Overlap, CountsWordsAndChineseCharactersAsUnits) {
  EXPECT_EQ(text_units("It's a - TEST, isn't it?"), text_units("its a test isnt it"));
  EXPECT_EQ(text_units("今天天气 very good").size(), 6u);
  EXPECT_NE(text_units("a b"), text_units("b a"));
  EXPECT_TRUE(text_units(" ,.!").empty());
  EXPECT_EQ(text_units("don’t"), text_units("dont"));
  EXPECT_EQ(text_units("ÀB2½"), text_units("àb2½"));
  EXPECT_EQ(text_units("a\u0301b").size(), 1u) << "a mark is of its word";
  EXPECT_EQ(text_units("a_b-c.d").size(), 4u);
  // The ends of the blocks whose characters are units, and their neighbours, between letters.
  const std::pair<char32_t, char32_t> blocks[] = {{0x3041, 0x30ff}, {0x3400, 0x4dbf},
                                                  {0x4e00, 0x9fff}, {0xac00, 0xd7a3},
                                                  {0xf900, 0xfad9}, {0x20000, 0x2a6df}};
  const auto units_with = [](char32_t c) {
    std::string text = "a";
    utf8::append(text, c);
    return text_units(text + "b").size();
  };
  for (const auto& [first, last] : blocks) {
    EXPECT_EQ(units_with(first), 3u) << std::hex << static_cast<unsigned>(first);
    EXPECT_EQ(units_with(last), 3u) << std::hex << static_cast<unsigned>(last);
  }
  for (const char32_t c : {0x3031, 0x3105, 0xa000, 0xabff, 0xd7b0, 0xfb00, 0x1b000}) {
    EXPECT_LT(units_with(c), 3u) << std::hex << static_cast<unsigned>(c);
  }
  // A character that is cut short ends with the text.
  EXPECT_EQ(text_units(std::string_view("a \xF0 b c d").substr(0, 3)), text_units("a"));
}

std::vector<std::pair<std::int64_t, std::int64_t>> found(const OverlapIndex& index, const char* text) {
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  for (const auto& one : index.search(text)) all.emplace_back(one.item, one.runs);
  return all;
}

TEST(Overlap, FindsRunsOfUnits) {
  OverlapIndex index({.length = 4, .shortest = 2});
  EXPECT_EQ(index.add("one two three four five six"), 0);
  EXPECT_EQ(index.add("seven eight"), 1);  // whole
  EXPECT_EQ(index.add("nine"), 2);         // too short
  EXPECT_EQ(index.add("今天的天气"), 3);
  EXPECT_EQ(index.runs(0), 3);
  EXPECT_EQ(index.runs(2), 0);
  using All = std::vector<std::pair<std::int64_t, std::int64_t>>;
  EXPECT_EQ(found(index, "x One, two\nthree - four five! y"), (All{{0, 2}}));
  EXPECT_EQ(found(index, "one two three x four five six"), All{});
  EXPECT_EQ(found(index, "nine seven eight 说今天的天气好"), (All{{1, 1}, {3, 2}}));
  EXPECT_EQ(found(index, "one two three four one two three four"), (All{{0, 1}}));  // counted once
  EXPECT_EQ(found(index, ""), All{});
}

// As long as a run, one unit shorter, as short as may be, and shorter.
TEST(Overlap, ItemsAreRunsOrWhole) {
  using All = std::vector<std::pair<std::int64_t, std::int64_t>>;
  OverlapIndex index({.length = 4, .shortest = 2});
  for (const char* item : {"a b c d", "e f g", "h i", "j"}) index.add(item);
  for (std::int64_t item = 0; item < 4; ++item) EXPECT_EQ(index.runs(item), item < 3 ? 1 : 0);
  EXPECT_EQ(found(index, "a b c"), All{});
  EXPECT_EQ(found(index, "x a b c d"), (All{{0, 1}}));
  EXPECT_EQ(found(index, "e f g h i j"), (All{{1, 1}, {2, 1}}));
  // A run that an item has twice is one.
  OverlapIndex twice({.length = 2, .shortest = 1});
  twice.add("a b a b");
  EXPECT_EQ(twice.runs(0), 2);
}

TEST(Overlap, LeavesOutWhatManyItemsShare) {
  OverlapIndex index({.length = 3, .shortest = 3});
  for (const char* own : {"apple", "pear", "plum"}) index.add(std::string("answer this question about ") + own);
  EXPECT_EQ(index.runs(0), 3);
  index.leave_out_common();
  EXPECT_EQ(index.runs(0), 1);
  EXPECT_TRUE(index.search("please answer this question about it").empty());
  EXPECT_EQ(found(index, "question about pear").size(), 1u);
}

// More than two items, and more than a tenth of them.
TEST(Overlap, ARunIsCommonFromAnItemMoreThanATenth) {
  const auto runs_left = [](int items, int sharing) {
    OverlapIndex index({.length = 3, .shortest = 3});
    for (int i = 0; i < items; ++i) {
      index.add(i < sharing ? "all of these" : fmt::format("item {0}a {0}b", i));
    }
    index.leave_out_common();
    return index.runs(0);
  };
  EXPECT_EQ(runs_left(5, 2), 1);
  EXPECT_EQ(runs_left(5, 3), 0);
  EXPECT_EQ(runs_left(29, 2), 1);
  EXPECT_EQ(runs_left(29, 3), 0);
  EXPECT_EQ(runs_left(30, 3), 1);
  EXPECT_EQ(runs_left(30, 4), 0);
  EXPECT_EQ(runs_left(50, 5), 1);
  EXPECT_EQ(runs_left(50, 6), 0);
}

TaskOverlap overlap_of_two(bool second_found) {
  TaskOverlap overlap;
  overlap.task.name = "t";
  overlap.items.resize(2);
  overlap.items[0].documents.push_back({"text:1", 1, "x"});
  if (second_found) overlap.items[1].documents.push_back({"text:2", 1, "y"});
  return overlap;
}

TEST(Overlap, TellsScoresOfFoundItemsAndOthers) {
  const test::TempDir dir;
  test::write_file(dir / "samples_t_2025-01-01T00-00-00.jsonl",
                   "{\"doc_id\": 0, \"metrics\": [\"acc\", \"bits_per_byte\"], \"acc\": 1, \"bits_per_byte\": [-693.1471805599453, 500]}\n"
                   "{\"doc_id\": 1, \"metrics\": [\"acc\", \"bits_per_byte\"], \"acc\": 0, \"bits_per_byte\": [-693.1471805599453, 250]}\n");
  const auto table = [&](bool second_found) { return overlap_table({overlap_of_two(second_found)}, dir.path()); };
  EXPECT_THAT(table(false), testing::ContainsRegex("acc +found 1.0000 .*not found 0.0000"));
  EXPECT_THAT(table(false), testing::ContainsRegex("bits_per_byte +found 2.0000 .*not found 4.0000"));
  // Also when every item was found.
  EXPECT_THAT(table(true), testing::ContainsRegex("acc +found 0.5000 .*not found -"));
}

TEST(Overlap, ScoresOfFiltersHaveTheirNames) {
  const test::TempDir dir;
  const auto write = [&](const std::string& lines) {
    test::write_file(dir / "samples_t_2025-01-01T00-00-00.jsonl", lines);
  };
  const auto table = [&] { return overlap_table({overlap_of_two(false)}, dir.path()); };
  write("{\"doc_id\": 0, \"filter\": \"last\", \"metrics\": [\"exact_match\"], \"exact_match\": 1}\n");
  EXPECT_THAT(table(), testing::ContainsRegex("exact_match,last +found 1.0000 .*not found -"));
  write("{\"doc_id\": 2, \"metrics\": [\"acc\"], \"acc\": 1}\n");
  EXPECT_THAT(test::input_error_of([&] { table(); }), testing::HasSubstr("the task has no item 2"));
}

}  // namespace
}  // namespace fathom::eval
