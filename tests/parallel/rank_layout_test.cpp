#include "parallel/rank_layout.h"

#include <gmock/gmock.h>

#include <cmath>
#include <sstream>
#include <tuple>

#include "core/error.h"

namespace fathom {
namespace {

ModelConfig model() {
  ModelConfig c;
  c.num_layers = 5;
  c.hidden_size = 32;
  c.num_heads = 8;
  c.num_kv_heads = 2;
  c.intermediate_size = 40;
  c.vocab_size = 50;
  return resolve(c);
}

ParallelConfig layout(std::int64_t pp, std::int64_t dp, std::int64_t tp) {
  ParallelConfig c;
  c.pp = pp;
  c.dp = dp;
  c.tp = tp;
  return c;
}

constexpr ParallelFacts facts{8, 1, 16};

TEST(RankLayout, TensorParallelRanksAreNeighbours) {
  const RankLayout l = resolve(layout(2, 0, 2), 8, model(), facts).layout;
  EXPECT_EQ(l.dp, 2);
  for (int rank = 0; rank < 8; ++rank) EXPECT_EQ(l.rank_of(l.place_of(rank)), rank);
  EXPECT_EQ(l.place_of(5), (RankPlace{1, 0, 1}));
  EXPECT_EQ(l.name_of(5), "rank 5 (pp 1, dp 0, tp 1)");
}

std::string error_of(const ParallelConfig& config, int ranks, const ModelConfig& m = model(),
                     const ParallelFacts& f = facts) {
  try {
    resolve(config, ranks, m, f);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

TEST(RankLayout, RefusesWhatCannotBeWithItsReason) {
  EXPECT_EQ(error_of(layout(3, 0, 1), 8),
            "parallel.pp (3) times parallel.tp (1) does not divide the 8 ranks");
  EXPECT_EQ(error_of(layout(2, 2, 1), 8),
            "parallel: pp (2) × dp (2) × tp (1) is 4, and there are 8 ranks: launch as many, or "
            "set parallel.dp=0");
  EXPECT_EQ(error_of(layout(1, 0, 3), 3), "parallel.tp (3) does not divide model.num_heads (8)");
  ModelConfig m = model();
  m.num_heads = 12;
  m.num_kv_heads = 4;
  EXPECT_EQ(error_of(layout(1, 1, 6), 6, m),
            "parallel.tp (6) neither divides model.num_kv_heads (4) nor is a multiple of it");
  m = model();
  m.intermediate_size = 42;
  EXPECT_EQ(error_of(layout(1, 1, 4), 4, m),
            "parallel.tp (4) does not divide model.intermediate_size (42): use 44");
  ParallelConfig c = layout(1, 1, 4);
  c.sequence_parallel = true;
  EXPECT_EQ(error_of(c, 4, model(), {8, 1, 18}),
            "parallel.tp (4) does not divide the 18 tokens of a micro-batch, as "
            "parallel.sequence_parallel wants: change train.micro_batch or train.sequence_length");
  c.sequence_pieces = 3;
  EXPECT_EQ(error_of(c, 4),
            "parallel.sequence_pieces (3) times parallel.tp (4) does not divide the 16 tokens of a "
            "micro-batch: use fewer pieces");
  c.sequence_parallel = false;
  EXPECT_THAT(error_of(c, 4), testing::HasSubstr("parallel.sequence_pieces is 3, but"));
  c.sequence_pieces = 0;
  EXPECT_EQ(error_of(c, 4), "parallel.sequence_pieces is 0: use 1 or more");
  EXPECT_EQ(error_of(layout(1, 0, 1), 3),
            "train.global_batch (8) is not a multiple of train.micro_batch (1) times parallel.dp "
            "(3)");
  EXPECT_EQ(error_of(layout(6, 1, 1), 6),
            "parallel: 6 parts (pp × virtual_stages) are more than the model's 5 blocks");
  c = layout(2, 1, 1);
  c.virtual_stages = 2;
  EXPECT_EQ(error_of(c, 2),
            "parallel.virtual_stages is 2: that wants parallel.schedule=\"interleaved\" and "
            "parallel.pp of 2 or more");
  c.schedule = PipelineSchedule::interleaved;
  EXPECT_EQ(error_of(c, 2, model(), {9, 1, 16}),
            "parallel.schedule is interleaved, and the 9 micro-batches of a step are not a "
            "multiple of parallel.pp (2): change train.micro_batch or train.global_batch");
  c.schedule = PipelineSchedule::one_f_one_b;
  c.virtual_stages = 1;
  c.stage_layers = {2, 2};
  EXPECT_EQ(error_of(c, 2),
            "parallel.stage_layers is [2, 2]: give 2 numbers from 1 that make 5 blocks together");
}

TEST(RankLayout, RefusesNumbersThatAreNone) {
  EXPECT_EQ(error_of(layout(0, 1, 1), 1), "parallel.pp is 0: use 1 or more");
  EXPECT_EQ(error_of(layout(1, -1, 1), 1), "parallel.dp is -1: use 0 or more");
  EXPECT_EQ(error_of(layout(1, 1, 0), 1), "parallel.tp is 0: use 1 or more");
  ParallelConfig c = layout(2, 1, 1);
  c.virtual_stages = 0;
  EXPECT_EQ(error_of(c, 2), "parallel.virtual_stages is 0: use 1 or more");
  ModelConfig m = model();
  m.vocab_size = 9;
  EXPECT_EQ(error_of(layout(1, 1, 8), 8, m), "parallel.tp (8) is too large for a vocabulary of 9");
  m.vocab_size = 14;  // in twos the eighth rank has none
  EXPECT_EQ(error_of(layout(1, 1, 8), 8, m), "parallel.tp (8) is too large for a vocabulary of 14");
  m.vocab_size = 15;
  EXPECT_EQ(error_of(layout(1, 1, 8), 8, m), "no error");
}

// The blocks that a user deals out: as many numbers as parts, from 1, all blocks together.
TEST(RankLayout, RefusesBlocksThatAreDealtOutWrongly) {
  const auto error_with = [](std::vector<std::int64_t> blocks) {
    ParallelConfig c = layout(2, 1, 1);
    c.stage_layers = std::move(blocks);
    return error_of(c, 2);
  };
  for (const char* blocks : {"5", "2, 2, 1", "0, 5", "6, -1", "1, 5"}) {
    std::vector<std::int64_t> numbers;
    std::istringstream text(blocks);
    for (std::string number; std::getline(text, number, ',');)
      numbers.push_back(std::stoll(number));
    EXPECT_EQ(error_with(numbers), fmt::format("parallel.stage_layers is [{}]: give 2 numbers from "
                                               "1 that make 5 blocks together",
                                               blocks));
  }
  EXPECT_EQ(error_with({4, 1}), "no error");
}

TEST(RankLayout, BalancesOnlyWhatHasABlockForEachPart) {
  EXPECT_THROW(balance_stages(3, 4, 0), Error);
  EXPECT_THROW(balance_stages(3, 0, 0), Error);
  EXPECT_EQ(balance_stages(3, 3, 0).back().last_layer, 3);
}

TEST(RankLayout, OneRankHasTheWholeModel) {
  const ParallelPlan plan = one_rank_plan(model());
  EXPECT_EQ(plan.layout.world(), 1);
  ASSERT_EQ(plan.stages.size(), 1u);
  EXPECT_EQ(plan.stages[0].first_layer, 0);
  EXPECT_EQ(plan.stages[0].last_layer, 5);
}

// On one stage every schedule is the one that keeps a single micro-batch in flight.
TEST(RankLayout, TheScheduleIsTheConfigsWhereThereAreStages) {
  ParallelConfig c = layout(1, 1, 1);
  c.schedule = PipelineSchedule::gpipe;
  c.overlap = false;
  const ParallelPlan one = resolve(c, 1, model(), facts);
  EXPECT_EQ(one.schedule, PipelineSchedule::one_f_one_b);
  EXPECT_FALSE(one.overlap);
  c.pp = 2;
  EXPECT_EQ(resolve(c, 2, model(), facts).schedule, PipelineSchedule::gpipe);
  c = layout(1, 2, 1);
  c.zero = false;
  EXPECT_FALSE(resolve(c, 2, model(), facts).zero);
}

// Ranks that wait add the timeout to a clock of 64-bit nanoseconds.
TEST(RankLayout, RefusesATimeoutThatNoClockCanAdd) {
  const auto with = [](double seconds) {
    ParallelConfig c;
    c.timeout_seconds = seconds;
    return c;
  };
  for (const double seconds : {0.0, -1.0, 1e10, HUGE_VAL, std::nan("")}) {
    try {
      communicator_options(with(seconds));
      ADD_FAILURE() << seconds;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      EXPECT_EQ(std::string(error.what()),
                fmt::format("parallel.timeout_seconds is {}: use a positive number, at most "
                            "1000000000",
                            seconds));
    }
  }
  EXPECT_EQ(communicator_options(with(1e9)).timeout_seconds, 1e9);
}

TEST(RankLayout, RefusesADiskTimeoutThatIsNone) {
  ParallelConfig c;
  EXPECT_EQ(communicator_options(c).disk_timeout_seconds, 1800);
  for (const double seconds : {0.0, 2.5, 1e9}) {
    c.disk_timeout_seconds = seconds;
    EXPECT_EQ(communicator_options(c).disk_timeout_seconds, seconds);
  }
  for (const double seconds : {-1.0, 1e10, std::nan("")}) {
    c.disk_timeout_seconds = seconds;
    try {
      communicator_options(c);
      ADD_FAILURE() << seconds;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      EXPECT_EQ(std::string(error.what()),
                fmt::format("parallel.disk_timeout_seconds is {}: use 0 (no limit) or more, at "
                            "most 1000000000",
                            seconds));
    }
  }
}

TEST(RankLayout, OptionsOfTheRanksAreThoseOfTheConfig) {
  ParallelConfig c;
  for (const bool peer_memory : {false, true}) {
    c.peer_memory = peer_memory;
    c.timeout_seconds = 7;
    c.disk_timeout_seconds = 11;
    const CommunicatorOptions options = communicator_options(c);
    EXPECT_EQ(options.peer_memory, peer_memory);
    EXPECT_EQ(options.timeout_seconds, 7);
    EXPECT_EQ(options.disk_timeout_seconds, 11);
  }
}

TEST(RankLayout, EachRankHasItsPlaceInItsName) {
  const RankLayout l{2, 3, 2};
  EXPECT_EQ(l.world(), 12);
  const std::vector<std::string> names = l.names();
  ASSERT_EQ(names.size(), 12u);
  EXPECT_EQ(names[0], "rank 0 (pp 0, dp 0, tp 0)");
  EXPECT_EQ(names[3], "rank 3 (pp 0, dp 1, tp 1)");
  EXPECT_EQ(names[11], "rank 11 (pp 1, dp 2, tp 1)");
  EXPECT_EQ(l.rank_of({1, 0, 0}), 6);
}

// Parts of a stage are a round of all stages apart.
TEST(RankLayout, AStagesPartsComeInTurn) {
  ParallelConfig c = layout(2, 1, 1);
  c.schedule = PipelineSchedule::interleaved;
  c.virtual_stages = 2;
  c.stage_layers = {1, 1, 2, 1};
  const ParallelPlan plan = resolve(c, 2, model(), facts);
  const auto first_of = [&](int stage, int chunk) { return plan.part(stage, chunk).first_layer; };
  EXPECT_EQ(first_of(0, 0), 0);
  EXPECT_EQ(first_of(1, 0), 1);
  EXPECT_EQ(first_of(0, 1), 2);
  EXPECT_EQ(first_of(1, 1), 4);
}

// Heads of keys are split or copied as a whole, whatever the heads of queries allow.
TEST(RankLayout, KeyHeadsAreSplitOrCopied) {
  for (const auto& [kv_heads, tp, fits] : {std::tuple(2, 1, true),
                                           {2, 2, true},
                                           {2, 4, true},
                                           {2, 8, true},
                                           {8, 8, true},
                                           {4, 8, true},
                                           {1, 8, true}}) {
    ModelConfig m = model();
    m.num_kv_heads = kv_heads;
    EXPECT_EQ(error_of(layout(1, 1, tp), tp, m) == "no error", fits) << kv_heads << ", " << tp;
  }
}

TEST(RankLayout, TheBatchIsDealtOutWhole) {
  const auto error_with = [](std::int64_t global, std::int64_t micro) {
    return error_of(layout(1, 2, 1), 2, model(), {global, micro, 16});
  };
  EXPECT_EQ(error_with(8, 4), "no error");
  EXPECT_EQ(error_with(2, 1), "no error");
  EXPECT_EQ(error_with(8, 8),
            "train.global_batch (8) is not a multiple of train.micro_batch (8) times parallel.dp "
            "(2)");
  EXPECT_EQ(error_with(12, 4),
            "train.global_batch (12) is not a multiple of train.micro_batch (4) times parallel.dp "
            "(2)");
}

// An interleaved step's micro-batches go round in groups of as many as there are stages.
TEST(RankLayout, InterleavedMicroBatchesComeInGroups) {
  ParallelConfig c = layout(2, 2, 1);
  c.schedule = PipelineSchedule::interleaved;
  EXPECT_EQ(error_of(c, 4, model(), {8, 2, 16}), "no error");
  EXPECT_THAT(error_of(c, 4, model(), {4, 2, 16}),
              testing::HasSubstr("the 1 micro-batches of a step are not a multiple of parallel.pp "
                                 "(2)"));
  c.pp = 1;
  c.dp = 4;
  c.virtual_stages = 2;
  EXPECT_THAT(error_of(c, 4), testing::HasSubstr("parallel.virtual_stages is 2: that wants"));
}

// Each number of a micro-batch's layout alone, at the edge of what is taken.
TEST(RankLayout, TakesWhatJustFits) {
  ParallelConfig c = layout(2, 1, 1);
  c.schedule = PipelineSchedule::interleaved;
  c.virtual_stages = 2;
  const ParallelPlan interleaved = resolve(c, 2, model(), {6, 1, 16});
  EXPECT_EQ(interleaved.virtual_stages, 2);
  EXPECT_EQ(interleaved.stages.size(), 4u);
  c = layout(2, 2, 2);
  c.sequence_parallel = true;
  c.sequence_pieces = 4;
  c.stage_layers = {1, 4};
  const ParallelPlan plan = resolve(c, 8, model(), {4, 2, 8});
  EXPECT_TRUE(plan.sequence_parallel && plan.zero && plan.overlap);
  EXPECT_EQ(plan.sequence_pieces, 4);
  EXPECT_EQ(plan.stages[0].last_layer, 1);
  EXPECT_EQ(plan.stages[1].first_layer, 1);
  EXPECT_EQ(plan.stages[1].last_layer, 5);
  // Of one rank there is nothing to share.
  c = layout(1, 1, 1);
  c.sequence_parallel = true;
  c.sequence_pieces = 4;
  const ParallelPlan alone = resolve(c, 1, model(), facts);
  EXPECT_FALSE(alone.sequence_parallel || alone.zero);
  EXPECT_EQ(alone.sequence_pieces, 1);
}

std::vector<std::int64_t> counts(const std::vector<StageRange>& stages) {
  std::vector<std::int64_t> result;
  for (const StageRange& s : stages) result.push_back(s.last_layer - s.first_layer);
  return result;
}

TEST(RankLayout, StagesAreBalancedWithTheHead) {
  EXPECT_EQ(counts(balance_stages(8, 4, 0)), (std::vector<std::int64_t>{2, 2, 2, 2}));
  EXPECT_EQ(counts(balance_stages(7, 4, 1.0)), (std::vector<std::int64_t>{2, 2, 2, 1}));
  EXPECT_EQ(counts(balance_stages(5, 2, 0)), (std::vector<std::int64_t>{2, 3}));
  // 95 blocks on 8 stages, the head as dear as one: the slowest has 12.
  EXPECT_EQ(counts(balance_stages(95, 8, 1.0)),
            (std::vector<std::int64_t>{12, 12, 12, 12, 12, 12, 12, 11}));
  EXPECT_EQ(counts(balance_stages(4, 3, 9.0)), (std::vector<std::int64_t>{1, 2, 1}));
}

// The head costs as its weights do, a block as its weights and its attention do: the longer the
// sequences, the cheaper the head.
TEST(RankLayout, TheHeadWeighsLessOfLongerSequences) {
  ModelConfig m = model();
  m.num_layers = 8;
  const std::int64_t head = m.vocab_size * m.hidden_size;
  const std::int64_t block = (count_matmul_parameters(m) - head) / m.num_layers;
  const auto counts_with = [&](std::int64_t vocabulary, std::int64_t length) {
    m.vocab_size = vocabulary;
    return counts(resolve(layout(2, 1, 1), 2, m, {8, 1, length}).stages);
  };
  const std::int64_t attention = m.query_width();  // for each token before
  // Four blocks of 16 tokens cost as much as the head, and two of many.
  const std::int64_t vocabulary = 4 * (block + 16 * attention) / m.hidden_size;
  EXPECT_EQ(counts_with(vocabulary, 16), (std::vector<std::int64_t>{6, 2}));
  const std::int64_t twice = (2 * (block + 16 * attention) - block) / attention;
  EXPECT_EQ(counts_with(vocabulary, twice), (std::vector<std::int64_t>{5, 3}));
  EXPECT_EQ(counts_with(8, 16), (std::vector<std::int64_t>{4, 4}));
}

}  // namespace
}  // namespace fathom
