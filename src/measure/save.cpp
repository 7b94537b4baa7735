#include "measure/save.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "comm/world_of_one.h"
#include "core/error.h"
#include "core/progress.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "measure/steps.h"

namespace fathom::measure {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A directory that is removed at the end, with its content.
struct ScratchDirectory {
  explicit ScratchDirectory(const std::string& parent)
      : path((parent.empty() ? fs::temp_directory_path() : fs::path(parent)) /
             fmt::format("fathom-bench-save-{}", Clock::now().time_since_epoch().count())) {}
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  fs::path path;
};

// Stands in for writing a checkpoint where no disk is to be measured: reads its bytes once.
std::uint64_t read_and_drop(std::span<const CheckpointTensor> copies) {
  Checksum checksum;
  std::uint64_t bytes = 0;
  for (const CheckpointTensor& tensor : copies) {
    checksum.update({static_cast<const std::byte*>(tensor.values.data), tensor.values.bytes()});
    bytes += tensor.values.bytes();
  }
  return bytes;
}

double seconds_of_steps(BenchSteps& steps, int count) {
  double seconds = 0;
  for (int i = 0; i < count; ++i) seconds += steps.run();
  return seconds;
}

}  // namespace

SaveTimes measure_save(const StepShape& shape, const SaveEffort& effort) {
  SaveTimes times;
  BenchSteps steps(shape);
  const ScratchDirectory scratch(effort.directory);
  const std::vector<CheckpointTensor> tensors = steps.learner().checkpoint_tensors();
  times.host_bytes = CheckpointWriter::host_bytes(tensors);
  if (!effort.directory.empty()) {
    require_free_disk(effort.directory, times.host_bytes, "the checkpoint");
  }
  CheckpointWriter writer(scratch.path, {}, tensors, 0, world_of_one());
  if (effort.directory.empty()) writer.divert(read_and_drop);
  steps.heat(effort.heat_seconds);
  double plain = seconds_of_steps(steps, effort.steps);

  TrainingState state;
  state.step = steps.done();
  const auto start = Clock::now();
  writer.save(steps.context(), state);
  do {
    steps.run([&] { writer.before_change(steps.context()); });
    ++times.steps_beside;
  } while (writer.busy());
  times.seconds_beside = std::chrono::duration<double>(Clock::now() - start).count();
  times.result = *writer.finish();
  if (!times.result.committed()) fail_runtime("the save failed: {}", times.result.error);

  // A GPU's speed drifts with its heat, so steps before and after the save are the baseline.
  plain += seconds_of_steps(steps, effort.steps);
  times.step = plain / (2 * effort.steps);
  return times;
}

std::string to_text(const SaveTimes& t) {
  constexpr double between_saves = CheckpointConfig{}.interval_seconds;
  const auto bytes = static_cast<double>(t.result.bytes);
  return fmt::format(
      "step without a save  {:.3f} s\n"
      "steps beside it      {} in {:.3f} s\n"
      "exposed              {:.3f} s, {:.3f} % of the {:.0f} s between saves; save() took {:.3f} "
      "s\n"
      "saved                {} in {:.1f} s, {}/s\n"
      "host memory          {}\n",
      t.step, t.steps_beside, t.seconds_beside, t.exposed(), 100 * t.exposed() / between_saves,
      between_saves, t.result.held_seconds, human_bytes(bytes), t.result.write_seconds,
      human_bytes(bytes / std::max(t.result.write_seconds, 1e-9)),
      human_bytes(static_cast<double>(t.host_bytes)));
}

}  // namespace fathom::measure
