// Phases of the data: each source's windows come in its own order, whatever weights it had when.
#include "data/mix_phases.h"

#include <gmock/gmock.h>

#include <random>

#include "data/loader.h"
#include "data/sample_data.h"
#include "data/sampler.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::lines_source;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t length = 16;

// Sources "web", "code" and "math" of quite different sizes.
std::shared_ptr<const PreparedData> three_sources(const TempDir& dir) {
  PrepareConfig config = test::sample_config(dir);
  config.sources = {lines_source(dir, "web", 300, 6.0), lines_source(dir, "code", 90, 3.0),
                    lines_source(dir, "math", 25, 1.0)};
  prepare_data(config, test::byte_encoder());
  return std::make_shared<const PreparedData>(open_prepared(dir / "out"));
}

// The same data from the start on with these weights.
std::shared_ptr<const PreparedData> with_weights(const TempDir& dir,
                                                 const std::vector<double>& weights) {
  auto data = std::make_shared<PreparedData>(open_prepared(dir / "out"));
  for (std::size_t s = 0; s < weights.size(); ++s) data->sources[s].weight = weights[s];
  return data;
}

// Epoch and window of each of a source's first `count` turns when it is read alone.
std::vector<std::pair<std::int64_t, std::int64_t>> order_of(const TempDir& dir, int source,
                                                            std::int64_t count) {
  std::vector<double> alone(3, 0);
  alone[std::size_t(source)] = 1;
  const Sampler sampler(with_weights(dir, alone), length, 1);
  std::vector<std::pair<std::int64_t, std::int64_t>> order;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto place = sampler.place(i);
    order.emplace_back(place.epoch, place.window);
  }
  return order;
}

// At random: some sources rest in some phases, some phases are one sample long.
std::vector<MixPhase> random_phases(std::mt19937& random, std::int64_t end) {
  std::vector<MixPhase> phases;
  std::int64_t begin = 0;
  while (true) {
    begin += 1 + std::int64_t(random() % (random() % 4 == 0 ? 3 : 200));
    if (begin >= end) return phases;
    MixPhase phase{begin, {}};
    for (int s = 0; s < 3; ++s) {
      phase.weights.push_back(random() % 3 == 0 ? 0 : double(1 + random() % 50));
    }
    phase.weights[random() % 3] = 1;
    phases.push_back(std::move(phase));
  }
}

TEST(MixPhases, EverySourceIsReadInItsOwnOrderWithoutGapsOrRepeats) {
  const TempDir dir;
  const auto data = three_sources(dir);
  constexpr std::int64_t end = 1500;
  std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> orders;
  for (int s = 0; s < 3; ++s) orders.push_back(order_of(dir, s, end));
  std::mt19937 random(7);
  for (int trial = 0; trial < 20; ++trial) {
    const std::vector<MixPhase> phases = random_phases(random, end);
    const Sampler sampler(data, length, 1, AttentionSpan::sequence, {}, phases);
    ASSERT_EQ(sampler.num_mixes(), phases.size() + 1);
    std::vector<std::int64_t> read(3, 0);
    for (std::int64_t i = 0; i < end; ++i) {
      if (i % 97 == 0 || i + 1 == end) {
        ASSERT_EQ(sampler.windows_read(i), read) << i;
      }
      const auto place = sampler.place(i);
      const auto source = std::size_t(place.source);
      ASSERT_EQ(std::pair(place.epoch, place.window), orders[source][std::size_t(read[source])])
          << "trial " << trial << ", sample " << i;
      ++read[source];
    }
    EXPECT_GT(read[2], sampler.windows(2)) << "into its second epoch";
  }
}

