// What a run must have in common with a checkpoint to resume it, and what it says otherwise.
#include "train/run_identity.h"

#include <gmock/gmock.h>

#include "train/small_run.h"

namespace fathom {
namespace {

using namespace test;
using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const TrainConfig& config) {
  return input_error_of([&] { run(config); });
}

// Replaces the text of source "a" by what `change` makes of its lines, and prepares it again.
template <class F>
void prepare_changed(const TempDir& dir, F&& change) {
  PrepareConfig config = sample_config(dir);
  std::vector<std::string> lines;
  std::istringstream text(read_file(dir / "a.txt"));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  change(lines);
  std::string changed;
  for (const std::string& line : lines) changed += line + "\n";
  write_file(dir / "a.txt", changed);
  prepare_data(config, byte_encoder(), Overwrite::yes);
}

class RunIdentityOf : public testing::Test {
 protected:
  void SetUp() override {
    prepare(dir_);
    config_ = tiny(dir_, "run");
    config_.train.steps = 2;
    ASSERT_EQ(run(config_), 0);
    config_.train.steps = 3;
  }

  TempDir dir_;
  TrainConfig config_;
};

TEST_F(RunIdentityOf, TextInAnotherOrderIsOtherData) {
  prepare_changed(dir_, [](auto& lines) { std::ranges::reverse(lines); });
  EXPECT_THAT(refusal(config_),
              AllOf(HasSubstr(checkpoint_of(config_, 2)),
                    HasSubstr("source 'a' has as many documents and tokens as before, but other "
                              "text or another order"),
                    HasSubstr("Restore it, or choose another output for a run of its own: --set "
                              "continue_from=")));
}

TEST_F(RunIdentityOf, OtherCountsAreNamed) {
  prepare_changed(dir_, [](auto& lines) { lines.resize(100); });
  EXPECT_THAT(refusal(config_), AllOf(HasSubstr("source 'a' has "), HasSubstr(", and had ")));
}

TEST_F(RunIdentityOf, AsManyDocumentsWithMoreTokensAreOtherCounts) {
  prepare_changed(dir_, [](auto& lines) { lines.front() += " and more"; });
  EXPECT_THAT(refusal(config_), AllOf(HasSubstr("source 'a' has "), HasSubstr(", and had ")));
}

TEST_F(RunIdentityOf, EverySettingOfTheOrderIsNamed) {
  const auto with = [&](auto&& change) {
    TrainConfig config = config_;
    change(config);
    return refusal(config);
  };
  EXPECT_THAT(with([](auto& c) { c.seed = 7; }), HasSubstr("the seed is 7, and was 1"));
  EXPECT_THAT(with([](auto& c) { c.train.sequence_length = 25; }),
              HasSubstr("train.sequence_length is 25, and was 24"));
  EXPECT_THAT(with([](auto& c) { c.data.attention_within_documents = true; }),
              HasSubstr("data.attention_within_documents is true, and was false"));
  EXPECT_THAT(with([](auto& c) {
                c.data.sources = {{"a", "", 3.0}};
              }),
              HasSubstr("source 'b' is missing"));
  EXPECT_THAT(with([](auto& c) {
                c.data.sources = {{"a", "", 1.0}, {"b", "", 3.0}};
              }),
              HasSubstr("the order or the weights of the data's sources differ"));
}

TEST_F(RunIdentityOf, ANewSourceIsNamed) {
  config_.output = dir_ / "other";
  config_.data.sources = {{"a", "", 3.0}};
  ASSERT_EQ(run(config_), 0);
  config_.data.sources.clear();
  EXPECT_THAT(refusal(config_), HasSubstr("source 'b' is new"));
}

TEST_F(RunIdentityOf, WeightsCountByTheirRatio) {
  config_.data.sources = {{"a", "", 6.0}, {"b", "", 2.0}};
  EXPECT_EQ(run(config_), 0);
}

// A source of weight 0 is validated alone, and may change, go or come between two runs.
TEST_F(RunIdentityOf, SourcesOfWeight0DoNotCount) {
  TrainConfig config = tiny(dir_, "other");
  config.train.steps = 2;
  config.data.sources = {{"a", "", 0.0}, {"b", "", 1.0}};
  ASSERT_EQ(run(config), 0);
  config.train.steps = 3;
  prepare_changed(dir_, [](auto& lines) { lines.resize(100); });
  EXPECT_EQ(run(config), 0) << "another text of it";
  config.train.steps = 4;
  config.data.sources = {{"b", "", 1.0}};
  EXPECT_EQ(run(config), 0) << "gone";
  config.train.steps = 5;
  config.data.sources = {{"b", "", 1.0}, {"a", "", 0.0}};
  EXPECT_EQ(run(config), 0) << "there again";
  config.data.sources = {{"b", "", 1.0}, {"a", "", 1.0}};
  EXPECT_THAT(refusal(config), HasSubstr("source 'a' is new"));
}

// Position and guard without names, and no checksums of the data: as older checkpoints are.
TEST_F(RunIdentityOf, AnOlderCheckpointIsResumedByItsCounts) {
  TrainConfig newer = tiny(dir_, "newer"), older = tiny(dir_, "older");
  newer.train.steps = older.train.steps = 4;
  newer.checkpoint.every_steps = 2;
  ASSERT_EQ(run(newer), 0);
  std::filesystem::create_directories(older.output + "/checkpoints");
  std::filesystem::copy(checkpoint_of(newer, 2), checkpoint_of(older, 2),
                        std::filesystem::copy_options::recursive);
  replace_state(checkpoint_of(older, 2),
                unnamed_state_text(Checkpoint(checkpoint_of(newer, 2)).state()));
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(older), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("an older checkpoint, without checksums of its data"),
                    HasSubstr("at step 2")));
  EXPECT_EQ(tensors_of(checkpoint_of(older, 4)), tensors_of(checkpoint_of(newer, 4)));
  const TrainingState a = Checkpoint(checkpoint_of(older, 4)).state();
  const TrainingState b = Checkpoint(checkpoint_of(newer, 4)).state();
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.data, b.data) << "saved in the new form";
  EXPECT_EQ(a.guard, b.guard);

  replace_state(checkpoint_of(older, 4), unnamed_state_text(b));
  older.train.sequence_length = 25;
  EXPECT_THAT(refusal(older), HasSubstr("train.sequence_length or"));
}

TEST_F(RunIdentityOf, AnotherObjectiveIsAnotherRun) {
  const std::string checkpoint = checkpoint_of(config_, 2);
  TrainingState state = Checkpoint(checkpoint).state();
  EXPECT_EQ(state.objective, "next_token");
  state.objective = "dpo";
  replace_state(checkpoint, state_text(state));
  EXPECT_THAT(refusal(config_), AllOf(HasSubstr(checkpoint), HasSubstr("the objective 'dpo'"),
                                      HasSubstr("this one has 'next_token'")));
  // Checkpoints made before objectives had names are pre-training's.
  std::string text = state_text(state);
  const std::string key = "\"objective\": \"dpo\",\n";
  text.erase(text.find(key), key.size());
  replace_state(checkpoint, text);
  EXPECT_EQ(run(config_), 0);
}

TEST_F(RunIdentityOf, WeightsAloneAreNoRun) {
  TrainingState state = Checkpoint(checkpoint_of(config_, 2)).state();
  state.data.reset();
  replace_state(checkpoint_of(config_, 2), state_text(state));
  EXPECT_THAT(refusal(config_), HasSubstr("no state of a run to resume"));
}

}  // namespace
}  // namespace fathom
