// Finding checkpoints: names, listings, the newest undamaged one.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"
#include "core/disk_calls.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view name_prefix = "step-";

bool is_absent(const std::error_code& error) {
  return error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
}

// Whether `digits` is a whole number, and which.
bool parse_step(std::string_view digits, std::int64_t& step) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

std::string checkpoint_name(std::int64_t step) {
  return fmt::format("{}{:08}", name_prefix, step);
}

std::optional<std::int64_t> checkpoint_step(std::string_view name) {
  if (!name.starts_with(name_prefix)) return std::nullopt;
  std::int64_t step = 0;
  const bool whole = parse_step(name.substr(name_prefix.size()), step);
  if (!whole || checkpoint_name(step) != name) return std::nullopt;
  return step;
}

std::vector<std::int64_t> checkpoint_steps(const std::string& directory) {
  std::vector<std::int64_t> steps;
  const DiskCall call("listing", directory);
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto step = checkpoint_step(entry->path().filename().string());
    if (step) steps.push_back(*step);
  }
  // A run that took a directory it cannot list for an empty one would begin again at step 0.
  if (error && !is_absent(error)) {
    fail_input("{}: cannot list the checkpoints in this directory: {}", directory, error.message());
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::vector<std::string> checkpoints_at(const std::string& path) {
  std::error_code error;
  if (fs::exists(path + "/" + CheckpointManifest::file_name, error)) return {path};
  const bool is_run = fs::is_directory(path + "/checkpoints", error);
  const std::string directory = is_run ? path + "/checkpoints" : path;
  std::vector<std::string> found;
  for (const std::int64_t step : checkpoint_steps(directory)) {
    found.insert(found.begin(), directory + "/" + checkpoint_name(step));
  }
  return found;
}

std::string named_checkpoint(std::string name) {
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  const std::vector<std::string> found = checkpoints_at(name);
  if (!found.empty()) return found.front();
  const std::size_t at = name.rfind('@');
  std::int64_t step = 0;
  if (at == std::string::npos || !parse_step(std::string_view(name).substr(at + 1), step)) {
    fail_no_checkpoint(name);
  }
  const std::string run = name.substr(0, at);
  std::vector<std::string> others;
  for (const std::string& checkpoint : checkpoints_at(run)) {
    const std::string own = fs::path(checkpoint).filename().string();
    if (own == checkpoint_name(step)) return checkpoint;
    others.push_back(own);
  }
  if (others.empty()) fail_no_checkpoint(run);
  fail_input("{}: holds no checkpoint of step {}, but {}", run, step, fmt::join(others, ", "));
}

void fail_no_checkpoint(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    fail_input("{}: is no directory; name a checkpoint or a run's directory", path);
  }
  fail_input(
      "{}: holds no checkpoint; name one (it has a manifest.json), or a run's directory with "
      "checkpoints/ in it",
      path);
}

}  // namespace fathom
