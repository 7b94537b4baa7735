// Every layout of the ranks under mpirun against one rank, as the thread ranks' test
// does. Prints a table; exit code 0 when all agree.
#include <cstdio>

#include "comm/mpi_ranks.h"
#include "core/parallel.h"
#include "learn/learner_run.h"

namespace fathom::test {
namespace {

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    most = std::max(most, std::abs(double(a.at(i)) / b[i] - 1));
  }
  return most;
}

// Over the entries that this rank holds; the others are zero.
double weight_error(const Result& mine, const Result& one) {
  double most = 0;
  for (const auto& [name, values] : mine.weights) {
    std::vector<float> here, there;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] == 0) continue;
      here.push_back(values[i]);
      there.push_back(one.weights.at(name)[i]);
    }
    if (!here.empty()) most = std::max(most, relative_error(here, there));
  }
  return most;
}

void compare(Communicator& world, const Case& c, const Result& one) {
  const ModelConfig model = model_of(c);
  const ParallelPlan plan =
      resolve(c.parallel, world.size(), model, {2 * micro_batches, 2, SampleBatch::length});
  const RankGroups groups(world, plan, model);
  const Result mine = train(c, groups);
  const double loss = largest_difference(mine.losses, one.losses);
  const double weight = weight_error(mine, one);
  const std::vector<double> losses = gather_values(world, loss);
  const std::vector<double> weights = gather_values(world, weight);
  const double most_loss = *std::max_element(losses.begin(), losses.end());
  const double most_weight = *std::max_element(weights.begin(), weights.end());
  if (world.rank() == 0) std::printf("%-90s %.1e %.1e\n", c.name().c_str(), most_loss, most_weight);
  require(most_loss < 1e-5 && most_weight < 1e-4, "{}: not one rank's", c.name());
}

void compare_all(Communicator& world) {
  set_num_threads(1);
  const Result one = train_on_one_rank({});
  const int ranks = world.size();
  for (int pp = 1; pp <= ranks; ++pp) {
    for (int tp = 1; pp * tp <= ranks; ++tp) {
      if (ranks % (pp * tp) != 0) continue;
      for (const bool on : {false, true}) {
        Case c{layout(pp, ranks / pp / tp, tp)};
        c.parallel.sequence_parallel = c.parallel.zero = on;
        compare(world, c, one);
      }
    }
  }
}

}  // namespace
}  // namespace fathom::test

int main() {
  if (fathom::launched_ranks() == 0) {
    std::fputs("run this under mpirun\n", stderr);
    return 2;
  }
  fathom::run_mpi_rank({60}, fathom::test::compare_all);
  return 0;
}
