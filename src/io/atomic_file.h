// Files that appear whole or not at all, even when the machine stops in the middle:
// written under a temporary name beside the target, flushed to the disk, then renamed. Every
// failure (a full disk, say) is a runtime Error that names the file and the reason; the temporary
// is removed and what stood under the target's name before stays as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// A file being written, buffered. close() flushes it to the disk; a writer
// destroyed without it leaves a file of unknown content.
class FileWriter {
 public:
  explicit FileWriter(std::string path);    // creates or empties the file
  FileWriter(std::string path, int flags);  // of open()
  ~FileWriter();
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Replaces bytes that were written before; for headers with totals in them.
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes);
  void close();  // flush, fsync, close

  std::uint64_t size() const { return size_; }  // bytes written so far
  const std::string& path() const { return path_; }

 private:
  void flush();
  void write_fully(std::uint64_t offset, std::span<const std::byte> bytes);

  std::string path_;
  int file_ = -1;
  std::uint64_t size_ = 0;     // including what is in the buffer
  std::uint64_t flushed_ = 0;  // of these, written to the file
  bool sequential_ = false;    // FIFOs and devices have no positions to write at
  std::string buffer_;
};

// A file that replaces an existing one keeps its owner and mode. A symbolic link is
// written through. A FIFO or a device is written into, from the first byte on, as is the
// open file that /dev/stdout leads to. A directory is refused with an input Error.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  // without commit(): removes the temporary
  AtomicFile(AtomicFile&&) noexcept;

  void write(std::span<const std::byte> bytes) { writer_->write(bytes); }
  void write(std::string_view text) { writer_->write(text); }
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
    writer_->overwrite(offset, bytes);
  }
  std::uint64_t size() const { return writer_->size(); }
  void commit();  // the file is on the disk under its name when this returns

 private:
  std::string path_;
  std::optional<FileWriter> writer_;
  bool committed_ = false;  // or written in place, so that no rename is needed
};

void write_file_atomically(const std::string& path, std::string_view content);

// Held while a run writes to `directory` (created when absent): a lock on
// `<directory>/.lock`, released by the operating system when the process ends. A
// second holder gets an input Error that names the first one's pid and host.
class DirectoryLock {
 public:
  explicit DirectoryLock(std::string directory);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;

 private:
  int file_ = -1;
};

// Bytes that can still be written on the disk of `path`, which need not exist
// yet (its nearest existing parent counts).
std::uint64_t free_disk_bytes(const std::string& path);
// Throws a runtime Error when fewer than `bytes` are free; `what` says for what.
void require_free_disk(const std::string& path, std::uint64_t bytes, std::string_view what);

void fsync_directory(const std::string& path);

}  // namespace fathom
