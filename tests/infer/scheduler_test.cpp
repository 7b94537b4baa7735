#include "infer/scheduler.h"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>

#include "core/error.h"

namespace fathom::infer {
namespace {

Sequence make_sequence(SequenceId id, std::int64_t prompt, std::int64_t generate) {
  Sequence sequence;
  sequence.id = id;
  for (std::int64_t i = 0; i < prompt; ++i) {  // like no other sequence's
    sequence.tokens.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(id) * 1000 + i));
  }
  sequence.prompt_length = prompt;
  sequence.max_length = prompt + generate;
  return sequence;
}

// Acts as a model: reads the chunks and draws a token for each complete one.
// Returns the sequences that finished.
std::vector<SequenceId> run_step(Scheduler& scheduler, const std::vector<Chunk>& chunks) {
  std::vector<Sequence*> ready;
  std::vector<SequenceId> done;
  for (const Chunk& chunk : chunks) {
    if (chunk.samples()) ready.push_back(chunk.sequence);
  }
  scheduler.commit(chunks);
  for (Sequence* sequence : ready) {
    sequence->append(2);
    if (sequence->finish != FinishReason::none) done.push_back(sequence->id);
  }
  scheduler.remove_finished();
  return done;
}

TEST(Scheduler, BatchesContinuously) {
  Scheduler scheduler(100, 4, {2, 64});
  scheduler.add(make_sequence(0, 5, 1));
  scheduler.add(make_sequence(1, 6, 3));
  scheduler.add(make_sequence(2, 7, 1));
  auto chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 2u);  // max_sequences
  EXPECT_EQ(chunks[0].count, 5);
  EXPECT_EQ(chunks[1].count, 6);
  EXPECT_THAT(run_step(scheduler, chunks), testing::ElementsAre(0u));
  chunks = scheduler.schedule();  // sequence 2 takes the place of 0 at once
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].sequence->id, 1u);
  EXPECT_EQ(chunks[0].count, 1);
  EXPECT_EQ(chunks[1].sequence->id, 2u);
  EXPECT_EQ(chunks[1].count, 7);
}

TEST(Scheduler, ReadsLongPromptsInChunksBesideGeneration) {
  Scheduler scheduler(100, 4, {4, 8});
  scheduler.add(make_sequence(0, 3, 20));
  run_step(scheduler, scheduler.schedule());
  scheduler.add(make_sequence(1, 20, 1));
  std::vector<std::int64_t> counts;
  for (int step = 0; step < 3; ++step) {
    const auto chunks = scheduler.schedule();
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_EQ(chunks[0].count, 1);  // generation continues
    EXPECT_EQ(chunks[1].samples(), step == 2);
    counts.push_back(chunks[1].count);
    run_step(scheduler, chunks);
  }
  EXPECT_THAT(counts, testing::ElementsAre(7, 7, 6));
}

TEST(Scheduler, PreemptsTheYoungestWhenPagesRunOut) {
  Scheduler scheduler(4, 4, {4, 64});
  scheduler.add(make_sequence(0, 4, 9));
  scheduler.add(make_sequence(1, 4, 9));
  run_step(scheduler, scheduler.schedule());
  ASSERT_EQ(scheduler.num_running(), 2);
  // Both need a second page now, and both get one; the third is one too many.
  while (scheduler.preemptions() == 0) run_step(scheduler, scheduler.schedule());
  EXPECT_EQ(scheduler.num_running(), 1);
  EXPECT_EQ(scheduler.num_waiting(), 1);
  const auto chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].sequence->id, 0u);
}

// A preempted sequence is admitted next, before sequences that never ran.
TEST(Scheduler, ReadmitsAPreemptedSequenceFirst) {
  Scheduler scheduler(4, 4, {2, 64, false});
  scheduler.add(make_sequence(0, 4, 9));
  scheduler.add(make_sequence(1, 4, 9));
  run_step(scheduler, scheduler.schedule());
  scheduler.add(make_sequence(2, 1, 2));
  scheduler.add(make_sequence(3, 1, 2));
  while (scheduler.preemptions() == 0) run_step(scheduler, scheduler.schedule());
  std::vector<SequenceId> admitted, done;
  while (!scheduler.empty()) {
    const auto chunks = scheduler.schedule();
    for (const Chunk& chunk : chunks) {
      if (chunk.first == 0) admitted.push_back(chunk.sequence->id);
    }
    for (const SequenceId id : run_step(scheduler, chunks)) done.push_back(id);
  }
  EXPECT_THAT(admitted, testing::ElementsAre(1u, 2u, 3u));
  EXPECT_THAT(done, testing::UnorderedElementsAre(0u, 1u, 2u, 3u));
}

