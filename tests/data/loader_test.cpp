#include "data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "data/sample_data.h"
#include "data/sampler.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::sample_data;
using test::TempDir;

constexpr std::int64_t T = 16;

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.first_sample, b.first_sample);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_EQ(a.positions, b.positions);
  EXPECT_EQ(a.cu_seqlens, b.cu_seqlens);
  EXPECT_EQ(a.sources, b.sources);
}

TEST(Sampler, AnEpochTakesEveryWindowOnceAndTheNextInAnotherOrder) {
  const TempDir dir;
  const Sampler sampler(sample_data(dir), T, 1);
  const std::int64_t windows = sampler.windows(1);
  ASSERT_GT(windows, 20);
  std::vector<std::vector<std::int64_t>> epochs(2);
  for (std::int64_t i = 0; i < 12 * windows; ++i) {
    const auto place = sampler.place(i);
    if (place.source == 1 && place.epoch < 2)
      epochs[std::size_t(place.epoch)].push_back(place.window);
  }
  for (const auto& epoch : epochs) {
    EXPECT_EQ(std::int64_t(epoch.size()), windows);
    EXPECT_EQ(std::set(epoch.begin(), epoch.end()).size(), epoch.size());
  }
  EXPECT_NE(epochs[0], epochs[1]);
}

TEST(Sampler, OrderDependsOnTheSeedAndTheFingerprintTells) {
  const TempDir dir;
  const auto data = sample_data(dir);
  const Sampler one(data, T, 1), same(data, T, 1), other(data, T, 2);
  Batch a, b, c;
  one.fill(5, 8, a);
  same.fill(5, 8, b);
  other.fill(5, 8, c);
  expect_equal(a, b);
  EXPECT_NE(a.inputs, c.inputs);
  EXPECT_EQ(one.fingerprint(), same.fingerprint());
  EXPECT_NE(one.fingerprint(), other.fingerprint());
}

TEST(Sampler, TargetsAreTheStreamAndInputsTheTokensBefore) {
  const TempDir dir;
  const auto data = sample_data(dir);
  const Sampler sampler(data, T, 1);
  Batch batch;
  sampler.fill(0, 64, batch);
  for (std::int64_t b = 0; b < 64; ++b) {
    const auto place = sampler.place(b);
    EXPECT_EQ(batch.sources[std::size_t(b)], place.source);
    const TokenStream& stream = data->sources[std::size_t(place.source)].train;
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t at = place.window * T + t;
      std::int32_t token[1], before[1] = {data->eos};
      stream.read(at, token);
      if (at > 0) stream.read(at - 1, before);
      ASSERT_EQ(batch.targets[std::size_t(b * T + t)], token[0]);
      ASSERT_EQ(batch.inputs[std::size_t(b * T + t)], before[0]);
    }
  }
  EXPECT_EQ(batch.num_targets, 64 * T);
}

TEST(Sampler, SegmentsBeginAtEndOfDocumentInputs) {
  const TempDir dir;
  const Sampler sampler(sample_data(dir), T, 1, AttentionSpan::document);
  Batch batch;
  sampler.fill(0, 64, batch);
  std::vector<std::int32_t> starts;
  std::int32_t position = 0;
  for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
    if (i % T == 0 || batch.inputs[i] == 0) {
      starts.push_back(std::int32_t(i));
      position = 0;
    }
    ASSERT_EQ(batch.positions[i], position++);
  }
  EXPECT_GT(starts.size(), 70u);
  starts.push_back(64 * T);
  EXPECT_EQ(batch.cu_seqlens, starts);
}

TEST(Sampler, WholeSequencesAreOneSegment) {
  const TempDir dir;
  const Sampler sampler(sample_data(dir), T, 1);
  Batch batch;
  sampler.fill(0, 3, batch);
  EXPECT_THAT(batch.cu_seqlens, testing::ElementsAre(0, T, 2 * T, 3 * T));
  EXPECT_EQ(batch.positions[2 * T + 5], 5);
}

TEST(Sampler, TooShortASourceIsRefused) {
  const TempDir dir;
  const auto data = sample_data(dir);
  EXPECT_THAT(input_error_of([&] { Sampler(data, 1'000'000, 1); }),
              testing::HasSubstr("out: source 'a' has 4401 tokens for training, fewer than one "
                                 "sequence of 1000000; add data"));
}

