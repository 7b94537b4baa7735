// Scores of other models: read from files, told by tasks, and shown beside an evaluation's own.
#include "eval/other_scores.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <variant>

#include "eval/results_file.h"
#include "eval/results_page.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

// A task whose main score is acc, of one right item of two.
TaskResult half_right(const std::string& name) {
  TaskResult result;
  result.task.name = name;
  result.task.metric = "acc";
  result.total = {{"acc", {0.5, 0.1}}, {"acc_norm", {0.25, 0.1}}};
  return result;
}

TEST(OtherScores, AreReadFromAnEvaluation) {
  const TempDir dir;
  write_file(dir / "a/results.json", results_json({half_right("t"), half_right("u")}, {"runs/first/", "f32", "cpu", 1, {}}));
  for (const std::string& path : {dir / "a", dir / "a/results.json"}) {
    const OtherScores read = read_other_scores({path}).at(0);
    EXPECT_EQ(read.model, "first");
    EXPECT_THAT(read.tasks.at("t"), ElementsAre(Pair("acc", 0.5), Pair("acc_norm", 0.25)));
    EXPECT_TRUE(read.tasks.contains("u"));
  }
}

TEST(OtherScores, AreReadFromTheHarness) {
  const TempDir dir;
  write_file(dir / "r.json",
             R"({"results": {"group": {" ": " ", "alias": "group"}, "t": {"alias": "T", "name": "t", "acc,none": 0.5, "acc_stderr,none": 0.1, "em,strict": 0.2,
                 "em_stderr,strict": "N/A"}}, "model_name": "org/some-model", "model_source": "hf"})");
  const OtherScores read = read_other_scores({dir / "r.json"}).at(0);
  EXPECT_EQ(read.model, "some-model");
  EXPECT_THAT(read.tasks, ElementsAre(Pair("group", testing::IsEmpty()), Pair("t", ElementsAre(Pair("acc", 0.5), Pair("em,strict", 0.2)))));
}

TEST(OtherScores, NameTheFileThatHasNone) {
  const TempDir dir;
  write_file(dir / "r.json", R"({"results": {"t": 0.5}})");
  EXPECT_THAT(input_error_of([&] { read_other_scores({dir / "r.json"}); }), HasSubstr("r.json: "));
  write_file(dir / "s.json", "{}");
  EXPECT_THAT(input_error_of([&] { read_other_scores({dir / "s.json"}); }), HasSubstr("results"));
  EXPECT_THAT(input_error_of([&] { read_other_scores({dir / "none"}); }), HasSubstr("none"));
}

TEST(OtherScores, AreNamedByTheirRuns) {
  const TempDir dir;
  int files = 0;
  const auto file_of = [&](const std::string& model) {
    const std::string path = dir / fmt::format("{}.json", files++);
    write_file(path, fmt::format(R"({{"model": "{}", "results": {{}}}})", model));
    return path;
  };
  const auto name = [&](const std::string& model) { return read_other_scores({file_of(model)}).at(0).model; };
  EXPECT_EQ(name("runs/first/model"), "first");
  EXPECT_EQ(name("runs/first/model/"), "first");
  EXPECT_EQ(name("runs/first/checkpoints/step-00000100"), "first/step-00000100");
  EXPECT_EQ(name("models/small.gguf"), "small.gguf");
  EXPECT_EQ(name("model"), "model");
  const std::vector<std::string> paths{file_of("a/run/model"), file_of("b/run/model"), file_of("c/other/model")};
  const std::vector<OtherScores> others = read_other_scores(paths);
  EXPECT_EQ(others[0].model, paths[0]);
  EXPECT_EQ(others[1].model, paths[1]);
  EXPECT_EQ(others[2].model, "other");
}

TEST(OtherScores, TakeTheNameThatTheFileHas) {
  const TempDir dir;
  const auto read = [&](const std::string& keys) {
    write_file(
        dir / "r.json",
        "{" + keys +
            R"("results": {"t": {"acc,none": 1, "f1,nonex": 2, "x,none,none": 3, "acc_stderr": 4, "a_stderr,none": 5, "n": "6"}}})");
    return read_other_scores({dir / "r.json"}).at(0);
  };
  EXPECT_EQ(read("").model, "r.json");
  EXPECT_EQ(read(R"("model": "a/b", )").model, "b");
  EXPECT_EQ(read(R"("model": "a/b", "model_name": "c/d", )").model, "d");
  EXPECT_EQ(read(R"("model_name": 7, "model": "a/b", )").model, "b");
  EXPECT_EQ(read(R"("model": "/model", )").model, "model");
  EXPECT_EQ(read(R"("model": "checkpoints/step-1", )").model, "step-1");
  EXPECT_THAT(read("").tasks.at("t"),
              ElementsAre(Pair("acc", 1), Pair("f1,nonex", 2), Pair("x,none", 3)));
}

TEST(OtherScores, ArePublishedByTasks) {
  TaskResult t = half_right("t"), u = half_right("u");
  t.task.published = {{"Big", 0.8, "", "paper"}, {"Small", 0.6, "acc_norm", "paper"}};
  u.task.published = {{"Small", 0.7, "", "site"}};
  const std::vector<OtherScores> published = published_scores({t, u});
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].model, "Big");
  EXPECT_THAT(published[0].tasks, ElementsAre(Pair("t", ElementsAre(Pair("acc", 0.8)))));
  EXPECT_EQ(published[1].model, "Small");
  EXPECT_THAT(published[1].tasks, ElementsAre(Pair("t", ElementsAre(Pair("acc_norm", 0.6))), Pair("u", ElementsAre(Pair("acc", 0.7)))));
}

TEST(OtherScores, StandBesideTheModelsOwn) {
  TaskResult t = half_right("t"), u = half_right("u");
  t.task.group = u.task.group = "g";
  t.task.published = {{"Big", 0.8, "", "paper"}, {"Small", 0.6, "acc_norm", "paper"}, {"Small", 0.1, "acc", "site"}};
  const Page page = results_page({t, u}, {"m", "f32", "cpu", 1, {}}, {{"Other", {{"u", {{"acc", 0.9}}}}}, {"Big", {{"t", {{"acc", 0.8}}}}}, {"Small", {{"t", {{"acc_norm", 0.6}}}}}});
  const Table& overview = std::get<Table>(page.sections.at(0).parts.back());
  EXPECT_THAT(overview.header, ElementsAre("group", "task", "items", "shots", "score", "value", "95 % interval", "Other", "Big"));
  ASSERT_EQ(overview.rows.size(), 3u);  // the first is the group's mean
  for (const auto& row : overview.rows) EXPECT_EQ(row.size(), overview.header.size());
  EXPECT_THAT(std::vector(overview.rows[1].end() - 2, overview.rows[1].end()), ElementsAre("", "0.8000"));
  EXPECT_THAT(std::vector(overview.rows[2].end() - 2, overview.rows[2].end()), ElementsAre("0.9000", ""));
  // A task's own table has those only who know the task.
  const Table& scores = std::get<Table>(page.sections.at(1).parts.at(1));
  EXPECT_THAT(scores.header, ElementsAre("score", "value", "95 % interval", "Big", "Small"));
  EXPECT_THAT(scores.rows.at(0), ElementsAre("acc", "0.5000", testing::_, "0.8000", ""));
  EXPECT_THAT(scores.rows.at(1), ElementsAre("acc_norm", "0.2500", testing::_, "", "0.6000"));
  EXPECT_EQ(std::get<Paragraph>(page.sections.at(1).parts.at(2)).text, "Published scores: paper; site.");
}

}  // namespace
}  // namespace fathom::eval
