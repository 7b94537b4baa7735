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

TEST(Validation, AttentionMayEndWithDocuments) {
  const TempDir dir;
  const auto data = sample_data(dir);
  const Validation whole(data, 16, 4), documents(data, 16, 4, 0, AttentionSpan::document);
  Batch one, cut;
  whole.fill(0, one);
  documents.fill(0, cut);
  EXPECT_EQ(cut.targets, one.targets);
  EXPECT_EQ(one.cu_seqlens, (std::vector<std::int32_t>{0, 16, 32, 48, 64}));
  std::vector<std::int32_t> starts;
  for (std::int32_t i = 0; i < 64; ++i) {
    if (i % 16 == 0 || cut.inputs[std::size_t(i)] == 0) starts.push_back(i);
  }
  starts.push_back(64);
  EXPECT_GT(starts.size(), 5u);
  EXPECT_EQ(cut.cu_seqlens, starts);
}

// Of the last batch's sequences those behind the text, and of the last window's tokens.
TEST(Validation, PaddingHasNoTargetsAndNoSource) {
  const TempDir dir;
  const auto data = sample_data(dir);
  const Validation validation(data, 16, 64);
  Batch batch;
  validation.fill(validation.num_batches() - 1, batch);
  ASSERT_EQ(batch.sources.back(), -1);
  std::int64_t targets = 0;
  for (std::size_t s = 0; s < 64; ++s) {
    for (std::size_t t = 0; t < 16; ++t) {
      const bool is_target = batch.targets[16 * s + t] >= 0;
      targets += is_target;
      if (batch.sources[s] == -1) {
        ASSERT_FALSE(is_target);
      }
      if (!is_target && (t == 0 || batch.targets[16 * s + t - 1] < 0)) {
        ASSERT_EQ(batch.inputs[16 * s + t], data->eos) << s << " " << t;
      }
    }
  }
  EXPECT_EQ(batch.num_targets, targets);
  EXPECT_EQ(batch.cu_seqlens.size(), 65u) << "a segment for each sequence";
}

}  // namespace
}  // namespace fathom
