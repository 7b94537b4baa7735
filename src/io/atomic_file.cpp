#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/error.h"

namespace fathom {

namespace {

constexpr std::size_t buffer_bytes = 1 << 20;

// A name beside `path` that no other writer of this or another process uses.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return fmt::format("{}.tmp-{}-{}", path, getpid(), counter++);
}

// Whether temporary_name() gave it, of whatever process.
bool is_temporary(const std::string& name) {
  const auto mark = name.rfind(".tmp-");
  return mark != std::string::npos && mark + 5 < name.size() &&
         name.find_first_not_of("0123456789-", mark + 5) == std::string::npos;
}

void rename_or_fail(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    fail_runtime("{}: cannot give the finished file this name: {}", to, std::strerror(errno));
  }
}

// "runs/a/" and "runs/a" are the same directory; the temporary stands beside it.
std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string parent_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

void fsync_tree(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_directory()) {
      fsync_directory(entry.path());
    } else if (entry.is_regular_file()) {
      const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      const bool flushed = file >= 0 && fsync(file) == 0;
      const int problem = errno;
      if (file >= 0) close(file);
      if (!flushed) {
        fail_runtime("{}: cannot flush to the disk: {}", entry.path().string(),
                     std::strerror(problem));
      }
    }
  }
  fsync_directory(directory);
}

}  // namespace

FileWriter::FileWriter(std::string path) : path_(std::move(path)) {
  file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) fail_runtime("{}: cannot write this file: {}", path_, std::strerror(errno));
  buffer_.reserve(buffer_bytes);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      size_(other.size_),
      flushed_(other.flushed_),
      buffer_(std::move(other.buffer_)) {}

FileWriter::~FileWriter() {
  if (file_ >= 0) ::close(file_);
}

void FileWriter::write_fully(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      fail_runtime("{}: writing failed after {} bytes: {}", path_, offset,
                   std::strerror(written < 0 ? errno : ENOSPC));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void FileWriter::flush() {
  write_fully(flushed_, std::as_bytes(std::span(buffer_)));
  flushed_ += buffer_.size();
  buffer_.clear();
}

void FileWriter::write(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > buffer_bytes) flush();
  if (bytes.size() > buffer_bytes) {
    write_fully(flushed_, bytes);
    flushed_ += bytes.size();
  } else {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  size_ += bytes.size();
}

void FileWriter::overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
  require(offset + bytes.size() <= size_, "{}: overwriting bytes that were not written yet", path_);
  flush();
  write_fully(offset, bytes);
}

void FileWriter::close() {
  flush();
  // /dev/full and pipes cannot be flushed to a disk, and need not be.
  const bool failed = fsync(file_) != 0 && errno != EINVAL && errno != EROFS;
  const int problem = errno;
  const bool close_failed = ::close(std::exchange(file_, -1)) != 0;
  if (failed || close_failed) {
    fail_runtime("{}: cannot flush to the disk: {}", path_,
                 std::strerror(failed ? problem : errno));
  }
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), writer_(temporary_name(path_)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      writer_(std::move(other.writer_)),
      committed_(std::exchange(other.committed_, true)) {}

AtomicFile::~AtomicFile() {
  if (!committed_) unlink(writer_.path().c_str());
}

void AtomicFile::commit() {
  writer_.close();
  rename_or_fail(writer_.path(), path_);
  committed_ = true;
  fsync_directory(parent_of(path_));
}

void write_file_atomically(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

namespace {

// A lock on `directory` while the returned file is open; -1 when another process has
// it, or its file system knows no locks.
int try_lock(const std::string& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0 || flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  close(file);
  return -1;
}

// Those of `path` that nobody writes into any more.
void remove_abandoned(const std::string& path) {
  const std::string prefix = std::filesystem::path(path).filename().string() + ".tmp-";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent_of(path), error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix) || !is_temporary(name)) continue;
    const int lock = try_lock(entry.path());
    if (lock < 0) continue;
    std::error_code ignored;
    std::filesystem::remove_all(entry.path(), ignored);
    close(lock);
  }
}

}  // namespace

AtomicDirectory::AtomicDirectory(std::string path, IfExists if_exists)
    : path_(without_trailing_slashes(std::move(path))),
      temporary_(temporary_name(path_)),
      if_exists_(if_exists) {
  std::error_code error;
  if (if_exists == IfExists::refuse && std::filesystem::exists(path_, error)) {
    fail_input("{}: this directory exists already; choose another one or remove it", path_);
  }
  remove_abandoned(path_);
  std::filesystem::create_directories(temporary_, error);
  if (error) fail_runtime("{}: cannot create this directory: {}", temporary_, error.message());
  lock_ = try_lock(temporary_);
}

AtomicDirectory::AtomicDirectory(AtomicDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      if_exists_(other.if_exists_),
      lock_(std::exchange(other.lock_, -1)),
      committed_(std::exchange(other.committed_, true)) {}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove_all(temporary_, ignored);
  if (lock_ >= 0) close(lock_);
}

void AtomicDirectory::commit() {
  fsync_tree(temporary_);
  std::error_code error;
  const bool swap = if_exists_ == IfExists::replace && std::filesystem::exists(path_, error);
  const int failed =
      swap ? renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE)
           : std::rename(temporary_.c_str(), path_.c_str());
  if (failed != 0) {
    fail_runtime("{}: cannot give the finished directory this name: {}", path_,
                 std::strerror(errno));
  }
  committed_ = true;
  fsync_directory(parent_of(path_));
  if (swap) std::filesystem::remove_all(temporary_, error);  // now the old one
}

int remove_stale_temporaries(const std::string& directory) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (!is_temporary(name)) continue;
    std::error_code remove_error;
    std::filesystem::remove_all(entry.path(), remove_error);
    if (!remove_error) ++removed;
  }
  return removed;
}

std::uint64_t free_disk_bytes(const std::string& path) {
  std::error_code error;
  std::filesystem::path place = std::filesystem::absolute(path, error);
  while (!std::filesystem::exists(place, error) && place.has_relative_path()) {
    place = place.parent_path();
  }
  const auto space = std::filesystem::space(place, error);
  if (error) fail_runtime("{}: cannot ask for its disk's free space: {}", path, error.message());
  return space.available;
}

void require_free_disk(const std::string& path, std::uint64_t bytes, std::string_view what) {
  const std::uint64_t available = free_disk_bytes(path);
  if (available < bytes) {
    fail_runtime(
        "{}: {} needs {} bytes, but only {} are free on this disk; make room or choose "
        "another directory",
        path, what, bytes, available);
  }
}

void fsync_directory(const std::string& path) {
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool flushed = directory >= 0 && (fsync(directory) == 0 || errno == EINVAL);
  const int problem = errno;
  if (directory >= 0) close(directory);
  if (!flushed) {
    fail_runtime("{}: cannot flush this directory to the disk: {}", path, std::strerror(problem));
  }
}

}  // namespace fathom
