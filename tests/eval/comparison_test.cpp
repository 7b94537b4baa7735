// Two folders of samples against each other.
#include "eval/comparison.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "eval/sample_hashes.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::string sample(int doc, const std::string& prompt, double acc, const std::string& filter = "none") {
  return Json{{"doc_id", doc}, {"arguments", {{"gen_args_0", {{"arg_0", prompt}}}}}, {"filter", filter},
              {"metrics", {"acc"}}, {"acc", acc}}.dump() + "\n";
}

TEST(Comparison, PairsItemsByNumberAndFilter) {
  const TempDir dir;
  write_file(dir / "a/samples_t_2024-01-01T00-00-00.jsonl", "not read\n");
  write_file(dir / "a/samples_t_2025-01-01T00-00-00.jsonl",
             sample(0, "p", 0) + sample(1, "q", 1) + sample(2, "r", 0) + sample(3, "s", 0) + sample(9, "x", 1));
  write_file(dir / "b/m/samples_t_2025-01-01T00-00-00.123.jsonl",
             sample(3, "s", 0) + sample(2, "r", 1) + sample(1, "q", 0) + sample(0, "p", 1));
  write_file(dir / "b/samples_u_2025-01-01T00-00-00.jsonl", sample(0, "p", 1));
  const auto all = compare_samples(dir / "a", dir / "b");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].task, "t");
  EXPECT_EQ(all[0].score, "acc");
  EXPECT_EQ(all[0].items, 4);
  EXPECT_EQ(all[0].left_out, 1);
  EXPECT_EQ(all[0].first, 0.25);
  EXPECT_EQ(all[0].second, 0.5);
  EXPECT_EQ(all[0].paired.difference.value, 0.25);
  EXPECT_EQ(all[0].first_better, 1);
  EXPECT_EQ(all[0].second_better, 2);
  EXPECT_THAT(comparison_table(all), HasSubstr("+0.2500"));
  EXPECT_EQ(Json::parse(comparison_json(all))[0]["second_better"], 2);
}

TEST(Comparison, RefusesOtherPromptsAndFiles) {
  const TempDir dir;
  const std::string name = "samples_t_2025-01-01T00-00-00.jsonl";
  write_file(dir / ("a/" + name), sample(0, "p", 0));
  write_file(dir / ("b/" + name), sample(0, "q", 0));
  write_file(dir / ("c/" + name), sample(0, "p", 0) + "{}\n");
  write_file(dir / "d/samples_u_2025-01-01T00-00-00.jsonl", sample(0, "p", 0));
  write_file(dir / "e/x", "");
  const auto error = [&](const char* other) { return input_error_of([&] { compare_samples(dir / "a", dir / other); }); };
  EXPECT_THAT(error("b"), HasSubstr(name + ":1: the prompts differ"));
  EXPECT_THAT(error("c"), HasSubstr(name + ":2: is no sample"));
  EXPECT_THAT(error("d"), HasSubstr("no score of the same task"));
  EXPECT_THAT(error("e"), HasSubstr("has no samples_TASK_DATE.jsonl"));
  EXPECT_THAT(error("none"), HasSubstr("there is no folder"));
}

// Values of Python's hashlib, json and str().
TEST(SampleHashes, AreThoseOfPython) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const Json doc{{"q", "中\n\"x\""}, {"n", 1}, {"list", {"a", 2.5, nullptr}}, {"none", Json::array()}};
  EXPECT_EQ(doc_hash(doc), "055da32cbfa20b41dea180f46d8c43d0773b631ea94d6c9ff2f2f141d08e34ab");
  EXPECT_EQ(python_text(3), "3");
  EXPECT_EQ(python_text("3"), "3");
  EXPECT_EQ(python_text(nullptr), "None");
  EXPECT_EQ(python_text(Json{"a", "it's", "b\n\"'", "中"}), "['a', \"it's\", 'b\\n\"\\'', '中']");
}

}  // namespace
}  // namespace fathom::eval