// A page to spare for each sequence that runs: without it the newcomer would be
// preempted in the next step.
TEST(Scheduler, AdmitsOnlyBesideASparePageForEachThatRuns) {
  Scheduler scheduler(3, 4, {4, 64});
  scheduler.add(make_sequence(0, 4, 4));
  run_step(scheduler, scheduler.schedule());
  scheduler.add(make_sequence(1, 8, 1));  // needs 2 pages; 2 are free, one of them spare
  auto chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].sequence->id, 0u);
  EXPECT_EQ(scheduler.num_waiting(), 1);
}

// Sequences that have all the pages that they can ever need leave none spare.
TEST(Scheduler, SparesNoPageForThoseThatCannotGrow) {
  Scheduler scheduler(3, 4, {3, 64});
  for (const SequenceId id : {0u, 1u, 2u}) scheduler.add(make_sequence(id, 2, 3));
  EXPECT_EQ(scheduler.schedule().size(), 3u);
}

// Nobody overtakes the first in line.
TEST(Scheduler, AdmitsInTheOrderOfArrival) {
  Scheduler scheduler(5, 4, {4, 64});
  scheduler.add(make_sequence(0, 8, 1));
  run_step(scheduler, {});
  scheduler.add(make_sequence(1, 17, 1));  // 5 pages: waits for 0 to end
  scheduler.add(make_sequence(2, 1, 1));
  const auto chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_THAT(run_step(scheduler, chunks), testing::ElementsAre(0u));
  const auto next = scheduler.schedule();
  ASSERT_FALSE(next.empty());
  EXPECT_EQ(next[0].sequence->id, 1u);
}

TEST(Scheduler, EndsASequenceAtItsEndTokenBeforeItsLength) {
  Sequence sequence = make_sequence(0, 3, 1);
  sequence.end_tokens = {7, 2};
  sequence.append(2);  // the end token is also the last there is room for
  EXPECT_EQ(sequence.finish, FinishReason::end_of_text);
  sequence = make_sequence(0, 3, 2);
  sequence.append(2);
  EXPECT_EQ(sequence.finish, FinishReason::none);
  sequence.append(2);
  EXPECT_EQ(sequence.finish, FinishReason::length);
}

TEST(Scheduler, CancelsWaitingAndRunning) {
  Scheduler scheduler(4, 4, {1, 8});
  scheduler.add(make_sequence(0, 4, 4));
  scheduler.add(make_sequence(1, 4, 4));
  run_step(scheduler, scheduler.schedule());
  EXPECT_TRUE(scheduler.cancel(0));
  EXPECT_TRUE(scheduler.cancel(1));
  EXPECT_FALSE(scheduler.cancel(1));
  EXPECT_TRUE(scheduler.empty());
  EXPECT_EQ(scheduler.blocks().free_pages(), 4);
  EXPECT_TRUE(scheduler.schedule().empty());
}

TEST(Scheduler, CancelsTheSequenceOfTheNumberAlone) {
  Scheduler scheduler(8, 4, {2, 8});
  for (const SequenceId id : {0u, 1u, 2u, 3u}) scheduler.add(make_sequence(id, 4, 4));
  run_step(scheduler, scheduler.schedule());
  EXPECT_TRUE(scheduler.cancel(1));
  EXPECT_TRUE(scheduler.cancel(3));
  EXPECT_FALSE(scheduler.cancel(9));
  const auto chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].sequence->id, 0u);
  EXPECT_EQ(chunks[1].sequence->id, 2u);
}

