// Gradients and weights between ranks, with values that tell which ranks they are of: rank r has
// 2^r everywhere, so that a sum names those that are in it.
#include "parallel/gradient_sync.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "comm/thread_ranks.h"
#include "core/error.h"
#include "core/parallel.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

struct SyncLayout {
  int pp, dp, tp;
  bool zero, sequence_parallel, tied;
};

// Tied or not, on one rank or many, with buckets that cut parameters.
const SyncLayout sync_layouts[] = {{1, 4, 1, true, false, false}, {1, 4, 1, false, false, false},
                                   {2, 2, 2, true, true, false},  {2, 2, 2, false, false, true},
                                   {3, 2, 1, true, false, true},  {1, 1, 4, true, true, false},
                                   {1, 2, 4, true, false, true},  {2, 1, 2, false, true, true}};

ParallelPlan plan_of(const SyncLayout& l, const ModelConfig& model, bool overlap) {
  ParallelConfig c;
  c.pp = l.pp;
  c.dp = l.dp;
  c.tp = l.tp;
  c.zero = l.zero;
  c.sequence_parallel = l.sequence_parallel;
  c.overlap = overlap;
  return resolve(c, l.pp * l.dp * l.tp, model, {l.dp, 1, 16});
}

float own(int rank) {
  return static_cast<float>(1 << rank);
}

// The sum over the ranks that hold the parameter and saw a part of its uses.
float expected_sum(const SyncLayout& l, const RankLayout& layout, const RankPlace& here,
                   const ParameterSpec& spec) {
  float sum = 0;
  for (int rank = 0; rank < layout.world(); ++rank) {
    const RankPlace there = layout.place_of(rank);
    const auto at_end = [&](int pp) { return pp == 0 || pp == l.pp - 1; };
    const bool copy = l.tied && spec.layer == -1 && at_end(there.pp) && at_end(here.pp);
    const bool same_stage = there.pp == here.pp || copy;
    const bool same_shard =
        there.tp == here.tp || (l.sequence_parallel && spec.gradient_is_partial);
    if (same_stage && same_shard) sum += own(rank);
  }
  return sum;
}

// How often each element of each parameter is some rank's to count, write and update.
struct Coverage {
  std::mutex mutex;
  std::map<std::string, std::vector<int>> times;

  void add(const ParameterSpec& spec, const OwnedSlice& slice) {
    const std::lock_guard lock(mutex);
    std::vector<int>& all = times[spec.name];
    all.resize(static_cast<std::size_t>(spec.shape.elements()));
    const bool vector = slice.shape.rank() == 1;
    const std::int64_t columns = vector ? 1 : spec.shape[1], width = vector ? 1 : slice.shape[1];
    for (std::int64_t i = 0; i < slice.shape.elements(); ++i) {
      const std::int64_t row = slice.offset[0] + i / width;
      const std::int64_t column = (vector ? 0 : slice.offset[1]) + i % width;
      ++all[static_cast<std::size_t>(row * columns + column)];
    }
  }
};

struct SyncRank {
  SyncRank(Communicator& world, const SyncLayout& l, const ModelConfig& model, bool overlap)
      : groups(world, plan_of(l, model, overlap), model),
        parameters(stage_parameters(
                       model, groups.plan().stages[static_cast<std::size_t>(groups.place().pp)]),
                   DType::f32, Gradients::f32, cpu_device, groups.shard(), l.zero ? l.dp : 1),
        sync(parameters, groups, cpu_device, 1024) {}

  void fill(Tensor x, float value) { std::fill_n(x.as<float>(), x.elements(), value); }

  RankGroups groups;
  ParameterStore parameters;
  GradientSync sync;
  Context context{cpu_device, 0};
};

