#include "scaling/sweep_time.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <vector>

#include "core/device.h"
#include "core/error.h"
#include "core/log_redirection.h"
#include "scaling/number_text.h"
#include "scaling/sweep_queue.h"
#include "scaling/sweep_run.h"
#include "scaling/sweep_trunks.h"
#include "train/trainer.h"

namespace fathom::scaling {
namespace {

// The shortest time of a step; the first ones, in which libraries settle, are longer.
class StepTimer final : public RunObserver {
 public:
  void step(const StepRecord& step) override {
    seconds = seconds == 0 ? step.seconds : std::min(seconds, step.seconds);
  }
  double seconds = 0;
};

// Why this machine cannot measure; empty when it can.
std::string problem_of(const std::string& device) {
  try {
    parse_device(device);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

std::string bench_directory(const std::string& dir) {
  return fmt::format("{}/.bench-{}", dir, getpid());
}

double own_steps(const SweepPlan& plan, const SweepRun& run) {
  return static_cast<double>(plan.steps(run) - run.branch_step);
}

// Of one step of a run, alone on the device.
double measure_step(const SweepPlan& plan, const SweepRun& run, const SweepConfig& sweep,
                    const std::string& dir, const std::shared_ptr<const PreparedData>& data,
                    Runtime& runtime) {
  constexpr std::int64_t steps = 6;
  TrainConfig config = sweep_run_config(plan, run, sweep, facts_of(*data, sweep.run.data), dir);
  config.continue_from.clear();
  config.output = bench_directory(dir);
  config.train.steps = steps;
  config.data.phases.clear();  // they may begin behind these steps
  clear_max_epochs(config.data);
  config.checkpoint.enabled = false;
  config.data.validation_tokens = 1;
  StepTimer timer;
  TrainOptions options;
  options.run.resume = "none";
  options.watcher = &timer;
  const log::Redirection quiet([](log::Level, const std::string&) {});
  if (train(runtime, config, options, data) != 0) fail_runtime("stopped by a signal");
  return timer.seconds;
}

}  // namespace

SweepTime time_by_rate(const SweepPlan& plan, double flops_per_second, int jobs) {
  SweepTime time;
  time.jobs = jobs;
  time.source = fmt::format("at {} FLOP/s each", power_text(flops_per_second));
  std::vector<double> seconds;
  for (const SweepRun& run : plan.runs) seconds.push_back(plan.own_flops(run) / flops_per_second);
  time.seconds = makespan(plan, static_cast<std::size_t>(jobs), seconds);
  return time;
}

SweepTime time_by_bench(const SweepPlan& plan, const SweepConfig& sweep, const std::string& dir,
                        const std::shared_ptr<const PreparedData>& data, Runtime& runtime,
                        int jobs) {
  SweepTime time;
  time.why_unknown = problem_of(sweep.run.device);
  if (!time.known()) return time;
  const SweepRun& largest = *std::ranges::max_element(plan.runs, {}, &SweepRun::flops_per_token);
  const DataFacts facts = facts_of(*data, sweep.run.data);
  time.jobs =
      jobs > 0 ? jobs : usual_jobs(sweep_run_config(plan, largest, sweep, facts, dir), facts);
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, double> steps;
  std::vector<double> seconds;
  for (const SweepRun& run : plan.runs) {
    double& step = steps[{run.model.num_layers, run.model.hidden_size, run.batch}];
    if (step == 0) step = measure_step(plan, run, sweep, dir, data, runtime);
    seconds.push_back(step * own_steps(plan, run));
  }
  std::filesystem::remove_all(bench_directory(dir));
  time.source = fmt::format("by {} short runs, each alone on {}", steps.size(), sweep.run.device);
  time.seconds = makespan(plan, static_cast<std::size_t>(time.jobs), seconds);
  return time;
}

}  // namespace fathom::scaling
