// Conversations as rows: what is in them, and in which order.
#include "align/sft_source.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "align/random_examples.h"
#include "align/sft_objective.h"
#include "core/error.h"
#include "io/temp_dir.h"
#include "parallel/small_model.h"
#include "train/metric_names.h"

namespace fathom {
namespace {

using test::random_examples;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int64_t> all_of(const ExampleSet& examples) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(examples.size()));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

SftSource source_of(const std::shared_ptr<const ExampleSet>& examples, const SftRows& rows) {
  return {examples, all_of(*examples), rows};
}

// Conversations of these many tokens a row each, all learned.
std::shared_ptr<const ExampleSet> of_lengths(std::initializer_list<std::int32_t> lengths) {
  auto examples = std::make_shared<ExampleSet>();
  for (const std::int32_t length : lengths) {
    const std::vector<std::int32_t> tokens(static_cast<std::size_t>(length) + 1, length);
    examples->add({tokens, std::vector<std::uint8_t>(tokens.size(), 1)});
  }
  return examples;
}

TEST(SftSource, ARowHoldsItsConversationsOneAfterAnother) {
  auto examples = std::make_shared<ExampleSet>();
  examples->add({std::vector<std::int32_t>{10, 11, 12, 13}, std::vector<std::uint8_t>{0, 0, 1, 1}});
  examples->add({std::vector<std::int32_t>{20, 21, 22}, std::vector<std::uint8_t>{1, 1, 0}});
  Batch batch;
  source_of(examples, {.sequence_length = 7}).fill(0, 1, batch);
  EXPECT_THAT(batch.inputs, ElementsAre(10, 11, 12, 20, 21, 0, 0));
  EXPECT_THAT(batch.targets, ElementsAre(-1, 12, 13, 21, -1, -1, -1));
  EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 0, 1, 0, 1));
  EXPECT_THAT(batch.cu_seqlens, ElementsAre(0, 3, 5, 7));
  EXPECT_THAT(batch.sources, ElementsAre(0));
  EXPECT_EQ(batch.sequences, 1);
  EXPECT_EQ(batch.sequence_length, 7);
  EXPECT_EQ(batch.num_targets, 3);
  EXPECT_EQ(batch.num_padding, 2);
  EXPECT_TRUE(batch.loss_weights.empty());

  // A full row has no padding segment.
  source_of(examples, {.sequence_length = 5}).fill(3, 1, batch);
  EXPECT_THAT(batch.cu_seqlens, ElementsAre(0, 3, 5));
  EXPECT_EQ(batch.first_sample, 3);
  EXPECT_EQ(batch.num_padding, 0);
}

// The lengths of the rows' conversations are the packer's in every epoch.
TEST(SftSource, RowsArePackedByBestFit) {
  const SftSource source = source_of(of_lengths({5, 2, 3, 1, 4, 4, 2}), {.sequence_length = 6});
  ASSERT_EQ(source.num_rows(), 4);
  for (const std::int64_t epoch : {0, 1, 5}) {
    std::multiset<std::vector<std::int64_t>> rows;
    for (std::int64_t row = 0; row < 4; ++row) {
      std::vector<std::int64_t> lengths;
      for (const std::int64_t number : source.conversations(4 * epoch + row)) {
        lengths.push_back(row_tokens(source.examples()[number]));
      }
      rows.insert(lengths);
    }
    EXPECT_THAT(
        rows, ElementsAre(ElementsAre(3), ElementsAre(4, 2), ElementsAre(4, 2), ElementsAre(5, 1)));
  }
}

class Orders : public testing::TestWithParam<bool> {
 protected:
  SftRows rows() const {
    return {.sequence_length = 24, .packing = GetParam(), .seed = 7, .step = 6};
  }
  std::shared_ptr<const ExampleSet> examples_ = random_examples(50, 24);
};

