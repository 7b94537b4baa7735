// Which checkpoints are removed, which stay, and what a resume sets aside.
#include "checkpoint/retention.h"

#include <gmock/gmock.h>

#include <set>

#include "checkpoint/checkpoint_state.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Retention, KeepsTheLastAndEveryKth) {
  const std::int64_t steps[] = {10, 20, 30, 40, 50};
  EXPECT_THAT(steps_to_remove(steps, {2, 0}, 50), ElementsAre(30, 20, 10));
  EXPECT_THAT(steps_to_remove(steps, {3, 0}, 50), ElementsAre(20, 10));
  EXPECT_THAT(steps_to_remove(steps, {5, 0}, 50), IsEmpty());
  EXPECT_THAT(steps_to_remove(std::span(steps, 1), {1, 0}, 10), IsEmpty());
}

TEST(Retention, MultiplesStayBesideTheLastOnes) {
  const std::int64_t steps[] = {0, 10, 20, 30, 40, 50};
  EXPECT_THAT(steps_to_remove(steps, {1, 20}, 50), ElementsAre(30, 10));
  // A multiple is one of the last as well: 50 and 40 are the last two.
  EXPECT_THAT(steps_to_remove(steps, {2, 20}, 50), ElementsAre(30, 10));
  EXPECT_THAT(steps_to_remove(steps, {1, 25}, 50), ElementsAre(40, 30, 20, 10));
}

TEST(Retention, LaterOnesNeitherCountNorGo) {
  const std::int64_t steps[] = {10, 20, 30, 40, 50};
  EXPECT_THAT(steps_to_remove(steps, {1, 0}, 30), ElementsAre(20, 10));
  EXPECT_THAT(steps_to_remove(steps, {2, 0}, 30), ElementsAre(10));
  // Whatever the rule says, what was just committed stays.
  EXPECT_THAT(steps_to_remove(steps, {0, 0}, 30), ElementsAre(20, 10));
}

TEST(Retention, RemovesDirectoriesWholly) {
  const std::string directory = fresh_directory("retention");
  State state;
  for (const std::int64_t step : {1, 2, 3, 4}) saved(directory, state, step);
  write_file(directory + "/notes.txt", "mine");
  apply_retention(directory, {1, 2}, 3);
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(2, 3, 4));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 4) << "and the notes";
}

// It counts as one of the last ones none the less.
TEST(Retention, AKeepFileKeepsACheckpoint) {
  const std::string directory = fresh_directory("retention_keep");
  State state;
  for (const std::int64_t step : {1, 2, 3, 4}) saved(directory, state, step);
  write_file(directory + "/step-00000001/keep", "because I say so");
  write_file(directory + "/step-00000003/keep", "");
  apply_retention(directory, {2, 0}, 4);
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(1, 3, 4));
  EXPECT_EQ(Checkpoint(directory + "/step-00000003").step(), 3);
  fs::remove(directory + "/step-00000001/keep");
  apply_retention(directory, {2, 0}, 4);
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(3, 4));
  set_aside_later(directory, 2);
  saved(directory, state, 3);
  set_aside_later(directory, 2);
  EXPECT_FALSE(fs::exists(directory + "/step-00000003.abandoned/keep"));
}

TEST(Retention, KeepsFilesOfOthersInOldCheckpoints) {
  const std::string directory = fresh_directory("retention_notes");
  State state;
  for (const std::int64_t step : {1, 2}) saved(directory, state, step);
  write_file(directory + "/step-00000001/notes.txt", "mine");
  apply_retention(directory, {1, 0}, 2);
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(2));
  EXPECT_EQ(read_file(directory + "/step-00000001.kept/notes.txt"), "mine");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory + "/step-00000001.kept"), {}), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 2);
}

// Also what other commands put beside a model's weights; a name that only looks like one is kept.
TEST(Retention, RemovesEveryFileThatFathomMakesInACheckpoint) {
  const std::string directory = fresh_directory("retention_own");
  State state;
  for (const std::int64_t step : {1, 2, 3}) saved(directory, state, step);
  const std::string first = directory + "/step-00000001", second = directory + "/step-00000002";
  for (const std::string& checkpoint : {first, second}) {
    fs::create_directories(checkpoint + "/additional_chat_templates");
    for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                             "generation_config.json", "chat_template.jinja",
                             "additional_chat_templates/tools.jinja", "weight.00001.safetensors"}) {
      write_file(checkpoint + "/" + name, "x");
    }
  }
  const std::vector<std::string> others = {"config.json", "additional_chat_templates/notes.txt",
                                           "state.json.old", "weights.safetensors.bak"};
  for (const std::string& name : others) write_file(second + "/" + name, "mine");
  apply_retention(directory, {1, 0}, 3);
  EXPECT_FALSE(fs::exists(first + ".kept"));
  std::set<std::string> kept;
  for (const auto& entry : fs::recursive_directory_iterator(second + ".kept")) {
    if (entry.is_regular_file()) kept.insert(fs::relative(entry, second + ".kept"));
  }
  EXPECT_THAT(kept, testing::UnorderedElementsAreArray(others));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 2) << "step 3 and what is kept";
}

TEST(Retention, SetsAsideBesideFilesOfOthers) {
  const std::string directory = fresh_directory("set_aside_notes");
  State state;
  for (const std::int64_t step : {1, 2}) saved(directory, state, step);
  fs::create_directories(directory + "/step-00000002.abandoned");
  write_file(directory + "/step-00000002.abandoned/notes.txt", "mine");
  set_aside_later(directory, 1);
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(1));
  EXPECT_EQ(read_file(directory + "/step-00000002.abandoned/notes.txt"), "mine");
  EXPECT_TRUE(fs::exists(directory + "/step-00000002.abandoned-2/manifest.json"));
}

TEST(Retention, ADirectoryThatCannotBeListedIsAWarning) {
  const std::string loop = fresh_directory("retention_unlisted") + "/checkpoints";
  fs::create_directory_symlink(loop, loop);
  testing::internal::CaptureStderr();
  apply_retention(loop, {1, 0}, 3);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("old checkpoints stay: " + loop));
}

TEST(Retention, LaterCheckpointsAreSetAsideAndReplaceThoseBefore) {
  const std::string directory = fresh_directory("set_aside");
  State state;
  for (const std::int64_t step : {1, 2, 3}) saved(directory, state, step);
  fs::create_directories(directory + "/step-00000003.abandoned");
  write_file(directory + "/step-00000003.abandoned/old.safetensors", "of an earlier time");
  set_aside_later(directory, 2);
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(1, 2));
  EXPECT_TRUE(fs::exists(directory + "/step-00000003.abandoned/manifest.json"));
  EXPECT_FALSE(fs::exists(directory + "/step-00000003.abandoned/old.safetensors"));
}

}  // namespace
}  // namespace fathom::test
