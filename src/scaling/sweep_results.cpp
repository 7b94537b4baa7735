#include "scaling/sweep_results.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/file_lock.h"
#include "io/mapped_file.h"
#include "train/metric_names.h"

namespace fathom::scaling {
namespace {

namespace fs = std::filesystem;

std::string result_path(const std::string& dir, const std::string& run) {
  return fmt::format("{}/results/{}.json", dir, run);
}

std::string failure_path(const std::string& dir, const std::string& run) {
  return fmt::format("{}/results/{}.failed", dir, run);
}

// Held for the moment of writing, by one process at a time: the last to write has read all results
// that the others have recorded.
DirectoryLock results_lock(const std::string& dir) {
  using namespace std::chrono_literals;
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (true) {
    try {
      return DirectoryLock(dir + "/results");
    } catch (const Error&) {
      if (std::chrono::steady_clock::now() > end) throw;
    }
    std::this_thread::sleep_for(20ms);
  }
}

}  // namespace

RunResult sweep_result(const SweepPlan& plan, const SweepRun& run,
                       const MetricsRecord* validation) {
  RunResult result;
  result.name = run.name;
  result.dataset = plan.dataset;
  result.layers = run.model.num_layers;
  result.width = run.model.hidden_size;
  result.model_flops = run.model_flops;
  result.tokens = static_cast<double>(run.tokens);
  result.compute = run.compute();
  result.batch_tokens = static_cast<double>(run.tokens_per_step(plan.sequence_length));
  result.learning_rate = run.learning_rate;
  result.unique_tokens = static_cast<double>(plan.unique_tokens);
  result.seed = plan.seed;
  const auto figure = [&](std::string_view name) {
    const double* value = validation ? validation->find(name) : nullptr;
    return value ? *value : RunResult::unknown;
  };
  result.loss = figure(metric::validation_loss);
  result.bits_per_byte = figure(metric::bits_per_byte);
  return result;
}

void record_result(const std::string& dir, const RunResult& result) {
  fs::create_directories(dir + "/results");
  write_file_atomically(result_path(dir, result.name), result_line(result) + "\n");
}

void record_failure(const std::string& dir, const SweepRun& run, const std::string& reason) {
  fs::create_directories(dir + "/results");
  write_file_atomically(failure_path(dir, run.name), reason + "\n");
}

void forget_failure(const std::string& dir, const SweepRun& run) {
  fs::remove(failure_path(dir, run.name));
}

std::optional<RunResult> recorded_result(const std::string& dir, const SweepRun& run) {
  const std::string path = result_path(dir, run.name);
  if (!fs::exists(path)) return std::nullopt;
  const MappedFile file(path);
  std::string_view line = file.text();
  while (line.ends_with('\n')) line.remove_suffix(1);
  return parse_result(line, path);
}

void write_results(const std::string& dir, const SweepPlan& plan) {
  const DirectoryLock lock = results_lock(dir);
  std::string text;
  for (const SweepRun& run : plan.runs) {
    if (const auto result = recorded_result(dir, run)) {
      text += result_line(*result) + "\n";
    } else if (fs::exists(failure_path(dir, run.name))) {
      text += result_line(sweep_result(plan, run, nullptr)) + "\n";
    }
  }
  write_file_atomically(dir + "/results.jsonl", text);
}

}  // namespace fathom::scaling
