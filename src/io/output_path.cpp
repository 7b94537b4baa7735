#include "io/output_path.h"

#include <fnmatch.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "io/atomic_file.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

bool is_in_proc(const fs::path& path) {
  struct statfs system {};
  return ::statfs(parent_of(path).c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

bool is_own(const fs::path& file, const fs::path& directory, const OwnFiles& own) {
  std::error_code error;
  if (fs::symlink_status(file, error).type() != fs::file_type::regular) return false;
  const std::string name = file.lexically_relative(directory).string();
  return std::ranges::any_of(own, [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0;
  });
}

// Everything below `directory`, the entries of a directory before the directory itself.
// Links are not followed.
std::vector<fs::path> content_of(const fs::path& directory) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    paths.push_back(entry.path());
  }
  std::reverse(paths.begin(), paths.end());
  return paths;
}

bool is_real_directory(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == fs::file_type::directory;
}

}  // namespace

std::string through_links(const std::string& path) {
  constexpr int max_links = 40;  // as many as Linux follows
  fs::path place = path;
  for (int links = 0;; ++links) {
    while (!place.has_filename() && place.has_relative_path()) place = place.parent_path();
    std::error_code error;
    if (place.filename() == "." || place.filename() == "..") {
      place = fs::canonical(place, error);
      if (error) fail_input("{}: cannot be reached: {}", path, error.message());
    }
    if (!fs::is_symlink(place, error) || is_in_proc(place)) return place.string();
    if (links == max_links) fail_input("{}: its symbolic links form a loop", path);
    // Not normalised: after a linked directory, ".." is the parent of the link's target.
    place = parent_of(place) / fs::read_symlink(place);
  }
}

void require_writable_file(const std::string& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  // Opening a FIFO or a device can block, or have an effect on the other end.
  if (type == fs::file_type::regular || type == fs::file_type::directory ||
      type == fs::file_type::not_found) {
    AtomicFile given_up(path);
  }
}

void require_own_files(const std::string& directory, const OwnFiles& own) {
  std::error_code error;
  if (!fs::exists(directory, error)) return;
  if (!fs::is_directory(directory, error)) {
    fail_input("{}: is a file; name a directory to make", directory);
  }
  const fs::path top = through_links(directory);
  for (const fs::path& path : content_of(top)) {
    if (is_real_directory(path) || is_own(path, top, own)) continue;
    fail_input(
        "{}: holds {}, which Fathom did not make, so this directory is not replaced; move that "
        "file away or choose another directory",
        directory, path.lexically_relative(top).string());
  }
}

bool remove_own_files(const std::string& directory, const OwnFiles& own) {
  for (const fs::path& path : content_of(directory)) {
    std::error_code ignored;
    // Removes a directory only when it is empty.
    if (is_real_directory(path) || is_own(path, directory, own)) fs::remove(path, ignored);
  }
  std::error_code error;
  return fs::remove(directory, error);
}

}  // namespace fathom
