// What a sequence still needs: tokens to read, and rows of logits.
#include "infer/sequence.h"

#include <gmock/gmock.h>

namespace fathom::infer {
namespace {

using testing::ElementsAre;

// A prompt of four tokens that may become six.
Sequence four_tokens() {
  Sequence sequence;
  sequence.tokens = {5, 6, 7, 8};
  sequence.prompt_length = 4;
  sequence.max_length = 6;
  return sequence;
}

std::vector<std::int64_t> rows_after_each(const Sequence& sequence) {
  std::vector<std::int64_t> rows;
  for (std::int64_t t = 0; t < sequence.length(); ++t) rows.push_back(sequence.logits_after(t));
  return rows;
}

TEST(Sequence, NeedsLogitsAfterItsLastTokenAlone) {
  Sequence sequence = four_tokens();
  EXPECT_THAT(rows_after_each(sequence), ElementsAre(0, 0, 0, 1));
  sequence.append(9);
  EXPECT_THAT(rows_after_each(sequence), ElementsAre(0, 0, 0, 0, 1));
  EXPECT_FALSE(sequence.scores_prompt());
  EXPECT_EQ(sequence.shareable(), 5);
}

TEST(Sequence, NeedsLogitsBeforeEachTokenThatIsScored) {
  Sequence sequence = four_tokens();
  sequence.prompt_log_probabilities = 0;
  EXPECT_THAT(rows_after_each(sequence), ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(sequence.shareable(), 1);
  sequence.scores_from = 3;
  EXPECT_THAT(rows_after_each(sequence), ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(sequence.shareable(), 3);
  sequence.alternatives = {1, 2};  // of the prompt's last token
  EXPECT_THAT(rows_after_each(sequence), ElementsAre(0, 0, 3, 1));
}

// As after a preemption: what was scored before is there.
TEST(Sequence, NeedsNoLogitsOfScoresThatItHas) {
  Sequence sequence = four_tokens();
  sequence.prompt_log_probabilities = 0;
  sequence.prompt_scores.resize(2);
  EXPECT_TRUE(sequence.scores_prompt());
  EXPECT_THAT(rows_after_each(sequence), ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(sequence.shareable(), 3);
  sequence.prompt_scores.resize(3);
  EXPECT_FALSE(sequence.scores_prompt());
  EXPECT_THAT(rows_after_each(sequence), ElementsAre(0, 0, 0, 1));
  EXPECT_EQ(sequence.shareable(), 4);
}

TEST(Sequence, ReadsWhatIsNotCachedAndNoLastTokenThatIsOnlyScored) {
  Sequence sequence = four_tokens();
  EXPECT_FALSE(sequence.only_scores());
  EXPECT_EQ(sequence.pending(), 4);
  sequence.cached = 3;
  EXPECT_EQ(sequence.pending(), 1);
  sequence.cached = 0;
  sequence.max_length = 4;
  EXPECT_TRUE(sequence.only_scores());
  EXPECT_EQ(sequence.pending(), 3);
}

TEST(Sequence, TellsWhyItEndedByName) {
  EXPECT_EQ(to_string(FinishReason::none), "none");
  EXPECT_EQ(to_string(FinishReason::end_of_text), "end_of_text");
  EXPECT_EQ(to_string(FinishReason::stop), "stop");
  EXPECT_EQ(to_string(FinishReason::length), "length");
}

}  // namespace
}  // namespace fathom::infer
