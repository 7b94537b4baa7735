#include "io/atomic_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/disk_calls.h"
#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "io/temporary_name.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

void fsync_file(const std::string& path) {
  const DiskCall call("flushing", path);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool flushed = file >= 0 && fsync(file) == 0;
  const int problem = errno;
  if (file >= 0) close(file);
  if (!flushed) fail_runtime("{}: cannot flush to the disk: {}", path, std::strerror(problem));
}

void fsync_tree(const std::string& directory) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_directory()) {
      fsync_directory(entry.path());
    } else if (entry.is_regular_file()) {
      fsync_file(entry.path());
    }
  }
  fsync_directory(directory);
}

// Locks `directory` while the returned file is open; -1 when another process holds the
// lock, or when the file system does not support locks.
int try_lock(const std::string& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0 || flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  close(file);
  return -1;
}

// The entries beside `path` whose names name_beside() made.
std::vector<std::string> found_beside(const std::string& path, std::string_view mark) {
  const std::string prefix = fs::path(path).filename().string() + std::string(mark);
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent_of(path), error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(prefix) && has_mark(name, mark)) found.push_back(entry.path());
  }
  return found;
}

// Temporaries of `path` into which no process writes any more.
void remove_abandoned(const std::string& path) {
  for (const std::string& temporary : found_beside(path, temporary_mark)) {
    const int lock = try_lock(temporary);
    if (lock < 0) continue;
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    close(lock);
  }
}

// Completes interrupted replacements: if the new directory did not get the name, the old
// one gets it back, otherwise the old one is removed.
void finish_replacements(const std::string& path, const OwnFiles& own) {
  for (const std::string& old : found_beside(path, old_mark)) {
    const int lock = open(old.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) continue;
    // A process that is between the two renames now holds the lock.
    if (flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
      if (exists(path)) {
        remove_own_files(old, own);
      } else if (std::rename(old.c_str(), path.c_str()) == 0) {
        log::warning(
            "{}: restored to the earlier directory, because its replacement was interrupted", path);
      }
    }
    close(lock);
  }
}

[[noreturn]] void fail_to_replace(const std::string& path, int problem) {
  fail_input("{}: this directory cannot be replaced: {}; choose another one{}", path,
             std::strerror(problem),
             problem == EBUSY ? ", such as one inside it, if it is a mount point" : "");
}

// A directory cannot be renamed onto one that is not empty. The attempt changes nothing,
// and its error tells whether there was any other obstacle.
void try_rename(const std::string& path) {
  const std::string target = name_beside(path, temporary_mark);
  std::error_code error;
  fs::create_directories(target + "/entry", error);
  if (error) fail_runtime("{}: cannot create this directory: {}", target, error.message());
  const int failed = exists(path) ? std::rename(path.c_str(), target.c_str()) : 0;
  const int problem = errno;
  fs::remove_all(target, error);
  if (failed != 0 && problem != ENOTEMPTY && problem != EEXIST) fail_to_replace(path, problem);
}

void copy_mode(const std::string& from, const std::string& to) {
  struct stat status {};
  if (stat(from.c_str(), &status) == 0) chmod(to.c_str(), status.st_mode & 07777);
}

// The missing parents of `path`.
std::vector<std::string> missing_parents(const std::string& path) {
  std::vector<std::string> missing;
  for (std::string parent = parent_of(path); !exists(parent); parent = parent_of(parent)) {
    missing.push_back(parent);
  }
  return missing;
}

}  // namespace

void require_replaceable(const std::string& path, const OwnFiles& own) {
  const std::string place = through_links(path);
  finish_replacements(place, own);
  require_own_files(place, own);
  try_rename(place);
}

AtomicDirectory::AtomicDirectory(std::string path) : path_(through_links(path)) {
  finish_replacements(path_, {});
  if (exists(path_)) {
    fail_input("{}: this directory exists already; choose another one or remove it", path_);
  }
  make_temporary();
}

AtomicDirectory::AtomicDirectory(std::string path, OwnFiles replaced)
    : path_(through_links(path)), replaced_(std::move(replaced)) {
  new_parents_ = missing_parents(path_);
  require_replaceable(path_, replaced_);
  make_temporary();
}

AtomicDirectory::AtomicDirectory(AtomicDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      replaced_(std::move(other.replaced_)),
      new_parents_(std::move(other.new_parents_)),
      lock_(std::exchange(other.lock_, -1)),
      committed_(std::exchange(other.committed_, true)) {}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
  if (lock_ >= 0) close(lock_);
}

void AtomicDirectory::make_temporary() {
  remove_abandoned(path_);
  temporary_ = name_beside(path_, temporary_mark);
  if (new_parents_.empty()) new_parents_ = missing_parents(path_);
  std::error_code error;
  fs::create_directories(temporary_, error);
  if (error) fail_runtime("{}: cannot create this directory: {}", temporary_, error.message());
  lock_ = try_lock(temporary_);
}

// Exchanges the names: the old directory then has the temporary's name.
void AtomicDirectory::swap_in() {
  if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0) {
    return;
  }
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) fail_to_replace(path_, errno);
  const std::string old = name_beside(path_, old_mark);
  const int lock = try_lock(path_);
  int problem = std::rename(path_.c_str(), old.c_str()) == 0 ? 0 : errno;
  if (problem == 0 && std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    problem = errno;
    std::rename(old.c_str(), path_.c_str());
  }
  if (lock >= 0) close(lock);
  if (problem != 0) fail_to_replace(path_, problem);
  temporary_ = old;
}

void AtomicDirectory::commit() {
  fsync_tree(temporary_);
  const bool swap = exists(path_);
  std::optional<DiskCall> call(std::in_place, "renaming", path_);
  if (swap) {
    // Without names of own files the path was free at first: another process made it since.
    if (replaced_.empty()) fail_to_replace(path_, EEXIST);
    if (!fs::is_directory(path_)) fail_to_replace(path_, ENOTDIR);
    copy_mode(path_, temporary_);
    swap_in();
  } else if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail_runtime("{}: cannot give the finished directory this name: {}", path_,
                 std::strerror(errno));
  }
  call.reset();
  committed_ = true;
  flush_parents();
  if (!swap || remove_own_files(temporary_, replaced_)) return;
  const std::string kept = name_beside(path_, kept_mark);
  if (std::rename(temporary_.c_str(), kept.c_str()) == 0) {
    log::warning("{}: files that Fathom did not make were put here meanwhile; they are now in {}",
                 path_, kept);
  }
}

void AtomicDirectory::flush_parents() const {
  fsync_directory(parent_of(path_));
  for (const std::string& parent : new_parents_) fsync_directory(parent_of(parent));
}

bool is_temporary(std::string_view name) {
  return has_mark(name, temporary_mark);
}

// A file made and removed changes the directory. Its new state, which comes with the server's
// answer, tells the client that others changed it, too, and so that what it knows of names is old.
void see_files_of_other_hosts(const std::string& directory) {
  const std::string path = name_beside(directory + "/.look", temporary_mark);
  FileWriter(path).close(Flush::by_directory);
  std::error_code ignored;
  fs::remove(path, ignored);
}

int remove_stale_temporaries(const std::string& directory) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!has_mark(entry.path().filename().string(), temporary_mark)) continue;
    std::error_code remove_error;
    fs::remove_all(entry.path(), remove_error);
    if (!remove_error) ++removed;
  }
  return removed;
}

void remove_stale_temporaries_of(const std::string& path) {
  std::error_code ignored;
  for (const std::string& temporary : found_beside(path, temporary_mark)) {
    fs::remove(temporary, ignored);
  }
}

}  // namespace fathom