TEST_P(Orders, AnEpochTakesEachConversationOnce) {
  const SftSource source = source_of(examples_, rows());
  std::vector<std::vector<std::int64_t>> epochs;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::int64_t>& taken = epochs.emplace_back();
    for (std::int64_t row = 0; row < source.num_rows(); ++row) {
      const auto more = source.conversations(epoch * source.num_rows() + row);
      taken.insert(taken.end(), more.begin(), more.end());
    }
  }
  if (GetParam()) {  // without packing, a step may hold the end of one and the next one's beginning
    for (auto taken : epochs) {
      std::ranges::sort(taken);
      EXPECT_EQ(taken, all_of(*examples_));
    }
  }
  std::map<std::int64_t, int> times;
  for (const auto& taken : epochs) {
    for (const std::int64_t number : taken) ++times[number];
  }
  EXPECT_EQ(times.size(), 50u);
  EXPECT_NE(epochs[0], epochs[1]) << "in an order of its own";
}

// Ranks, accumulation and resumes cut the same samples into other batches.
TEST_P(Orders, ASampleIsTheSameInEveryBatch) {
  const SftSource source = source_of(examples_, rows());
  const auto content = [](const Batch& batch, std::int64_t row) {
    std::vector<std::int32_t> values;
    for (std::int64_t i = row * batch.sequence_length; i < (row + 1) * batch.sequence_length; ++i) {
      const auto at = static_cast<std::size_t>(i);
      values.insert(values.end(), {batch.inputs[at], batch.targets[at], batch.positions[at]});
    }
    while (values.size() >= 3 && values[values.size() - 2] == -1 && values[values.size() - 3] == 0)
      values.resize(values.size() - 3);  // padding depends on the batch
    return values;
  };
  Batch all, part;
  source.fill(5, 40, all);
  for (const std::int64_t count : {1, 3, 8}) {
    for (std::int64_t first = 5; first + count <= 45; first += count) {
      source.fill(first, count, part);
      for (std::int64_t row = 0; row < count; ++row) {
        ASSERT_EQ(content(part, row), content(all, first - 5 + row)) << first << " " << row;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Packing, Orders, testing::Bool());

TEST(SftSource, PackedConversationsChangePartners) {
  const SftSource source = source_of(of_lengths({4, 4, 4, 4, 2, 2, 2, 2}), {.sequence_length = 6});
  std::set<std::set<std::int64_t>> pairs;
  for (std::int64_t sample = 0; sample < 40; ++sample) {
    const auto numbers = source.conversations(sample);
    pairs.emplace(numbers.begin(), numbers.end());
  }
  EXPECT_GT(pairs.size(), 8u);
}

TEST(SftSource, RowsOfAStepAreOrderedByLength) {
  const auto examples = random_examples(60, 100);
  const SftSource source(
      examples, all_of(*examples),
      {.sequence_length = 100, .packing = false, .step = 8, .length_multiple = 16});
  std::int64_t tokens = 0;
  for (std::int64_t first = 0; first < 56; first += 2) {
    Batch batch;
    source.fill(first, 2, batch);
    EXPECT_EQ(batch.sequences, 2);
    EXPECT_TRUE(batch.sequence_length % 16 == 0 || batch.sequence_length == 100);
    std::int64_t longest = 0;
    for (std::int64_t i = first; i < first + 2; ++i) {
      const auto numbers = source.conversations(i);
      ASSERT_EQ(numbers.size(), 1u);
      longest = std::max(longest, row_tokens((*examples)[numbers.front()]));
    }
    EXPECT_EQ(batch.sequence_length, std::min<std::int64_t>(100, (longest + 15) / 16 * 16));
    if (first % 8 != 0) {
      const auto length = [&](std::int64_t i) {
        return row_tokens((*examples)[source.conversations(i).front()]);
      };
      EXPECT_GE(length(first - 1), length(first)) << first;
    }
    tokens += std::ssize(batch.inputs);
  }
  EXPECT_LT(tokens, 56 * 70) << "much less than full rows";
  EXPECT_THAT(source.batch_lengths(), ElementsAre(16, 32, 48, 64, 80, 96, 100));
  // Which conversations a step takes does not depend on the order in it.
  const SftSource unordered(examples, all_of(*examples),
                            {.sequence_length = 100, .packing = false, .step = 1});
  for (std::int64_t step = 0; step < 6; ++step) {
    std::set<std::int64_t> a, b;
    for (std::int64_t i = 8 * step; i < 8 * step + 8; ++i) {
      a.insert(source.conversations(i).front());
      b.insert(unordered.conversations(i).front());
    }
    EXPECT_EQ(a, b);
  }
}

TEST(SftSource, TheFingerprintCoversWhatDecidesTheRows) {
  const auto examples = random_examples(30, 20), others = random_examples(30, 20, 4);
  const SftRows rows{.sequence_length = 24, .seed = 3, .step = 4};
  const auto print = [&](const auto& set, SftRows with, std::vector<std::int64_t> numbers) {
    return SftSource(set, numbers, with).fingerprint();
  };
  const std::uint64_t same = print(examples, rows, all_of(*examples));
  EXPECT_EQ(print(random_examples(30, 20), rows, all_of(*examples)), same);
  const auto with = [&](auto change) {
    SftRows changed = rows;
    change(changed);
    return print(examples, changed, all_of(*examples));
  };
  EXPECT_NE(print(others, rows, all_of(*examples)), same);
  EXPECT_NE(with([](SftRows& r) { r.sequence_length = 25; }), same);
  EXPECT_NE(with([](SftRows& r) { r.seed = 4; }), same);
  EXPECT_NE(with([](SftRows& r) { r.packing = false; }), same);
  EXPECT_EQ(with([](SftRows& r) { r.step = 8; }), same) << "packed rows do not depend on it";
  EXPECT_EQ(with([](SftRows& r) { r.length_multiple = 8; }), same);
  const auto unpacked = [&](std::int64_t step) {
    return with([&](SftRows& r) {
      r.packing = false;
      r.step = step;
    });
  };
  EXPECT_NE(unpacked(4), unpacked(8));
  auto twice = all_of(*examples);
  twice.push_back(5);
  EXPECT_NE(print(examples, rows, twice), same);
}

TEST(SftSource, WeightsRepeat) {
  const std::vector<std::int64_t> counts{4, 10, 3};
  const auto numbers = repeat_by_weight(counts, std::vector<double>{2, 0.5, 1.4}, 1);
  std::map<std::int64_t, int> times;
  for (const std::int64_t number : numbers) ++times[number];
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(times[i], 2);
  int halves = 0, rest = 0;
  for (std::int64_t i = 4; i < 14; ++i) {
    EXPECT_LE(times[i], 1);
    halves += times[i];
  }
  EXPECT_EQ(halves, 5);
  for (std::int64_t i = 14; i < 17; ++i) {
    EXPECT_GE(times[i], 1);
    rest += times[i];
  }
  EXPECT_EQ(rest, 4);
  EXPECT_EQ(numbers.size(), 17u);
  EXPECT_NE(repeat_by_weight(counts, std::vector<double>{2, 0.5, 1.4}, 2), numbers);
  EXPECT_TRUE(repeat_by_weight(counts, std::vector<double>{0, 0, 0}, 1).empty());
}

// Parts of a pass take different conversations, for every number taken.
TEST(SftSource, WeightsRepeatEvenly) {
  const std::vector<std::int64_t> counts{3};
  for (int taken = 0; taken <= 7; ++taken) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      std::vector<int> times(3);
      for (const std::int64_t number :
           repeat_by_weight(counts, std::vector<double>{taken / 3.0}, seed)) {
        ++times.at(static_cast<std::size_t>(number));
      }
      EXPECT_EQ(std::accumulate(times.begin(), times.end(), 0), taken);
      EXPECT_LE(std::ranges::max(times), (taken + 2) / 3) << taken << " by seed " << seed;
    }
  }
}

TEST(SftSource, RefusesWhatIsNothingToLearnFrom) {
  const auto rows_of = [](std::vector<std::int32_t> tokens, std::vector<std::uint8_t> learned) {
    auto examples = std::make_shared<ExampleSet>();
    examples->add({tokens, learned});
    return SftSource(examples, all_of(*examples), {.sequence_length = 2}).num_rows();
  };
  EXPECT_EQ(rows_of({1, 2, 3}, {0, 0, 1}), 1);
  EXPECT_THROW(rows_of({1, 2, 3}, {1, 0, 0}), Error) << "nothing is before the first token";
  EXPECT_THROW(rows_of({1}, {1}), Error);
  EXPECT_THROW(rows_of({1, 2, 3, 4}, {0, 0, 1, 1}), Error);
  EXPECT_THAT(test::input_error_of(
                  [] { source_of(std::make_shared<ExampleSet>(), {.sequence_length = 2}); }),
              HasSubstr("no conversations"));
}

// To the nearest number of conversations, a half upwards.
TEST(SftSource, WeightsAreRoundedToWholeConversations) {
  for (const auto& [count, weight, taken] : {std::tuple(3, 0.5, 2),
                                             {1, 0.5, 1},
                                             {1, 0.49, 0},
                                             {5, 0.3, 2},
                                             {5, 0.29, 1},
                                             {4, 0.125, 1},
                                             {4, 0.12, 0},
                                             {3, 1.5, 5},
                                             {7, 1.0, 7},
                                             {0, 2.0, 0},
                                             {2, 0.0, 0},
                                             {2, 1000.0, 2000}}) {
    const auto numbers =
        repeat_by_weight(std::vector<std::int64_t>{count}, std::vector<double>{weight}, 1);
    EXPECT_EQ(std::ssize(numbers), taken) << count << " of weight " << weight;
    for (const std::int64_t number : numbers) EXPECT_TRUE(number >= 0 && number < count);
  }
  // Sets are taken apart: each has its own count.
  const auto both =
      repeat_by_weight(std::vector<std::int64_t>{1, 1}, std::vector<double>{0.5, 0.4}, 1);
  EXPECT_THAT(both, ElementsAre(0));
}

class FixedLosses : public testing::Test {
 protected:
  // Each target's loss is its own id.
  EvaluateBatch evaluate() {
    return [this](const Batch& batch) {
      batches_.push_back({batch.first_sample, batch.sequences});
      losses_.clear();
      for (const std::int32_t target : batch.targets) {
        losses_.push_back(static_cast<float>(std::max(target, 0)));
      }
      return std::span<const float>(losses_);
    };
  }
  double validation_loss(const std::shared_ptr<const SftSource>& source, std::int64_t micro_batch,
                         const RankGroups& ranks) {
    MetricsRecord record{0, {}};
    SftValidator(source, micro_batch, ranks).run(evaluate(), record);
    return *record.find(metric::validation_loss);
  }

  std::vector<std::pair<std::int64_t, std::int64_t>> batches_;  // first row, rows
  std::vector<float> losses_;
};

// The last batch has the rows that are left, so that none counts twice.
TEST_F(FixedLosses, HeldOutRowsCountOnceInAnyMicroBatch) {
  const auto source =
      std::make_shared<const SftSource>(source_of(of_lengths({4, 3, 2}), {.sequence_length = 4}));
  ASSERT_EQ(source->num_rows(), 3);
  const OneRank rank(test::small_model(2, 2, 50));
  using Batches = std::vector<std::pair<std::int64_t, std::int64_t>>;
  for (const auto& [micro_batch, batches] : {std::pair(1, Batches{{0, 1}, {1, 1}, {2, 1}}),
                                             {2, Batches{{0, 2}, {2, 1}}},
                                             {3, Batches{{0, 3}}},
                                             {8, Batches{{0, 3}}}}) {
    batches_.clear();
    EXPECT_DOUBLE_EQ(validation_loss(source, micro_batch, rank.groups),
                     (4 * 4 + 3 * 3 + 2 * 2) / 9.0);
    EXPECT_EQ(batches_, batches) << micro_batch;
  }
}

// Targets, not rows: the tokens of the whole step count alike.
TEST(SftObjective, IsNormalisedByLearnedTokens) {
  std::vector<Batch> batches(2);
  const SftSource source = source_of(of_lengths({4, 3, 2}), {.sequence_length = 6});
  source.fill(0, 1, batches[0]);
  source.fill(1, 1, batches[1]);
  const StepTerms terms = SftObjective().prepare(batches);
  EXPECT_EQ(terms.normaliser, 9);
  ASSERT_TRUE(terms.counts);
  EXPECT_EQ(terms.counts->targets, 9);
  EXPECT_EQ(terms.counts->tokens, 12);
  EXPECT_EQ(terms.counts->padding, 3);
  EXPECT_FALSE(terms.loss);
}

}  // namespace
}  // namespace fathom
