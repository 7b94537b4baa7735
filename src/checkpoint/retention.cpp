#include "checkpoint/retention.h"

#include <unistd.h>

#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "checkpoint/files.h"
#include "core/error.h"
#include "core/log.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

// `path`, or with a number behind it where that is taken.
std::string free_name(const std::string& path) {
  std::string name = path;
  for (int number = 2; fs::exists(fs::symlink_status(name)); ++number) {
    name = fmt::format("{}-{}", path, number);
  }
  return name;
}

}  // namespace

std::vector<std::int64_t> steps_to_remove(std::span<const std::int64_t> steps,
                                          const RetentionRule& rule, std::int64_t committed) {
  std::vector<std::int64_t> removed;
  std::int64_t newer = 0;  // steps up to the committed one that stand after this one
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (*step > committed) continue;
    const bool among_last = newer++ < rule.keep_last;
    const bool for_good = rule.keep_every > 0 && *step % rule.keep_every == 0;
    if (!among_last && !for_good && *step != committed) removed.push_back(*step);
  }
  return removed;
}

void apply_retention(const std::string& directory, const RetentionRule& rule,
                     std::int64_t committed) {
  std::vector<std::int64_t> steps;
  try {
    steps = checkpoint_steps(directory);
  } catch (const Error& error) {
    log::warning("old checkpoints stay: {}", error.what());
  }
  for (const std::int64_t step : steps_to_remove(steps, rule, committed)) {
    const std::string path = directory + "/" + checkpoint_name(step);
    if (fs::exists(fs::symlink_status(path + "/" + keep_file_name))) continue;
    // A name that remove_stale_temporaries() knows.
    const std::string trash = fmt::format("{}.tmp-{}-{}", path, getpid(), step);
    std::error_code error;
    fs::rename(path, trash, error);
    if (!error && !remove_own_files(trash, checkpoint_files())) {
      fs::rename(trash, free_name(path + ".kept"), error);
      log::warning("{}: this old checkpoint holds files that Fathom did not make: they are kept",
                   path);
    }
    if (error) log::warning("{}: cannot remove this old checkpoint: {}", path, error.message());
  }
}

void set_aside_later(const std::string& directory, std::int64_t step) {
  for (const std::int64_t later : checkpoint_steps(directory)) {
    if (later <= step) continue;
    const std::string path = directory + "/" + checkpoint_name(later);
    std::string aside = path + ".abandoned";
    std::error_code error;
    if (fs::exists(aside, error)) remove_own_files(aside, checkpoint_files());
    aside = free_name(aside);
    fs::rename(path, aside, error);
    if (error) {
      log::warning("{}: cannot rename this checkpoint: {}", path, error.message());
    } else {
      log::warning("going on from step {}: the later checkpoint is set aside as {}", step, aside);
    }
  }
}

}  // namespace fathom
