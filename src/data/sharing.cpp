#include "data/sharing.h"

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "io/atomic_directory.h"

namespace fathom {
namespace {

// Between two looks at what others have.
constexpr auto pause = std::chrono::milliseconds(500);

std::string claim_path(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + claim_file(name);
  const std::string folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_input("{}: cannot create this directory: {}", folder, error.message());
  return path;
}

void hold_until_the_end(FileLock&& claim) {
  static std::mutex mutex;
  static std::vector<FileLock> claims;
  const std::lock_guard lock(mutex);
  claims.push_back(std::move(claim));
}

class PartSharing {
 public:
  PartSharing(const PartWork& work, const std::string& directory, const std::string& results)
      : work_(work), directory_(directory), results_(results), made_(work.parts) {}

  void run() {
    while (const std::size_t others = make_free_ones()) {
      if (others_ == 0) {
        log::info("waiting for {} parts that other processes make; {} has one of them", others,
                  FileLock::holder_of(claim_path(directory_, work_.name(first_of_others_))));
      }
      others_ = others;
      std::this_thread::sleep_for(pause);
    }
  }

 private:
  // Returns how many parts others have.
  std::size_t make_free_ones() {
    std::size_t others = 0;
    for (std::size_t i = 0; i < work_.parts; ++i) {
      if (made_[i] || found_made(i)) continue;
      auto claim = FileLock::try_take(claim_path(directory_, work_.name(i)));
      if (!claim) {
        if (others++ == 0) first_of_others_ = i;
        continue;
      }
      see_files_of_other_hosts(results_);
      if (found_made(i)) continue;  // since it was looked for
      make(i, *claim);
    }
    return others;
  }

  void make(std::size_t i, FileLock& claim) {
    try {
      work_.make(i);
    } catch (...) {
      hold_until_the_end(std::move(claim));
      throw;
    }
    made_[i] = true;
  }

  bool found_made(std::size_t i) {
    if (!work_.is_made(i)) return false;
    work_.found_made(i);
    return made_[i] = true;
  }

  const PartWork& work_;
  const std::string &directory_, &results_;
  std::vector<bool> made_;
  std::size_t others_ = 0, first_of_others_ = 0;
};

}  // namespace

std::string claim_file(const std::string& name) {
  return ".claims/" + name;
}

void make_parts(const PartWork& work, const std::string& directory, const std::string& results,
                Role role) {
  if (role != Role::alone) return PartSharing(work, directory, results).run();
  for (std::size_t i = 0; i < work.parts; ++i) {
    if (work.is_made(i)) {
      work.found_made(i);
    } else {
      work.make(i);
    }
  }
}

std::optional<FileLock> claim_rest(const std::string& directory, Role role) {
  if (role != Role::member) return std::nullopt;
  const std::string path = claim_path(directory, rest_claim);
  auto claim = FileLock::try_take(path);
  if (!claim) {
    fail_input("{}: {} works on this, too; wait for it to end, stop it, or choose another directory",
               directory, FileLock::holder_of(path));
  }
  return claim;
}

std::optional<FileLock> wait_for_claim(const std::string& directory, const std::string& name,
                                       Role role) {
  if (role == Role::alone) return std::nullopt;
  const std::string path = claim_path(directory, name);
  while (true) {
    if (auto claim = FileLock::try_take(path)) return claim;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace fathom
