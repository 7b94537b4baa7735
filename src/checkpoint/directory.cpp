// Finding checkpoints: names, listings, the newest undamaged one.
#include <algorithm>
#include <charconv>
#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"
#include "core/error.h"
#include "core/log.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {
constexpr std::string_view name_prefix = "step-";
}

std::string checkpoint_name(std::int64_t step) {
  return fmt::format("{}{:08}", name_prefix, step);
}

std::optional<std::int64_t> checkpoint_step(std::string_view name) {
  if (!name.starts_with(name_prefix)) return std::nullopt;
  const std::string_view digits = name.substr(name_prefix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (!whole || checkpoint_name(step) != name) return std::nullopt;
  return step;
}

std::vector<std::int64_t> checkpoint_steps(const std::string& directory) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto step = checkpoint_step(entry->path().filename().string());
    if (step) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<Checkpoint> latest_checkpoint(const std::string& directory,
                                            Checkpoint::Verify verify) {
  const std::vector<std::int64_t> steps = checkpoint_steps(directory);
  std::string damage;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    try {
      Checkpoint checkpoint(directory + "/" + checkpoint_name(*step), verify);
      if (!damage.empty()) log::warning("going back to the checkpoint of step {}", *step);
      return checkpoint;
    } catch (const Error& error) {
      damage = error.what();
      log::warning("the checkpoint of step {} is left out: {}", *step, damage);
    }
  }
  if (!damage.empty()) {
    fail_input(
        "{}: none of its {} checkpoints is undamaged ({}); move them away to start again from "
        "nothing",
        directory, steps.size(), damage);
  }
  return std::nullopt;
}

Checkpoint open_checkpoint(const std::string& path, Checkpoint::Verify verify) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    fail_input("{}: is no directory; name a checkpoint or a run's directory", path);
  }
  if (fs::exists(path + "/" + CheckpointManifest::file_name, error))
    return Checkpoint(path, verify);
  const bool is_run = fs::is_directory(path + "/checkpoints", error);
  auto newest = latest_checkpoint(is_run ? path + "/checkpoints" : path, verify);
  if (!newest) {
    fail_input(
        "{}: holds no checkpoint; name one (it has a manifest.json), or a run's directory with "
        "checkpoints/ in it",
        path);
  }
  return std::move(*newest);
}

}  // namespace fathom