TEST(Sampler, SourcesWithoutWeightAreLeftOut) {
  const TempDir dir;
  const std::int64_t tokens = sample_data(dir)->sources[1].train.tokens();
  const auto sampler = [&](std::int64_t length, double weight_of_b = 1) {
    auto data = std::make_shared<PreparedData>(open_prepared(dir / "out"));
    data->sources[0].weight = 0;
    data->sources[1].weight = weight_of_b;
    return Sampler(std::move(data), length, 1);
  };
  const Sampler of_b = sampler(T);
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(of_b.place(i).source, 1);
  EXPECT_EQ(sampler(tokens).windows(1), 1);
  EXPECT_THAT(input_error_of([&] { sampler(tokens + 1); }), testing::HasSubstr("source 'b' has"));
  EXPECT_EQ(input_error_of([&] { sampler(T, 0); }),
            (dir / "out") + ": no source has a weight above 0");
  EXPECT_EQ(test::runtime_error_of([&] { sampler(0); }), "a sequence length of 0");
}

TEST(Sampler, FingerprintsTellWhatIsRead) {
  const TempDir dir;
  sample_data(dir);
  const auto fingerprint = [&](auto change, std::int64_t length = T,
                               AttentionSpan span = AttentionSpan::sequence) {
    auto data = std::make_shared<PreparedData>(open_prepared(dir / "out"));
    change(*data);
    return Sampler(std::move(data), length, 1, span).fingerprint();
  };
  const auto nothing = [](PreparedData&) {};
  const std::set<std::uint64_t> fingerprints{
      fingerprint(nothing),
      fingerprint(nothing, T + 1),
      fingerprint(nothing, T, AttentionSpan::document),
      fingerprint([](PreparedData& d) { d.tokenizer_hash = 1; }),
      fingerprint([](PreparedData& d) { d.sources[0].name = "c"; }),
      fingerprint([](PreparedData& d) { d.sources[1].weight = 2; }),
      fingerprint([](PreparedData& d) { std::swap(d.sources[1].train, d.sources[1].held_out); })};
  EXPECT_EQ(fingerprints.size(), 7u);
  EXPECT_EQ(fingerprint([](PreparedData& d) { d.directory = "elsewhere"; }), fingerprint(nothing));
}

bool operator==(const Sampler::Place& a, const Sampler::Place& b) {
  return a.source == b.source && a.epoch == b.epoch && a.window == b.window;
}

// How many samples of each source come before `sample`.
std::vector<std::int64_t> read_before(const Sampler& sampler, std::int64_t sample) {
  std::vector<std::int64_t> read(2, 0);
  for (std::int64_t i = 0; i < sample; ++i) ++read[std::size_t(sampler.place(i).source)];
  return read;
}

TEST(Sampler, WithTheSameWeightsAStartChangesNothing) {
  const TempDir dir;
  const auto data = sample_data(dir);
  const Sampler whole(data, T, 1);
  const std::int64_t first = 333;
  const Sampler rest(data, T, 1, AttentionSpan::sequence, {first, read_before(whole, first)});
  EXPECT_EQ(rest.fingerprint(), whole.fingerprint());
  for (std::int64_t i = first; i < 2000; ++i) ASSERT_TRUE(rest.place(i) == whole.place(i)) << i;
  EXPECT_EQ(test::runtime_error_of([&] { rest.place(first - 1); }),
            "sample 332 of a sampler that begins at 333");
}

// What was read as one of three in four is read on as one of four.
TEST(Sampler, WithOtherWeightsEachSourceGoesOnAfterWhatWasRead) {
  const TempDir dir;
  const auto data = sample_data(dir);
  const Sampler first(data, T, 1);
  auto changed = std::make_shared<PreparedData>(open_prepared(dir / "out"));
  changed->sources[0].weight = 1;
  changed->sources[1].weight = 3;
  const std::int64_t begin = 50;
  const SamplerStart start{begin, read_before(first, begin)};
  const Sampler then(changed, T, 1, AttentionSpan::sequence, start);
  EXPECT_NE(then.fingerprint(), Sampler(changed, T, 1).fingerprint());
  std::vector<std::int64_t> ordinals = start.read;
  EXPECT_EQ(ordinals, (std::vector<std::int64_t>{38, 12}));
  const std::int64_t end = begin + 2 * first.windows(1);
  for (std::int64_t i = begin; i < end; ++i) {
    const auto place = then.place(i);
    const std::int64_t ordinal = ordinals[std::size_t(place.source)]++;
    ASSERT_EQ(place.epoch, ordinal / first.windows(place.source)) << i;
    // The sample of the first order that has the same number among the source's.
    std::int64_t same = 0;
    for (std::int64_t seen = -1;; ++same) {
      if (first.place(same).source == place.source && ++seen == ordinal) break;
    }
    ASSERT_TRUE(first.place(same) == place) << i;
  }
  EXPECT_GT(ordinals[1], first.windows(1)) << "into the second epoch";
  EXPECT_NE(then.fingerprint(),
            Sampler(changed, T, 1, AttentionSpan::sequence, {begin, {38, 13}}).fingerprint());
}