TEST(Scheduler, RefusesWhatCanNeverRun) {
  Scheduler scheduler(2, 4, {1, 8});
  EXPECT_THAT([&] { scheduler.add(make_sequence(3, 4, 6)); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("sequence 3 of up to 10 tokens")));
  scheduler.add(make_sequence(3, 4, 5));  // its ninth token is never read
  EXPECT_THAT([&] { scheduler.add(make_sequence(4, 0, 5)); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("has no tokens")));
  EXPECT_THROW(Scheduler(2, 4, {4, 3}), Error);
  EXPECT_THROW(Scheduler(2, 4, {0, 8}), Error);
  EXPECT_THROW(Scheduler(2, 4, {0, 0}), Error);
  EXPECT_NO_THROW(Scheduler(2, 4, {4, 4}));
}

// Random loads on small caches: within every step's limits, no page shared, each
// token read in order before the next is drawn, all sequences finish.
TEST(Scheduler, FinishesEverySequenceUnderPressure) {
  std::int64_t preemptions = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const SchedulerLimits limits{1 + static_cast<std::int64_t>(random() % 6),
                                 6 + static_cast<std::int64_t>(random() % 12), seed % 2 == 0};
    const std::int64_t page_size = 1 + static_cast<std::int64_t>(random() % 5);
    const std::int64_t pages = 40 / page_size + static_cast<std::int64_t>(random() % 20);
    Scheduler scheduler(pages, page_size, limits);
    std::map<SequenceId, std::int64_t> read;  // tokens in the cache, as the model knows
    std::set<SequenceId> done;
    SequenceId next = 0;
    for (int step = 0; done.size() < 20; ++step) {
      ASSERT_LT(step, 20000) << "seed " << seed;
      while (next < 20 && random() % 3 == 0) {
        scheduler.add(make_sequence(next++, 1 + static_cast<std::int64_t>(random() % 20),
                                    1 + static_cast<std::int64_t>(random() % 20)));
      }
      const auto chunks = scheduler.schedule();
      ASSERT_EQ(chunks.empty(), scheduler.empty());
      std::set<std::int32_t> used;
      std::int64_t tokens = 0, taken = 0;
      for (const Chunk& chunk : chunks) {
        const Sequence& s = *chunk.sequence;
        if (chunk.first < read[s.id]) {  // preempted: the pages that are known are left
          ASSERT_EQ(limits.share_prefixes ? chunk.first % page_size : chunk.first, 0);
          read[s.id] = chunk.first;
        }
        ASSERT_EQ(chunk.first, read[s.id]);
        ASSERT_GT(chunk.count, 0);
        read[s.id] += chunk.count;
        tokens += chunk.count;
        taken += static_cast<std::int64_t>(s.pages.size());
        used.insert(s.pages.begin(), s.pages.end());
        ASSERT_GE(taken * page_size, chunk.first + chunk.count);
      }
      ASSERT_LE(tokens, limits.max_tokens_per_step);
      ASSERT_LE(static_cast<std::int64_t>(chunks.size()), limits.max_sequences);
      ASSERT_EQ(static_cast<std::int64_t>(used.size()), taken);
      for (const SequenceId id : run_step(scheduler, chunks)) ASSERT_TRUE(done.insert(id).second);
    }
    EXPECT_EQ(scheduler.blocks().free_pages(), pages);
    preemptions += scheduler.preemptions();
  }
  EXPECT_GT(preemptions, 100);  // the loads were heavy enough to matter
}

// A sequence of a common beginning and tokens of its own.
Sequence that_begins(SequenceId id, std::int64_t common, std::int64_t own) {
  Sequence sequence = make_sequence(id, common + own, 5);
  for (std::int64_t i = 0; i < common; ++i) sequence.tokens[static_cast<std::size_t>(i)] = 7;
  return sequence;
}

TEST(Scheduler, DoesNotReadAKnownBeginningAgain) {
  Scheduler scheduler(100, 4, {4, 64});
  scheduler.add(that_begins(1, 10, 3));
  auto chunks = scheduler.schedule();
  EXPECT_EQ(chunks[0].count, 13);
  run_step(scheduler, chunks);
  scheduler.add(that_begins(2, 10, 4));  // two pages of its beginning are full
  chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[1].first, 8);
  EXPECT_EQ(chunks[1].count, 6);
  const BlockTable &one = chunks[0].sequence->pages, &two = chunks[1].sequence->pages;
  EXPECT_EQ(one[0], two[0]);
  EXPECT_EQ(one[1], two[1]);
  EXPECT_NE(one[2], two[2]);
  EXPECT_EQ(scheduler.admitted_tokens(), 13 + 14);
  EXPECT_EQ(scheduler.shared_tokens(), 8);
}