void check(Communicator& world, const SyncLayout& l, bool overlap, Coverage& coverage) {
  set_num_threads(1);
  const ModelConfig model = test::small_model(4, 8, 50, l.tied);
  SyncRank rank(world, l, model, overlap);
  const std::vector<OwnedSlice> owned = rank.sync.owned();
  for (const OwnedSlice& slice : owned) {
    if (slice.primary) coverage.add(rank.parameters.all()[slice.parameter].spec, slice);
  }
  // Announced one by one in the first step, as the last backward does, and not at all in the
  // second.
  for (const bool announced : {true, false}) {
    rank.fill(rank.parameters.flat_gradients(), own(world.rank()));
    for (std::int64_t layer = model.num_layers + 1; announced && layer-- > -1;) {
      rank.sync.after_backward(rank.context, layer);
    }
    rank.sync.reduce(rank.context);
    for (const OwnedSlice& slice : owned) {
      const ParameterSpec& spec = rank.parameters.all()[slice.parameter].spec;
      const float* sums = rank.parameters.flat_gradients().as<float>() + slice.first;
      const float wanted = expected_sum(l, rank.groups.plan().layout, rank.groups.place(), spec);
      const auto wrong = std::find_if(sums, sums + slice.shape.elements(),
                                      [&](float sum) { return sum != wanted; });
      require(wrong == sums + slice.shape.elements(), "{}: a sum of {} where {} is right",
              spec.name, *wrong, wanted);
    }
  }
  // Each rank has updated its share; afterwards all replicas have all of it.
  rank.fill(rank.parameters.flat_weights(), -1);
  for (const OwnedSlice& slice : owned) {
    const Tensor weights = rank.parameters.flat_weights();
    rank.fill(weights.slice(slice.first, slice.shape.elements()), own(world.rank()));
  }
  rank.sync.gather_weights(rank.context);
  for (const Parameter& p : rank.parameters.all()) {
    rank.sync.before_forward(rank.context, p.spec.layer);
    const float* values = p.weight.as<float>();
    for (std::int64_t i = 0; i < p.weight.elements(); ++i) {
      require(values[i] > 0, "{} was not gathered at {}", p.spec.name, i);
      for (int r = 0; r < world.size() && values[i] != own(world.rank()); ++r) {
        const RankPlace from = rank.groups.plan().layout.place_of(r), here = rank.groups.place();
        require(values[i] != own(r) || (from.pp == here.pp && from.tp == here.tp),
                "{} is rank {}'s at {}", p.spec.name, r, i);
      }
    }
  }
  rank.sync.wait_for_weights(rank.context);
}

TEST(GradientSync, SumsWhatRanksShareAndGathersWhatTheyUpdate) {
  for (const SyncLayout& l : sync_layouts) {
    for (const bool overlap : {false, true}) {
      SCOPED_TRACE(fmt::format("pp {}, dp {}, tp {}, zero {}, sequence parallel {}, tied {}", l.pp,
                               l.dp, l.tp, l.zero, l.sequence_parallel, l.tied));
      Coverage coverage;
      EXPECT_NO_THROW(run_thread_ranks(l.pp * l.dp * l.tp, {60}, [&](Communicator& world) {
        check(world, l, overlap, coverage);
      }));
      for (const auto& [name, times] : coverage.times) {
        EXPECT_EQ(std::ranges::count(times, 1), std::ssize(times)) << name;
      }
      const ModelConfig model = test::small_model(4, 8, 50, l.tied);
      EXPECT_EQ(coverage.times.size(), parameter_table(model).size());
    }
  }
}

struct Buckets {
  std::vector<std::int64_t> first;
  std::int64_t elements = 0;  // of all
};

// Where the buckets begin, of which rank 0 updates the first part each. On the meta device, where
// large models take no memory.
Buckets buckets_of(int replicas, std::int64_t vocabulary, std::int64_t bucket_elements) {
  Buckets buckets;
  const ModelConfig model = test::small_model(2, 8, vocabulary);
  run_thread_ranks(replicas, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of({1, replicas, 1, true, false, false}, model, false),
                            model);
    ParameterStore parameters(stage_parameters(model, whole_model(model)), DType::f32,
                              Gradients::f32, meta_device, groups.shard(), replicas);
    const GradientSync sync(parameters, groups, meta_device, bucket_elements);
    if (world.rank() != 0) return;
    buckets.elements = parameters.flat_elements();
    std::vector<OwnedSlice> owned = sync.owned();
    std::ranges::sort(owned, {}, &OwnedSlice::first);
    std::int64_t end = -1000;
    for (const OwnedSlice& slice : owned) {
      constexpr std::int64_t padding = 128;  // less than that lies between two parameters
      if (slice.first - end >= padding) buckets.first.push_back(slice.first);
      end = slice.first + slice.shape.elements();
    }
  });
  return buckets;
}

