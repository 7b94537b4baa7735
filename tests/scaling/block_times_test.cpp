// The first estimates of layouts' steps, beside the exact simulation.
#include "scaling/block_times.h"

#include <gtest/gtest.h>

#include "scaling/planned.h"

namespace fathom::test {
namespace {

using namespace scaling;

// The search stops where an estimate is above the best times by 8 %: an estimate may be too short,
// but hardly too long.
TEST(BlockEstimates, AreNearlyLowerBounds) {
  const PlannedRun run = planned_run(model_7b(8), 32);
  const Cluster cluster(load_card("h200"), 4, 4);
  const OperationTime time(cluster.card());
  BlockEstimates estimates(run, cluster, time);
  for (const char* name : {"dp4", "tp4", "pp4", "pp2xdp2", "pp2xtp2+sp+pieces2", "pp4+v2",
                           "pp2xdp2+v4", "dp4+nozero"}) {
    const LayoutOptions options = layout(name);
    const double exact = look_at(plan_layout(run, options, 4), cluster, time).time.seconds;
    const double estimate = estimates.step_seconds(options);
    // Of parts of one block each the head makes one much longer than the others.
    const bool interleaved = options.parallel.virtual_stages > 1;
    EXPECT_LT(estimate, (interleaved ? 1.13 : 1.08) * exact) << name;
    EXPECT_GT(estimate, 0.8 * exact) << name;
  }
}

// Blocks that were timed once are timed again for a layout whose blocks take another time.
TEST(BlockEstimates, OfALayoutAreItsOwnWhateverWasAskedBefore) {
  const PlannedRun run = planned_run(tiny_model(8), 16, 64);
  const Cluster cluster(load_card("h200"), 4, 4);
  const OperationTime time(cluster.card());
  std::vector<LayoutOptions> all;
  for (const char* name : {"dp4", "dp4+nozero", "pp4", "tp4", "tp4+sp", "tp4+sp+pieces2", "dp2xtp2",
                           "pp2xtp2", "pp2xdp2+v2"}) {
    for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
      for (const std::int64_t micro_batch : {1, 2}) {
        all.push_back(layout(name, micro_batch));
        all.back().recompute = recompute;
      }
    }
  }
  BlockEstimates together(run, cluster, time);
  for (const LayoutOptions& options : all) {
    BlockEstimates alone(run, cluster, time);
    EXPECT_EQ(together.step_seconds(options), alone.step_seconds(options))
        << layout_name(options.parallel) << " of " << options.micro_batch;
  }
  LayoutOptions none = layout("dp4"), full = none;
  full.recompute = Recompute::full;
  EXPECT_LT(together.step_seconds(none), together.step_seconds(full));
}

}  // namespace
}  // namespace fathom::test
