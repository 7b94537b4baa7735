#include "scaling/sweep_run.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "comm/mpi_ranks.h"
#include "core/error.h"
#include "core/log_redirection.h"
#include "core/parallel.h"
#include "data/prepared.h"
#include "io/atomic_file.h"
#include "io/file_lock.h"
#include "scaling/sweep_display.h"
#include "scaling/sweep_queue.h"
#include "scaling/sweep_report.h"
#include "scaling/sweep_results.h"
#include "train/fit.h"
#include "train/machine.h"
#include "train/trainer.h"

namespace fathom::scaling {
namespace {

namespace fs = std::filesystem;

// Tells the display of a run, and keeps its last validation.
class RunWatch final : public RunObserver {
 public:
  RunWatch(SweepDisplay& display, std::size_t run) : display_(display), run_(run) {}

  void begin(const RunPosition& from) override { display_.begin(run_, from.steps); }
  void step(const StepRecord& step) override {
    display_.step(run_, step.after.steps, step.result.loss);
  }
  void validation(const MetricsRecord& record) override { last_ = record; }

  const MetricsRecord& last_validation() const { return last_; }

 private:
  SweepDisplay& display_;
  std::size_t run_;
  MetricsRecord last_;
};

std::string checkpoints_of(const std::string& dir, const std::string& run) {
  return fmt::format("{}/runs/{}/checkpoints", dir, run);
}

bool has_checkpoint(const std::string& dir, const std::string& run) {
  return !checkpoint_steps(checkpoints_of(dir, run)).empty();
}

bool has_checkpoint(const std::string& dir, const std::string& run, std::int64_t step) {
  return fs::exists(checkpoints_of(dir, run) + "/" + checkpoint_name(step));
}

class SweepRunner {
 public:
  SweepRunner(Runtime& runtime, const std::string& dir, const SweepOptions& options)
      : runtime_(runtime),
        dir_(dir),
        plan_(load_sweep_plan(dir)),
        own_(runs_of_part(plan_, options.part, options.parts)),
        lock_(fmt::format("{}/parts/{}-of-{}", dir, options.part, options.parts)),
        queue_(plan_),
        display_(plan_, own_) {
    load_configs();
    jobs_ = options.jobs > 0 ? options.jobs : usual_jobs(largest_config(), facts());
    find_results();
  }

  SweepEnd run();

 private:
  enum class Ended { with_result, by_signal, failed };

  void load_configs();
  void find_results();
  const TrainConfig& largest_config() const;
  DataFacts facts() const { return facts_of(*data_, configs_.front().data); }
  bool can_begin(const SweepRun& run) const;
  void work(int slot);
  Ended train_run(std::size_t index, int slot);
  Ended train_logged(std::size_t index, const TrainConfig& config);
  std::optional<Ended> settle_by_trunk(std::size_t index);
  Ended finish(std::size_t index, const MetricsRecord* validation);
  Ended fail(std::size_t index, const std::string& reason);
  void set(std::size_t index, Ended ended);

