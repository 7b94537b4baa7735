#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/disk_calls.h"
#include "core/error.h"
#include "io/output_path.h"
#include "io/temporary_name.h"

namespace fathom {

namespace {

constexpr std::size_t buffer_bytes = 1 << 20;

void rename_or_fail(const std::string& from, const std::string& to) {
  const DiskCall call("renaming", from);
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    fail_runtime("{}: cannot give the finished file this name: {}", to, std::strerror(errno));
  }
}

// The place where AtomicFile writes: a temporary that is renamed at the end, or the output
// itself if a file cannot replace it (a device, a pipe).
struct Place {
  std::string path, written_to;
  int flags;  // of open()
};

Place place_of(const std::string& path) {
  const std::string place = through_links(path);
  struct stat status {};
  const bool found = stat(place.c_str(), &status) == 0;
  if (found && S_ISDIR(status.st_mode)) {
    fail_input("{}: is a directory; name a file to write", path);
  }
  std::error_code error;
  if (found && S_ISREG(status.st_mode) && std::filesystem::is_symlink(place, error)) {
    return {place, place, O_WRONLY | O_APPEND};  // a redirected /dev/stdout
  }
  if (found && !S_ISREG(status.st_mode)) return {place, place, O_WRONLY};
  if (found && faccessat(AT_FDCWD, place.c_str(), W_OK, AT_EACCESS) != 0) {
    fail_runtime("{}: cannot write this file: {}", path, std::strerror(errno));
  }
  return {place, name_beside(place, temporary_mark), O_WRONLY | O_CREAT | O_TRUNC};
}

// Gives a temporary the owner and the mode of the file that it replaces. Only root can
// change an owner; for other users the file stays their own.
void copy_owner_and_mode(const std::string& from, const std::string& to) {
  struct stat status {};
  if (stat(from.c_str(), &status) != 0) return;
  const bool given = chown(to.c_str(), status.st_uid, status.st_gid) == 0;
  chmod(to.c_str(), status.st_mode & (given ? 07777 : 0777));
}

// Whether opening the path waits for a disk, and not for a FIFO's reader, who may take any time.
bool is_on_disk(const std::string& path) {
  const DiskCall call("opening", path);
  struct stat status {};
  return stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

}  // namespace

FileWriter::FileWriter(std::string path)
    : FileWriter(std::move(path), O_WRONLY | O_CREAT | O_TRUNC) {}

FileWriter::FileWriter(std::string path, int flags) : path_(std::move(path)) {
  {
    std::optional<DiskCall> call;
    if (is_on_disk(path_)) call.emplace("opening", path_);
    file_ = open(path_.c_str(), flags | O_CLOEXEC, 0666);
    if (file_ < 0) fail_runtime("{}: cannot write this file: {}", path_, std::strerror(errno));
  }
  struct stat status {};
  sequential_ = (flags & O_APPEND) != 0 || fstat(file_, &status) != 0 || !S_ISREG(status.st_mode);
  buffer_.reserve(buffer_bytes);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      size_(other.size_),
      flushed_(other.flushed_),
      sequential_(other.sequential_),
      buffer_(std::move(other.buffer_)) {}

FileWriter::~FileWriter() {
  if (file_ >= 0) ::close(file_);
}

void FileWriter::write_fully(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    std::optional<DiskCall> call;  // a FIFO's reader may take any time
    if (!sequential_) call.emplace("writing", path_);
    const ssize_t written =
        sequential_ ? ::write(file_, bytes.data(), bytes.size())
                    : pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
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
  if (sequential_) {
    fail_input("{}: is not a regular file, and its beginning is written last; write to a file",
               path_);
  }
  flush();
  write_fully(offset, bytes);
}

// As fsync() would, a part at a time and the next one meanwhile: for a large file on a slow disk
// that is one call of hours, which nothing tells from one that hangs.
void FileWriter::write_back() const {
  constexpr std::uint64_t part = std::uint64_t{16} << 20;
  if (sequential_ || flushed_ <= part) return;
  const auto flush_part = [&](std::uint64_t offset, unsigned how) {
    const DiskCall call("flushing", path_);
    const int failed =
        sync_file_range(file_, static_cast<off_t>(offset), static_cast<off_t>(part), how);
    // Some file systems leave all to fsync().
    if (failed == 0 || errno == EINVAL || errno == ENOSYS || errno == ESPIPE) return;
    fail_runtime("{}: cannot flush to the disk: {}", path_, std::strerror(errno));
  };
  for (std::uint64_t offset = 0; offset < flushed_; offset += part) {
    flush_part(offset + part, SYNC_FILE_RANGE_WRITE);
    flush_part(offset,
               SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  }
}

void FileWriter::close(Flush when) {
  flush();
  write_back();
  std::optional<DiskCall> call;
  if (!sequential_) call.emplace("flushing", path_);
  // Devices such as /dev/full and pipes cannot be flushed to a disk, and need not be.
  const bool failed =
      when == Flush::at_commit && fsync(file_) != 0 && errno != EINVAL && errno != EROFS;
  const int problem = errno;
  const bool close_failed = ::close(std::exchange(file_, -1)) != 0;
  if (failed || close_failed) {
    fail_runtime("{}: cannot flush to the disk: {}", path_,
                 std::strerror(failed ? problem : errno));
  }
}

AtomicFile::AtomicFile(const std::string& path, Flush when) : flush_(when) {
  Place place = place_of(path);
  path_ = std::move(place.path);
  writer_.emplace(std::move(place.written_to), place.flags);
  committed_ = writer_->path() == path_;
  if (!committed_) copy_owner_and_mode(path_, writer_->path());
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      flush_(other.flush_),
      writer_(std::move(other.writer_)),
      committed_(std::exchange(other.committed_, true)) {}

AtomicFile::~AtomicFile() {
  if (!committed_) unlink(writer_->path().c_str());
}

void AtomicFile::commit() {
  writer_->close(flush_);
  if (committed_) return;  // written in place
  rename_or_fail(writer_->path(), path_);
  committed_ = true;
  if (flush_ == Flush::at_commit) fsync_directory(parent_of(path_));
}

void write_file_atomically(const std::string& path, std::string_view content, Flush when) {
  AtomicFile file(path, when);
  file.write(content);
  file.commit();
}

std::uint64_t free_disk_bytes(const std::string& path) {
  std::error_code error;
  std::filesystem::path place = std::filesystem::absolute(path, error);
  while (!std::filesystem::exists(place, error) && place.has_relative_path()) {
    place = place.parent_path();
  }
  const auto space = std::filesystem::space(place, error);
  if (error) fail_runtime("{}: cannot query the free space of its disk: {}", path, error.message());
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
  const DiskCall call("flushing", path);
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool flushed = directory >= 0 && (fsync(directory) == 0 || errno == EINVAL);
  const int problem = errno;
  if (directory >= 0) close(directory);
  if (!flushed) {
    fail_runtime("{}: cannot flush this directory to the disk: {}", path, std::strerror(problem));
  }
}

}  // namespace fathom