// The last token of a prompt is read in any case: its logits are wanted.
TEST(Scheduler, ReadsAtLeastOneTokenOfAKnownPrompt) {
  Scheduler scheduler(100, 4, {4, 64});
  for (const SequenceId id : {1, 2}) {
    scheduler.add(that_begins(id, 8, 0));
    const auto chunks = scheduler.schedule();
    EXPECT_EQ(chunks.back().first, id == 1 ? 0 : 4);
    EXPECT_EQ(chunks.back().count, id == 1 ? 8 : 4);
    run_step(scheduler, chunks);
  }
}

TEST(Scheduler, WaitsWhileAnotherReadsTheSameBeginning) {
  Scheduler scheduler(100, 4, {4, 16});
  scheduler.add(that_begins(1, 24, 3));
  scheduler.add(that_begins(2, 24, 3));
  std::vector<std::int64_t> sequences, firsts;
  for (int step = 0; step < 3; ++step) {
    const auto chunks = scheduler.schedule();
    sequences.push_back(std::ssize(chunks));
    firsts.push_back(chunks.back().first);
    run_step(scheduler, chunks);
  }
  // The first reads 16 tokens, then the rest; the second waits until all that they share is read.
  EXPECT_THAT(sequences, testing::ElementsAre(1, 1, 2));
  EXPECT_EQ(firsts[2], 24);
  EXPECT_EQ(scheduler.shared_tokens(), 24);
}

// One that waits for a beginning lets others pass, and comes next.
TEST(Scheduler, LetsOthersPassWhoseBeginningIsNotBeingRead) {
  Scheduler scheduler(100, 4, {4, 64});
  scheduler.add(that_begins(1, 24, 3));
  scheduler.add(that_begins(2, 24, 3));
  scheduler.add(make_sequence(3, 9, 1));
  const auto chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].sequence->id, 1u);
  EXPECT_EQ(chunks[1].sequence->id, 3u);
  run_step(scheduler, chunks);
  const auto next = scheduler.schedule();
  EXPECT_EQ(next.back().sequence->id, 2u);
  EXPECT_EQ(next.back().first, 24);
}

// Not more than may run: each look takes time.
TEST(Scheduler, LetsOthersPassOnlyAFewThatWait) {
  for (const SequenceId waiting : {2u, 3u}) {
    Scheduler scheduler(100, 4, {2, 64});
    for (SequenceId id = 0; id <= waiting; ++id) scheduler.add(that_begins(id, 24, 3));
    scheduler.add(make_sequence(9, 5, 1));
    const auto chunks = scheduler.schedule();
    ASSERT_EQ(chunks.size(), waiting == 2 ? 2u : 1u);
    EXPECT_EQ(chunks[0].sequence->id, 0u);
    EXPECT_EQ(chunks.back().sequence->id, waiting == 2 ? 9u : 0u);
  }
}

// A whole page behind which a token is left to read: shorter ones are read twice.
TEST(Scheduler, WaitsForBeginningsOfAPageAndMore) {
  for (const std::int64_t common : {3, 4}) {
    for (const std::int64_t own : {0, 1}) {
      Scheduler scheduler(100, 4, {4, 64});
      for (const SequenceId id : {1, 2}) scheduler.add(that_begins(id, common, own));
      EXPECT_EQ(scheduler.schedule().size(), common == 4 && own == 1 ? 1u : 2u)
          << common << " and " << own;
    }
  }
}

TEST(Scheduler, ReadsAPromptOfAsManyTokensAsAStepAtOnce) {
  for (const std::int64_t prompt : {8, 9}) {
    Scheduler scheduler(100, 4, {2, 8});
    scheduler.add(make_sequence(0, prompt, 1));
    scheduler.add(make_sequence(1, 1, 1));
    const auto chunks = scheduler.schedule();
    ASSERT_EQ(chunks.size(), 1u) << "nothing of the step is left for the second";
    EXPECT_EQ(chunks[0].count, 8);
    EXPECT_EQ(chunks[0].samples(), prompt == 8);
  }
}