  Runtime& runtime_;
  std::string dir_;
  SweepPlan plan_;
  std::vector<bool> own_;
  DirectoryLock lock_;
  std::vector<TrainConfig> configs_;  // of all runs
  std::shared_ptr<const PreparedData> data_;
  int jobs_ = 1, devices_ = 1;

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  SweepQueue queue_;
  int working_ = 0;  // threads
  SweepDisplay display_;
};

void SweepRunner::load_configs() {
  for (const SweepRun& run : plan_.runs) configs_.push_back(load_sweep_run(dir_, plan_, run));
  const TrainConfig& first = configs_.front();
  const auto text = [](DataConfig data) { return config_to_toml(data); };
  for (std::size_t i = 0; i < configs_.size(); ++i) {
    if (text(configs_[i].data) == text(first.data) && configs_[i].device == first.device) continue;
    fail_input(
        "{}: [data] or device is another one than that of {}: the runs of a sweep share both",
        plan_.runs[i].name, plan_.runs.front().name);
  }
  devices_ = sweep_devices(first.device);
  data_ = std::make_shared<const PreparedData>(open_prepared(first.data));
  require_held_out(*data_);
}

void SweepRunner::find_results() {
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (!own_[i]) {
      queue_.set(i, RunState::elsewhere);
    } else if (recorded_result(dir_, plan_.runs[i])) {
      queue_.set(i, RunState::done);
    } else {
      forget_failure(dir_, plan_.runs[i]);
    }
  }
}

const TrainConfig& SweepRunner::largest_config() const {
  return *std::ranges::max_element(
      configs_, {}, [](const TrainConfig& config) { return count_parameters(config.model); });
}

// Under way before, or its trunk has come so far.
bool SweepRunner::can_begin(const SweepRun& run) const {
  return has_checkpoint(dir_, run.name) || has_checkpoint(dir_, run.trunk, run.branch_step);
}

SweepEnd SweepRunner::run() {
  log::info("{}", part_text(plan_, own_, jobs_));
  write_results(dir_, plan_);
  std::vector<std::jthread> threads;
  const int count = std::min<int>(jobs_, static_cast<int>(plan_.runs.size()));
  working_ = count;
  for (int slot = 0; slot < count; ++slot) threads.emplace_back([this, slot] { work(slot); });
  std::unique_lock lock(mutex_);
  while (working_ > 0) {
    display_.draw(queue_);
    changed_.wait_for(lock, std::chrono::milliseconds(200));
  }
  display_.draw(queue_);
  return {runtime_.stop_signal(), queue_.count(RunState::failed)};
}

// One of the threads that take run after run.
void SweepRunner::work(int slot) {
  std::unique_lock lock(mutex_);
  while (!queue_.finished() && runtime_.stop_signal() == 0) {
    const auto next = queue_.next([this](const SweepRun& run) { return can_begin(run); });
    if (!next) {
      changed_.wait_for(lock, std::chrono::milliseconds(200));
      continue;
    }
    queue_.set(*next, RunState::running);
    lock.unlock();
    const Ended ended = train_run(*next, slot);
    lock.lock();
    set(*next, ended);
    changed_.notify_all();
  }
  --working_;
  changed_.notify_all();
}

void SweepRunner::set(std::size_t index, Ended ended) {
  queue_.set(index, ended == Ended::with_result ? RunState::done
                    : ended == Ended::failed    ? RunState::failed
                                                : RunState::waiting);
}

SweepRunner::Ended SweepRunner::train_run(std::size_t index, int slot) {
  const SweepRun& run = plan_.runs[index];
  try {
    if (const auto settled = settle_by_trunk(index)) return *settled;
    TrainConfig config = configs_[index];
    if (devices_ > 1) config.device = fmt::format("cuda:{}", slot % devices_);
    // A run that has begun knows its branch point. One whose trunk has lost it begins by itself:
    // its bits are the same.
    if (has_checkpoint(dir_, run.name) || !can_begin(run)) config.continue_from.clear();
    return train_logged(index, config);
  } catch (const StoppedByGuard& stop) {
    display_.tell(fmt::format("{}: {}", run.name, stop.what()));
    return finish(index, nullptr);
  } catch (const std::exception& error) {
    return fail(index, error.what());
  }
}

// A branch whose trunk ended before its branch point: the same would happen to it.
std::optional<SweepRunner::Ended> SweepRunner::settle_by_trunk(std::size_t index) {
  const SweepRun& run = plan_.runs[index];
  if (run.trunk.empty() || can_begin(run)) return std::nullopt;
  const auto trunk = recorded_result(dir_, *plan_.find(run.trunk));
  if (!trunk) return fail(index, fmt::format("its trunk {} has failed", run.trunk));
  if (!trunk->diverged()) return std::nullopt;
  display_.tell(fmt::format("{}: its trunk {} diverged before the branch", run.name, run.trunk));
  return finish(index, nullptr);
}

SweepRunner::Ended SweepRunner::train_logged(std::size_t index, const TrainConfig& config) {
  const SweepRun& run = plan_.runs[index];
  fs::create_directories(dir_ + "/logs");
  std::ofstream file(fmt::format("{}/logs/{}.log", dir_, run.name), std::ios::app);
  std::mutex mutex;  // a checkpoint's writer tells of it from a thread of its own
  const log::Redirection redirection([&](log::Level level, const std::string& line) {
    const std::lock_guard lock(mutex);
    file << log::mark_of(level) << line << std::endl;
  });
  RunWatch watch(display_, index);
  TrainOptions options;
  options.watcher = &watch;
  const int signal = train(runtime_, config, options, data_);
  display_.end(index);
  return signal != 0 ? Ended::by_signal : finish(index, &watch.last_validation());
}

SweepRunner::Ended SweepRunner::finish(std::size_t index, const MetricsRecord* validation) {
  const RunResult result = sweep_result(plan_, plan_.runs[index], validation);
  try {
    record_result(dir_, result);
    write_results(dir_, plan_);
  } catch (const std::exception& error) {
    return fail(index, error.what());
  }
  display_.end(index);
  display_.tell(result_text(result));
  return Ended::with_result;
}

// Whatever the disk says now, the other runs go on.
SweepRunner::Ended SweepRunner::fail(std::size_t index, const std::string& reason) {
  const SweepRun& run = plan_.runs[index];
  display_.end(index);
  display_.tell(fmt::format("{}: failed: {}", run.name, reason));
  try {
    record_failure(dir_, run, reason);
    write_results(dir_, plan_);
  } catch (const std::exception& error) {
    display_.tell(fmt::format("{}: cannot be recorded: {}", run.name, error.what()));
  }
  return Ended::failed;
}

}  // namespace

int sweep_devices(const std::string& device) {
  return device == "cuda" ? std::max(1, cuda::device_count()) : 1;
}

int usual_jobs(const TrainConfig& largest, const DataFacts& data) {
  if (largest.device == "cpu") {
    return std::max(1,
                    num_threads() / static_cast<int>(std::max<std::int64_t>(1, largest.threads)));
  }
  constexpr std::size_t most = 8;
  const std::size_t free = free_memory(parse_device(largest.device));
  const TrainPlan plan = resolve_to_fit(largest, data, 1, free);
  const std::size_t bytes = plan_memory(plan, OneRank(plan.config.model).groups).device_total();
  const std::size_t each =
      std::clamp<std::size_t>(free / 2 / std::max<std::size_t>(1, bytes), 1, most);
  return static_cast<int>(each) * sweep_devices(largest.device);
}

SweepEnd run_sweep(Runtime& runtime, const std::string& dir, const SweepOptions& options) {
  if (launched_ranks() > 1) {
    fail_input(
        "scaling run makes runs of one rank each: start it once, or share it by --part I/N "
        "instead of mpirun or srun's tasks");
  }
  return SweepRunner(runtime, dir, options).run();
}

}  // namespace fathom::scaling
