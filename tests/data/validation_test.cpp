#include "data/validation.h"

#include <gtest/gtest.h>

#include "data/sample_data.h"

namespace fathom {
namespace {

using test::sample_data;
using test::TempDir;

// All targets of one source in order; padding checked and left out.
std::string targets_of(const Validation& validation, std::int32_t source) {
  std::string text;
  Batch batch;
  for (std::int64_t b = 0; b < validation.num_batches(); ++b) {
    validation.fill(b, batch);
    for (std::int64_t s = 0; s < batch.sequences; ++s) {
      if (batch.sources[std::size_t(s)] != source) continue;
      for (std::int64_t t = 0; t < batch.sequence_length; ++t) {
        const std::int32_t id = batch.targets[std::size_t(s * batch.sequence_length + t)];
        if (id >= 0) text += static_cast<char>(id);
      }
    }
  }
  return text;
}

TEST(Validation, EveryHeldOutTokenIsATargetOnceAndBytesAreExact) {
  const TempDir dir;
  const auto data = sample_data(dir);
  for (const auto& [length, batch_size] : {std::pair{16, 5}, {16, 1}, {1, 64}, {7, 3}}) {
    const Validation validation(data, length, batch_size);
    std::int64_t sequences = 0, tokens = 0;
    for (int source = 0; source < 2; ++source) {
      std::string expected;
      std::int64_t bytes = 0;
      for (int i = 0; i < (source == 0 ? 200 : 90); ++i) {
        const std::string text = test::document(i);
        if (!is_held_out(text, 0, 0.2)) continue;
        expected += text + '\0';
        bytes += std::int64_t(text.size());
      }
      EXPECT_GT(bytes, 0);
      EXPECT_EQ(targets_of(validation, source), expected);
      EXPECT_EQ(validation.counts(source).text_bytes, bytes);
      EXPECT_EQ(validation.counts(source).tokens, std::int64_t(expected.size()));
      tokens += std::int64_t(expected.size());
      sequences += (std::int64_t(expected.size()) + length - 1) / length;
    }
    EXPECT_EQ(validation.total().tokens, tokens);
    EXPECT_EQ(validation.num_batches(), (sequences + batch_size - 1) / batch_size);
  }
}

TEST(Validation, SizesBelowOneAreRefused) {
  const TempDir dir;
  const auto data = sample_data(dir);
  EXPECT_EQ(test::runtime_error_of([&] { Validation(data, 0, 5); }),
            "validation with sequences of 0, 5 a batch");
  EXPECT_EQ(test::runtime_error_of([&] { Validation(data, 16, 0); }),
            "validation with sequences of 16, 0 a batch");
}

TEST(Validation, LimitTakesWholeDocuments) {
  const TempDir dir;
  const auto data = sample_data(dir);
  const Validation all(data, 16, 5), some(data, 16, 5, 100), least(data, 16, 5, 1);
  const std::string text = targets_of(some, 0);
  EXPECT_EQ(text, targets_of(all, 0).substr(0, text.size()));
  EXPECT_LE(text.size(), 100u);
  EXPECT_GT(text.size(), 40u);
  EXPECT_EQ(text.back(), '\0');
  EXPECT_EQ(some.counts(0).tokens, std::int64_t(text.size()));
  EXPECT_EQ(some.counts(0).text_bytes + some.counts(0).documents, some.counts(0).tokens);
  EXPECT_EQ(least.counts(0).documents, 1);
}

TEST(Validation, LastBatchIsPadded) {
  const TempDir dir;
  const Validation validation(sample_data(dir), 16, 7);
  Batch batch;
  std::int64_t targets = 0, padding = 0;
  for (std::int64_t b = 0; b < validation.num_batches(); ++b) {
    validation.fill(b, batch);
    EXPECT_EQ(batch.sequences, 7);
    EXPECT_EQ(batch.first_sample, 7 * b);
    EXPECT_EQ(batch.inputs.size(), 7u * 16);
    EXPECT_EQ(batch.positions.size(), 7u * 16);
    targets += batch.num_targets;
    for (const std::int32_t source : batch.sources) padding += source < 0;
  }
  EXPECT_EQ(targets, validation.total().tokens);
  EXPECT_LT(padding, 7);
}

}  // namespace
}  // namespace fathom