TEST(MixPhases, EachPhaseHasItsShares) {
  const TempDir dir;
  const auto data = three_sources(dir);
  const std::vector<MixPhase> phases = {{1001, {1, 0, 3}}, {3001, {0, 1, 0}}};
  const Sampler sampler(data, length, 1, AttentionSpan::sequence, {}, phases);
  const auto counts = [&](std::int64_t first, std::int64_t end) {
    std::vector<std::int64_t> of(3, 0);
    for (std::int64_t i = first; i < end; ++i) ++of[std::size_t(sampler.place(i).source)];
    return of;
  };
  const auto near = [](std::int64_t n) {
    return testing::AllOf(testing::Ge(n - 2), testing::Le(n + 2));
  };
  EXPECT_THAT(counts(0, 1001), ElementsAre(near(600), near(300), near(100)));
  EXPECT_THAT(counts(1001, 3001), ElementsAre(near(500), 0, near(1500)));
  EXPECT_THAT(counts(3001, 3500), ElementsAre(0, 499, 0));
}

// A sampler that begins within any phase, as that of a run which continues another one does.
TEST(MixPhases, AStartWithinAPhaseGoesOnWithIt) {
  const TempDir dir;
  const auto data = three_sources(dir);
  const std::vector<MixPhase> phases = {{100, {1, 0, 3}}, {150, {0, 2, 1}}, {400, {5, 1, 1}}};
  const Sampler whole(data, length, 1, AttentionSpan::sequence, {}, phases);
  for (const std::int64_t first : {1, 99, 100, 101, 160, 399, 400, 401, 900}) {
    const Sampler rest(data, length, 1, AttentionSpan::sequence, {first, whole.windows_read(first)},
                       phases);
    const std::size_t begun = std::size_t((first >= 100) + (first >= 150) + (first >= 400));
    ASSERT_EQ(rest.num_mixes(), 4 - begun) << first;
    for (std::size_t i = 0; i < rest.num_mixes(); ++i) {
      EXPECT_EQ(rest.fingerprint(i), whole.fingerprint(begun + i)) << first;
    }
    for (std::int64_t i = first; i < 1000; ++i) {
      const auto a = rest.place(i), b = whole.place(i);
      ASSERT_EQ(std::tuple(a.source, a.epoch, a.window), std::tuple(b.source, b.epoch, b.window));
    }
  }
}

TEST(MixPhases, RanksTogetherTakeWhatOneRankTakesAcrossAChange) {
  const TempDir dir;
  const auto sampler = std::make_shared<const Sampler>(
      three_sources(dir), length, 1, AttentionSpan::sequence, SamplerStart{},
      std::vector<MixPhase>{{30, {0, 1, 4}}, {31, {1, 1, 0}}});
  Loader whole(sampler, {.batch_size = 12});
  Loader ranks[2] = {{sampler, {.batch_size = 6, .rank = 0, .ranks = 2}},
                     {sampler, {.batch_size = 6, .rank = 1, .ranks = 2}}};
  for (int step = 0; step < 6; ++step) {
    const Batch all = whole.next();
    std::vector<std::int32_t> joined;
    for (Loader& rank : ranks) {
      const Batch part = rank.next();
      joined.insert(joined.end(), part.inputs.begin(), part.inputs.end());
    }
    EXPECT_EQ(joined, all.inputs);
  }
}

// Of a phase's order, but not of the phases behind it; and a phase that changes nothing has the
// fingerprint of the one before.
TEST(MixPhases, FingerprintsAreOfEachPhase) {
  const TempDir dir;
  const auto data = three_sources(dir);
  const auto with = [&](const std::vector<MixPhase>& phases) {
    const Sampler sampler(data, length, 1, AttentionSpan::sequence, {}, phases);
    std::vector<std::uint64_t> all;
    for (std::size_t i = 0; i < sampler.num_mixes(); ++i) all.push_back(sampler.fingerprint(i));
    EXPECT_EQ(sampler.fingerprint(), Sampler(data, length, 1).fingerprint());
    return all;
  };
  const auto one = with({{100, {1, 1, 1}}, {200, {3, 2, 1}}});
  EXPECT_NE(one[1], one[0]);
  EXPECT_EQ(with({{100, {2, 2, 2}}, {300, {1, 0, 0}}})[1], one[1])
      << "weights count by their ratio";
  EXPECT_NE(with({{101, {1, 1, 1}}, {200, {3, 2, 1}}})[1], one[1]);
  EXPECT_NE(with({{100, {1, 1, 2}}, {200, {3, 2, 1}}})[2], one[2]) << "begins behind other windows";
  const auto same = with({{100, {6, 3, 1}}});
  EXPECT_EQ(same[1], same[0]);
}

