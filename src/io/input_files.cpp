#include "io/input_files.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "core/error.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

// All files under `directory` but hidden ones, by name.
std::vector<std::string> files_under(const std::string& directory) {
  std::vector<std::string> files;
  fs::recursive_directory_iterator it(directory), end;
  for (; it != end; ++it) {
    const bool hidden = it->path().filename().string().starts_with(".");
    if (hidden && it->is_directory()) it.disable_recursion_pending();
    if (!hidden && it->is_regular_file()) files.push_back(it->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> files_matching(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t matches{};
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches) == 0) {
    for (std::size_t i = 0; i < matches.gl_pathc; ++i) {
      if (fs::is_regular_file(matches.gl_pathv[i])) files.emplace_back(matches.gl_pathv[i]);
    }
  }
  globfree(&matches);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<std::string> expand_paths(std::span<const std::string> entries,
                                      std::string_view owner) {
  if (entries.empty()) fail_input("{}: no files; name at least one file or directory", owner);
  std::vector<std::string> files;
  std::unordered_set<std::string> seen;
  for (const std::string& path : entries) {
    std::vector<std::string> found;
    std::error_code error;
    if (fs::is_directory(path, error)) {
      found = files_under(path);
    } else if (fs::exists(path, error)) {
      found = {path};
    } else {
      found = files_matching(path);
    }
    if (found.empty()) fail_input("{}: '{}' stands for no file; check the path", owner, path);
    for (const std::string& file : found) {
      if (seen.insert(fs::weakly_canonical(file).string()).second) files.push_back(file);
    }
  }
  return files;
}

}  // namespace fathom