TEST(GradientSync, ABucketIsAThirtySecondOfTheModelButAMillionElementsAtLeast) {
  constexpr std::int64_t least = 1 << 20;
  EXPECT_EQ(buckets_of(2, 50, 0).first, std::vector<std::int64_t>{0});
  const Buckets small = buckets_of(2, 48'000, 0), large = buckets_of(2, 1'100'000, 0);
  ASSERT_LT(small.elements, 3 * least);
  EXPECT_EQ(small.first, (std::vector<std::int64_t>{0, least, 2 * least}));
  ASSERT_GT(large.elements, 64 * least);
  EXPECT_EQ(large.first.at(1), large.elements / 32 / 256 * 256) << "in parts of whole 128";
  EXPECT_THAT(large.first.size(), testing::AnyOf(32u, 33u));
}

TEST(GradientSync, ABucketHasWholePartsForAllReplicas) {
  for (const auto& [wanted, expected] :
       {std::pair(1, 512), {100, 512}, {512, 512}, {1000, 512}, {1024, 1024}, {2047, 1536}}) {
    EXPECT_EQ(buckets_of(4, 50, wanted).first.at(1), expected) << wanted;
  }
}

// Of one replica nothing is exchanged but copies, so that one bucket is enough.
TEST(GradientSync, ASingleRankOwnsAllAndWaitsForNothing) {
  const ModelConfig model = test::small_model(2, 8, 50);
  const OneRank one(model);
  ParameterStore parameters(stage_parameters(model, whole_model(model)), DType::f32, Gradients::f32,
                            cpu_device, one.groups.shard());
  GradientSync sync(parameters, one.groups, cpu_device);
  std::int64_t elements = 0, wanted = 0;
  for (const OwnedSlice& slice : sync.owned()) {
    EXPECT_TRUE(slice.primary);
    elements += slice.shape.elements();
  }
  for (const Parameter& p : parameters.all()) wanted += p.weight.elements();
  EXPECT_EQ(elements, wanted);
  EXPECT_EQ(sync.exchange_bytes(cpu_device), 0u);
  Context context(cpu_device, 0);
  std::fill_n(parameters.flat_gradients().as<float>(), parameters.flat_elements(), 3.0f);
  sync.after_backward(context, 0);
  sync.reduce(context);
  sync.gather_weights(context);
  sync.before_forward(context, 0);
  sync.wait_for_weights(context);
  EXPECT_EQ(*parameters.flat_gradients().as<float>(), 3.0f);
}

// The largest bucket, and of the tensor group the largest gradient that its ranks have a part of.
TEST(GradientSync, TakesTheBytesOfItsLargestTensors) {
  const auto host = [](int ranks, std::size_t bytes) {
    return exchange_bytes(ExchangeWay::host_memory, ranks, {.bytes = bytes});
  };
  for (const bool sequence : {false, true}) {
    const SyncLayout l{1, 2, 2, true, sequence, false};
    run_thread_ranks(4, {60}, [&](Communicator& world) {
      const ModelConfig model = test::small_model(4, 8, 50);
      SyncRank rank(world, l, model, true);
      std::size_t partial = 0;
      for (const Parameter& p : rank.parameters.all()) {
        if (p.spec.gradient_is_partial) partial = std::max(partial, p.gradient.bytes());
      }
      EXPECT_GT(partial, 0u);
      EXPECT_EQ(rank.sync.exchange_bytes(cpu_device),
                host(2, 1024 * sizeof(float)) + (sequence ? host(2, partial) : 0));
    });
  }
}

TEST(GradientSync, ItsGroupsThrowOnceCancelled) {
  run_thread_ranks(2, {60}, [](Communicator& world) {
    const ModelConfig model = test::small_model(2, 8, 50);
    SyncRank rank(world, {1, 2, 1, true, false, false}, model, false);
    world.barrier();
    rank.sync.cancel();
    EXPECT_THAT([&] { rank.sync.reduce(rank.context); },
                testing::ThrowsMessage<Error>("this rank has failed"));
    EXPECT_NO_THROW(world.throw_if_failed());
  });
}

}  // namespace
}  // namespace fathom