TEST(MixPhases, AreRefusedWhenTheyCannotBe) {
  const TempDir dir;
  const auto data = three_sources(dir);
  const auto error = [&](const std::vector<MixPhase>& phases) {
    return test::runtime_error_of(
        [&] { Sampler(data, length, 1, AttentionSpan::sequence, {}, phases); });
  };
  EXPECT_EQ(error({{100, {1, 0, 0}}, {100, {0, 1, 0}}}),
            "a phase from sample 100 on behind one from sample 100 on");
  const auto without_math = with_weights(dir, {6, 3, 0});
  const std::int64_t long_for_math = data->sources[2].train.tokens() + 1;
  EXPECT_EQ(Sampler(without_math, long_for_math, 1).num_mixes(), 1u);
  EXPECT_THAT(
      input_error_of([&] {
        Sampler(without_math, long_for_math, 1, AttentionSpan::sequence, {}, {{5, {1, 1, 1}}});
      }),
      HasSubstr("source 'math' has"));
}

MixPhaseConfig phase(double begin, NumberTable weights) {
  MixPhaseConfig config;
  config.begin_share = begin;
  config.weights = std::move(weights);
  return config;
}

TEST(PhaseWeights, SourcesThatAreNotNamedKeepTheirs) {
  const TempDir dir;
  const auto data = three_sources(dir);
  EXPECT_THAT(phase_weights(*data, std::vector{phase(0.5, {{"math", 4}}),
                                               phase(0.8, {{"web", 0}, {"code", 1}})}),
              ElementsAre(ElementsAre(6, 3, 4), ElementsAre(0, 1, 4)));
  EXPECT_TRUE(phase_weights(*data, {}).empty());
}

TEST(PhaseWeights, RefuseWhatCannotBeMeant) {
  const TempDir dir;
  three_sources(dir);
  const auto error = [&](NumberTable weights) {
    DataConfig config;
    config.directory = dir / "out";
    config.phases = {phase(0.5, std::move(weights))};
    return input_error_of([&] { open_prepared(config); });
  };
  const std::string begin = "data.phases: the phase with begin_share = 0.5: ";
  EXPECT_EQ(error({{"maht", 1}}), begin + "the run has no source 'maht'; did you mean 'math'?");
  EXPECT_EQ(error({{"encyclopedia", 1}}),
            begin + "the run has no source 'encyclopedia'; it has web, code, math");
  EXPECT_EQ(error({{"web", -1}}), begin + "source 'web' has the weight -1; it must be 0 or more");
  EXPECT_EQ(error({{"web", NAN}}), begin + "source 'web' has the weight nan; it must be 0 or more");
  EXPECT_EQ(error({{"web", 0}, {"code", 0}, {"math", 0}}),
            begin + "no source has a weight above 0");
  EXPECT_EQ(error({}), begin +
                           "it has no weights: name the sources whose weight changes, as in "
                           "weights = { web = 2 }");
}

TEST(PhaseWeights, APhaseIsNamedByItsBegin) {
  MixPhaseConfig config;
  EXPECT_EQ(description(config), "data.phases: the phase with no begin");
  config.begin_step = 30;
  EXPECT_EQ(description(config), "data.phases: the phase with begin_step = 30");
  config.begin_tokens = 2000;
  EXPECT_EQ(description(config), "data.phases: the phase with begin_tokens = 2000");
  config.begin_share = 0.75;
  EXPECT_EQ(description(config), "data.phases: the phase with begin_share = 0.75");
}

}  // namespace
}  // namespace fathom
