#include "checkpoint/writer.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <future>

#include "checkpoint/files.h"
#include "checkpoint/ranks.h"
#include "checkpoint/retention.h"
#include "core/log_redirection.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/stream.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::size_t aligned(std::size_t bytes) {
  constexpr std::size_t alignment = 256;
  return (bytes + alignment - 1) / alignment * alignment;
}

// Copies to a contiguous host tensor; on a GPU only queued.
void copy_to_host(Stream stream, const Tensor& from, const Tensor& to) {
  if (from.elements() == 0) return;
  const std::int64_t rows = from.contiguous() ? 1 : from.rows();
  const std::size_t row_bytes = from.bytes() / static_cast<std::size_t>(rows);
  const std::size_t from_stride = static_cast<std::size_t>(from.row_stride) * size_of(from.dtype);
  const auto* source = static_cast<const std::byte*>(from.data);
  auto* target = static_cast<std::byte*>(to.data);
  if (from.device == cpu_device && rows == 1) {
    // All cores together: one alone does not saturate the memory.
    return parallel_for(static_cast<std::int64_t>(row_bytes), 1 << 20, [&](auto begin, auto end) {
      std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
    });
  }
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    copy_bytes(target + row * row_bytes, cpu_device, source + row * from_stride, from.device,
               row_bytes, stream);
  }
}

}  // namespace

// The tensors of the run, and the host memory that they are copied to. A GPU copies on
// a stream of its own, beside the next step's forward and backward.
struct CheckpointWriter::Snapshot {
  std::vector<CheckpointTensor> sources;
  Device device;
  HostBuffer memory;
  OwnedStream stream;
  Event ready, copied;
  std::vector<CheckpointTensor> copies;  // `values` inside `memory`

  explicit Snapshot(std::vector<CheckpointTensor> tensors)
      : sources(std::move(tensors)),
        device(sources.empty() ? cpu_device : sources.front().values.device),
        memory(device, host_bytes(sources)),
        stream(device),
        ready(device),
        copied(device),
        copies(sources) {
    std::size_t offset = 0;
    for (CheckpointTensor& copy : copies) {
      copy.values = memory.tensor(copy.values.dtype, copy.values.shape, offset);
      offset += aligned(copy.values.bytes());
    }
  }

  void take(Context& context) {
    ready.record(context.stream);
    ready.block(stream.get());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      copy_to_host(stream.get(), sources[i].values, copies[i].values);
    }
    copied.record(stream.get());
  }
};

struct CheckpointWriter::Background {
  std::future<SaveResult> running;  // valid: a save whose result was not fetched yet
  std::optional<SaveResult> ended;  // fetched, not yet handed out