TEST(Scheduler, ForgetsBeginningsWhenTold) {
  Scheduler scheduler(100, 4, {4, 64});
  scheduler.add(that_begins(1, 10, 3));
  EXPECT_THROW(scheduler.forget_prefixes(), Error);  // its pages would be known again
  while (!scheduler.empty()) run_step(scheduler, scheduler.schedule());
  scheduler.forget_prefixes();
  scheduler.add(that_begins(2, 10, 3));
  EXPECT_EQ(scheduler.schedule()[0].count, 13);
  EXPECT_EQ(scheduler.shared_tokens(), 0);
}

// Other weights: all is read again, what was drawn too, and in the same order.
TEST(Scheduler, RestartsSequencesWithoutTheirCache) {
  Scheduler scheduler(100, 4, {2, 64});
  scheduler.add(that_begins(1, 10, 3));
  scheduler.add(make_sequence(2, 5, 3));
  scheduler.add(make_sequence(3, 5, 3));
  run_step(scheduler, scheduler.schedule());
  scheduler.restart_sequences();
  EXPECT_EQ(scheduler.num_running(), 0);
  EXPECT_EQ(scheduler.preemptions(), 0);
  EXPECT_EQ(scheduler.blocks().free_pages(), 100);
  const auto chunks = scheduler.schedule();
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].sequence->id, 1u);
  EXPECT_EQ(chunks[0].first, 0);
  EXPECT_EQ(chunks[0].count, 14);
  EXPECT_EQ(chunks[1].sequence->id, 2u);
  EXPECT_EQ(chunks[1].count, 6);
}

TEST(Scheduler, HoldsAdmission) {
  Scheduler scheduler(100, 4, {2, 64});
  scheduler.add(make_sequence(1, 5, 3));
  run_step(scheduler, scheduler.schedule());
  scheduler.add(make_sequence(2, 5, 3));
  scheduler.hold_admission(true);
  for (int step = 0; step < 2; ++step) {
    const auto chunks = scheduler.schedule();
    ASSERT_EQ(chunks.size(), 1u);
    EXPECT_EQ(chunks[0].sequence->id, 1u);
    run_step(scheduler, chunks);
  }
  EXPECT_TRUE(scheduler.schedule().empty());
  scheduler.hold_admission(false);
  EXPECT_EQ(scheduler.schedule().size(), 1u);
}

// Each sequence counts once, however often it is preempted.
TEST(Scheduler, CountsWhatFirstAdmissionsFindInTheCache) {
  Scheduler scheduler(100, 4, {4, 64});
  scheduler.add(that_begins(1, 10, 3));
  run_step(scheduler, scheduler.schedule());
  EXPECT_THAT(scheduler.first_admitted(), testing::ElementsAre(1u));
  scheduler.add(that_begins(2, 10, 4));
  Sequence scored = that_begins(3, 10, 5);
  scored.prompt_log_probabilities = 0;  // its prompt is read in any case
  scheduler.add(scored);
  run_step(scheduler, scheduler.schedule());
  EXPECT_THAT(scheduler.first_admitted(), testing::ElementsAre(2u, 3u));
  EXPECT_EQ(scheduler.prefix_queries(), 13 + 14);
  EXPECT_EQ(scheduler.prefix_hits(), 8);
  scheduler.restart_sequences();
  run_step(scheduler, scheduler.schedule());
  EXPECT_THAT(scheduler.first_admitted(), testing::IsEmpty());
  EXPECT_EQ(scheduler.prefix_queries(), 13 + 14);
}

TEST(Scheduler, SharesNothingWhenAskedNotTo) {
  Scheduler scheduler(100, 4, {4, 64, false});
  for (const SequenceId id : {1, 2}) scheduler.add(that_begins(id, 10, 3));
  EXPECT_EQ(scheduler.schedule().size(), 2u);
}

}  // namespace
}  // namespace fathom::infer
