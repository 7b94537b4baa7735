// Gradients and weights between ranks, with values that tell which ranks they are of: rank r has
// 2^r everywhere, so that a sum names those that are in it.
#include "parallel/gradient_sync.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace fathom
