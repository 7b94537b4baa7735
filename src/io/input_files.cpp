#include "io/input_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"
#include "io/glob.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;
using Inode = std::pair<dev_t, ino_t>;

const char* special_name(mode_t mode) {
  return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

bool is_link(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

// The matches of each choice of the pattern's braces. A choice that matches nothing is an
// input Error, as it is in a shell, where the program would not find the file.
std::vector<std::string> matches_of(const std::string& pattern) {
  const std::vector<std::string> choices = expand_braces(pattern);
  std::vector<std::string> all;
  for (const std::string& choice : choices) {
    const std::vector<std::string> found = match_pattern(choice);
    if (found.empty() && choices.size() > 1 && !choice.empty()) {
      fail_input("'{}': '{}' matches no file; check the path", pattern, choice);
    }
    all.insert(all.end(), found.begin(), found.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

class Finder {
 public:
  explicit Finder(std::string_view owner) : owner_(owner) {}

  void add(const std::string& entry) {
    found_.clear();
    hidden_ = 0;
    struct stat status {};
    const bool there = stat(entry.c_str(), &status) == 0;
    const int problem = errno;
    if (there && S_ISDIR(status.st_mode)) {
      add_directory(entry, status);
    } else if (there) {
      found_.push_back({entry, status});
    } else if (is_pattern(entry)) {
      for (const std::string& path : match(entry)) add_path(path);
    } else if (is_link(entry) || (problem != ENOENT && problem != ENOTDIR)) {
      fail_to_reach(entry, problem);
    }
    const std::string left_out =
        hidden_ > 0 ? fmt::format("{} hidden files or directories are left out", hidden_) : "";
    if (found_.empty() && !repeated_directory_) {
      fail_input("{}: '{}' matches no file{}; check the path", owner_, entry,
                 left_out.empty() ? "" : " (" + left_out + ")");
    }
    if (!left_out.empty()) {
      files_.notes.push_back(fmt::format("{}: '{}': {}", owner_, entry, left_out));
    }
    repeated_directory_ = false;
    keep_new_ones();
  }

  InputFiles finish() {
    if (repeated_ > 0) {
      files_.notes.push_back(fmt::format("{}: {} files are named more than once and are read once",
                                         owner_, repeated_));
    }
    return std::move(files_);
  }

 private:
  struct Found {
    std::string path;
    struct stat status;
  };

  std::vector<std::string> match(const std::string& pattern) const {
    return with_location(owner_, [&] { return matches_of(pattern); });
  }

  void add_path(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) fail_to_reach(path, errno);
    if (S_ISDIR(status.st_mode)) return add_directory(path, status);
    if (!S_ISREG(status.st_mode)) {
      fail_input("{}: {} is {}; name it itself to read it, or move it away", owner_, path,
                 special_name(status.st_mode));
    }
    found_.push_back({path, status});
  }

  void add_directory(const std::string& directory, const struct stat& status) {
    const auto [first, fresh] = entered_.insert({{status.st_dev, status.st_ino}, directory});
    if (!fresh) {
      repeated_directory_ = true;
      files_.notes.push_back(fmt::format("{}: {} is the directory {} again; it is read once",
                                         owner_, directory, first->second));
      return;
    }
    files_.directories.push_back(directory);
    for (const std::string& name : names_in(directory)) {
      if (name[0] == '.') {
        ++hidden_;
      } else {
        add_path(join_path(directory, name));
      }
    }
  }

  std::vector<std::string> names_in(const std::string& directory) const {
    return with_location(owner_, [&] { return sorted_names(directory); });
  }

  [[noreturn]] void fail_to_reach(const std::string& path, int problem) const {
    if (problem != ENOENT) {
      fail_input("{}: {}: cannot be read: {}", owner_, path, std::strerror(problem));
    }
    std::error_code error;
    fail_input("{}: {} is a link to {}, which is not there; mend or remove the link", owner_, path,
               fs::read_symlink(path, error).string());
  }

  void keep_new_ones() {
    std::sort(found_.begin(), found_.end(),
              [](const Found& a, const Found& b) { return a.path < b.path; });
    for (Found& file : found_) {
      if (read_.insert({file.status.st_dev, file.status.st_ino}).second) {
        files_.paths.push_back(std::move(file.path));
      } else {
        ++repeated_;
      }
    }
  }

  std::string owner_;
  InputFiles files_;
  std::vector<Found> found_;  // of the current entry
  std::map<Inode, std::string> entered_;
  std::set<Inode> read_;
  int hidden_ = 0, repeated_ = 0;
  bool repeated_directory_ = false;  // in the current entry
};

}  // namespace

InputFiles find_input_files(std::span<const std::string> entries, std::string_view owner) {
  if (entries.empty()) fail_input("{}: no files; name at least one file or directory", owner);
  Finder finder(owner);
  for (const std::string& entry : entries) finder.add(entry);
  return finder.finish();
}

}  // namespace fathom
