// The largest collectives of a step, of layouts and vocabularies that are worked out by hand.
#include "parallel/step_capacity.h"

#include <gtest/gtest.h>

#include "comm/thread_ranks.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

// Hidden size 32, micro-batches of 24 tokens, whose losses are taken 8 at a time.
GroupCapacities capacities(int tp, std::int64_t vocabulary, std::int64_t logit_rows,
                           std::int64_t pieces = 0, DType dtype = DType::f32) {
  const ModelConfig model = test::small_model(2, 2, vocabulary);
  ParallelConfig layout;
  layout.tp = tp;
  layout.sequence_parallel = pieces > 0;
  layout.sequence_pieces = std::max<std::int64_t>(1, pieces);
  const ParallelPlan plan = resolve(layout, tp, model, {1, 1, 24});
  GroupCapacities found;
  run_thread_ranks(tp, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan, model);
    PipelineOptions options(groups);
    options.model = model;
    options.stage.logits_chunk = 8;
    options.dtype = dtype;
    options.micro_tokens = 24;
    options.logit_rows = logit_rows;
    const GroupCapacities c = step_capacities(options);
    if (world.rank() == 0) found = c;
  });
  return found;
}

constexpr std::size_t stream = 24 * 32 * 4;  // bytes of a micro-batch's residual stream in f32

TEST(StepCapacity, WithoutLogitsIsTheStream) {
  const GroupCapacities c = capacities(4, 50, 0);
  EXPECT_EQ(c.world, (CollectiveCapacity{.bytes = 4}));
  EXPECT_EQ(c.tensor, (CollectiveCapacity{.bytes = stream}));
  EXPECT_EQ(c.beside_products, CollectiveCapacity{});
  EXPECT_EQ(c.pipeline, (CollectiveCapacity{.broadcast_bytes = 24 * 4}));
  EXPECT_EQ(capacities(4, 50, 0, 0, DType::bf16).tensor.bytes, stream / 2);
}

// Of every rank as many columns as the one with most has: of 50 over 4 ranks 13.
TEST(StepCapacity, LogitsAreEqualBlocksOfTheVocabulary) {
  for (const auto& [vocabulary, columns_each] :
       {std::pair(48, 12), std::pair(49, 13), std::pair(50, 13), std::pair(52, 13)}) {
    const GroupCapacities c = capacities(4, vocabulary, 24);
    EXPECT_EQ(c.tensor.bytes, 4u * 24 * std::size_t(columns_each) * 4) << vocabulary;
    EXPECT_EQ(c.pipeline.broadcast_bytes, 24u * std::size_t(vocabulary) * 4);
  }
  EXPECT_EQ(capacities(2, 51, 20, 0, DType::bf16).tensor.bytes, 2u * 20 * 26 * 4);
  EXPECT_EQ(capacities(4, 50, 1).tensor.bytes, stream) << "the larger of both";
}

// A prompt is one piece, whatever a step's micro-batch is.
TEST(StepCapacity, PiecesOfASequenceAreShorterUnlessLogitsAreAskedFor) {
  const auto expect = [](const GroupCapacities& c, std::size_t tokens, std::size_t displaced,
                         int begun) {
    const std::size_t bytes = tokens * 32 * 4;
    EXPECT_EQ(c.tensor, (CollectiveCapacity{.bytes = bytes, .displaced_bytes = displaced}));
    EXPECT_EQ(c.beside_products,
              (CollectiveCapacity{.bytes = bytes, .begun_bytes = bytes / 2, .begun = begun}));
  };
  expect(capacities(2, 50, 0, 1), 24, 0, 1);
  expect(capacities(2, 50, 0, 2), 12, stream / 4, 2);
  expect(capacities(2, 50, 0, 3), 8, stream / 6, 3);
  expect(capacities(2, 50, 1, 2), 24, stream / 4, 2);
}

}  // namespace
}  // namespace fathom