TEST(Loader, RefusesRanksThatAreNone) {
  const TempDir dir;
  const auto sampler = std::make_shared<const Sampler>(sample_data(dir), T, 1);
  const auto error = [&](const LoaderOptions& options) {
    return test::runtime_error_of([&] { Loader(sampler, options); });
  };
  EXPECT_EQ(error({.batch_size = 1, .rank = 2, .ranks = 3, .prefetch = 1}), "no error");
  EXPECT_EQ(error({.batch_size = 0, .rank = 0, .ranks = 1, .prefetch = 1}),
            "a loader with batch size 0, prefetch 1, rank 0 of 1");
  EXPECT_EQ(error({.batch_size = 1, .rank = 0, .ranks = 1, .prefetch = 0}),
            "a loader with batch size 1, prefetch 0, rank 0 of 1");
  EXPECT_EQ(error({.batch_size = 1, .rank = -1, .ranks = 1, .prefetch = 1}),
            "a loader with batch size 1, prefetch 1, rank -1 of 1");
  EXPECT_EQ(error({.batch_size = 1, .rank = 3, .ranks = 3, .prefetch = 1}),
            "a loader with batch size 1, prefetch 1, rank 3 of 3");
}

TEST(Loader, RanksTogetherTakeWhatOneRankTakes) {
  const TempDir dir;
  const auto sampler = std::make_shared<const Sampler>(sample_data(dir), T, 1);
  Loader whole(sampler, {.batch_size = 12});
  Loader ranks[3] = {{sampler, {.batch_size = 4, .rank = 0, .ranks = 3}},
                     {sampler, {.batch_size = 4, .rank = 1, .ranks = 3}},
                     {sampler, {.batch_size = 4, .rank = 2, .ranks = 3}}};
  for (int step = 0; step < 5; ++step) {
    const Batch all = whole.next();
    std::vector<std::int32_t> joined;
    for (Loader& rank : ranks) {
      const Batch part = rank.next();
      joined.insert(joined.end(), part.inputs.begin(), part.inputs.end());
      EXPECT_EQ(rank.next_sample(), whole.next_sample());
    }
    EXPECT_EQ(joined, all.inputs);
  }
}

TEST(Loader, GoesOnFromItsNextSampleAsIfNeverStopped) {
  const TempDir dir;
  const auto sampler = std::make_shared<const Sampler>(sample_data(dir), T, 1);
  Loader first(sampler, {.batch_size = 2, .prefetch = 3});
  for (int i = 0; i < 7; ++i) first.next();
  EXPECT_EQ(first.next_sample(), 14);
  Loader resumed(sampler, {.batch_size = 2, .prefetch = 1}, first.next_sample());
  for (int i = 0; i < 5; ++i) expect_equal(resumed.next(), first.next());
}

TEST(Loader, ErrorsOfItsThreadComeOutOfNext) {
  const TempDir dir;
  sample_data(dir);
  // A token outside the vocabulary, which only reading it can find.
  const std::string path = dir / "out/train/a-00000.tokens";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(256);
  for (int i = 0; i < 500; ++i) file.write("\xff\xff", 2);
  file.close();
  const auto data = std::make_shared<const PreparedData>(open_prepared(dir / "out"));
  Loader loader(std::make_shared<const Sampler>(data, T, 1), {});
  EXPECT_THAT(input_error_of([&] {
                for (int i = 0; i < 1000; ++i) loader.next();
              }),
              testing::HasSubstr("is 65535, outside the vocabulary of 256"));
}

}  // namespace
}  // namespace fathom