  bool ready() const {
    return running.valid() &&
           running.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
};

void check(const CheckpointConfig& config) {
  if (!(config.interval_seconds >= 0)) {
    fail_input("checkpoint.interval_seconds is {}: use 0 or more", config.interval_seconds);
  }
  if (config.every_steps < 0) {
    fail_input("checkpoint.every_steps is {}: use 0 or more", config.every_steps);
  }
  if (config.keep_last < 1) {
    fail_input("checkpoint.keep_last is {}: at least 1 must be kept", config.keep_last);
  }
  if (config.keep_every < 0) {
    fail_input("checkpoint.keep_every is {}: use 0 or more", config.keep_every);
  }
  for (const std::int64_t tokens : config.keep_tokens) {
    if (tokens < 1) fail_input("checkpoint.keep_tokens holds {}: use 1 or more", tokens);
  }
  if (!(config.max_write_megabytes >= 0)) {
    fail_input("checkpoint.max_write_megabytes is {}: use 0 or more", config.max_write_megabytes);
  }
}

CheckpointWriter::CheckpointWriter(std::string directory, CheckpointConfig config,
                                   std::vector<CheckpointTensor> tensors, std::int64_t resumed_step,
                                   std::unique_ptr<Communicator> ranks)
    : directory_(std::move(directory)),
      config_(config),
      ranks_(std::move(ranks)),
      resumed_step_(resumed_step),
      background_(std::make_unique<Background>()),
      last_start_(Clock::now()) {
  check(config_);
  check_tensors(tensors, alone() ? ManifestSlices::whole : ManifestSlices::part);
  std::error_code error;
  if (first()) {
    std::filesystem::create_directories(directory_, error);
    if (error) fail_input("{}: cannot create this directory: {}", directory_, error.message());
    if (config_.enabled) remove_stale_temporaries(directory_);
    if (config_.enabled) set_aside_later(directory_, resumed_step);
  }
  wait_for_disks(*ranks_);
  if (std::filesystem::exists(directory_ + "/" + checkpoint_name(resumed_step), error)) {
    committed_step_ = resumed_step;
  }
  if (!config_.enabled) tensors.clear();
  snapshot_ = std::make_unique<Snapshot>(std::move(tensors));
}

CheckpointWriter::~CheckpointWriter() {
  if (background_->running.valid()) background_->running.wait();
}

std::size_t CheckpointWriter::host_bytes(const std::vector<CheckpointTensor>& tensors) {
  std::size_t bytes = 0;
  for (const CheckpointTensor& tensor : tensors) bytes += aligned(tensor.values.bytes());
  return bytes;
}

bool CheckpointWriter::busy() const {
  return background_->running.valid() && !background_->ready();
}

bool CheckpointWriter::due(std::int64_t step) {
  if (!config_.enabled || step <= resumed_step_) return false;
  const bool by_time =
      config_.interval_seconds > 0 && seconds_since(last_start_) >= config_.interval_seconds;
  const bool by_steps = config_.every_steps > 0 && step % config_.every_steps == 0;
  postponed_ = postponed_ || by_time || by_steps;
  return postponed_ && !busy();
}

double CheckpointWriter::save(Context& context, TrainingState state, Keep keep) {
  // Another rank may have heard of the last save's end before this one.
  require(config_.enabled, "a checkpoint save where none is to be made");
  require(!alone() || !busy(), "a checkpoint save starts while another one runs");
  if (auto earlier = finish()) background_->ended = std::move(earlier);
  postponed_ = false;
  last_start_ = Clock::now();
  snapshot_->take(context);
  const double held = seconds_since(last_start_);
  background_->running = std::async(std::launch::async, [this, held, keep, state = std::move(state),
                                                         sink = log::Redirection::sink()] {
    const log::Redirection redirection(sink);
    SaveResult result = write(state, keep);
    result.held_seconds = held;
    return result;
  });
  return seconds_since(last_start_);
}

void CheckpointWriter::before_change(Context& context) const {
  snapshot_->copied.block(context.stream);
}

SaveResult CheckpointWriter::write(const TrainingState& state, Keep keep) const {
  const auto start = Clock::now();
  SaveResult result;
  result.step = state.step;
  try {
    snapshot_->copied.wait();
    result.bytes = sink_ ? sink_(snapshot_->copies) : write_files(state, keep);
    if (first() && !sink_) {
      const double seconds = seconds_since(start);
      log::info("saved the checkpoint of step {}: {} in {:.1f} s ({}/s)", state.step,
                human_bytes(double(result.bytes)), seconds,
                human_bytes(double(result.bytes) / seconds));
      apply_retention(directory_, {config_.keep_last, config_.keep_every}, state.step);
    }
  } catch (const std::exception& error) {
    result.error = error.what();
    if (first()) {
      log::warning(
          "the checkpoint of step {} was not saved ({}); training goes on, earlier ones "
          "stay valid",
          state.step, result.error);
    }
  }
  result.write_seconds = seconds_since(start);
  return result;
}

// The first rank makes the directory, all write into it, the first commits. After each
// of these everyone hears how it went, so that all fail or none.
std::uint64_t CheckpointWriter::write_files(const TrainingState& state, Keep keep) const {
  std::optional<AtomicDirectory> target;
  const std::vector<std::string> places = all_or_none(*ranks_, [&]() -> std::string {
    if (!first()) return {};
    // A damaged checkpoint of this step may be there from before a resume.
    target.emplace(directory_ + "/" + checkpoint_name(state.step), checkpoint_files());
    return target->temporary();
  });
  const std::vector<std::string> texts = all_or_none(*ranks_, [&] {
    WriteRate rate(config_.max_write_megabytes * 1e6);
    const int number = alone() ? -1 : ranks_->rank();
    return checkpoint_manifest_text(
        write_tensor_files(places.front(), snapshot_->copies, state.step, number, rate));
  });
  const std::vector<std::string> bytes = all_or_none(*ranks_, [&]() -> std::string {
    if (!first()) return {};
    std::vector<CheckpointManifest> parts;
    for (const std::string& text : texts) {
      parts.push_back(parse_checkpoint_manifest(text, "a rank's part", ManifestSlices::part));
    }
    const std::uint64_t written =
        finish_checkpoint(target->temporary(), merge_manifests(parts), state, {});
    if (keep == Keep::for_good)
      write_file_atomically(target->file(keep_file_name), "", Flush::by_directory);
    target->commit();
    return std::to_string(written);
  });
  return std::stoull(bytes.front());
}

std::optional<SaveResult> CheckpointWriter::poll() {
  if (background_->ended) return std::exchange(background_->ended, std::nullopt);
  return background_->ready() ? finish() : std::nullopt;
}

std::optional<SaveResult> CheckpointWriter::finish() {
  if (!background_->running.valid()) return std::exchange(background_->ended, std::nullopt);
  SaveResult result = background_->running.get();
  if (result.committed()) committed_step_ = result.step;
  return result;
}

SaveResult CheckpointWriter::save_and_wait(Context& context, TrainingState state, Keep keep) {
  finish();
  SaveResult result;
  result.step = state.step;
  if (committed_step_ == state.step) return result;
  if (!config_.enabled) {
    result.error = "checkpoint.enabled is false";
    return result;
  }
  save(context, std::move(state), keep);
  return *finish();
}

void write_checkpoint(const std::string& path, const std::vector<CheckpointTensor>& tensors,
                      const TrainingState& state,
                      const std::vector<std::pair<std::string, std::string>>& files) {
  check_tensors(tensors);
  for (const CheckpointTensor& tensor : tensors) {
    require(tensor.values.device == cpu_device && tensor.values.contiguous(),
            "'{}' is not contiguous on the CPU", tensor.name);
  }
  AtomicDirectory target(path);
  WriteRate unlimited(0);
  write_checkpoint_files(target.temporary(), tensors, state, unlimited, files);
  target.commit();
}

}  // namespace fathom
