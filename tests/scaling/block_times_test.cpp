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

}  // namespace
}  // namespace fathom::test
