// Files that appear whole or not at all, even when the machine stops in the middle:
// written under a temporary name beside the target, flushed to the disk (unless the directory's commit
// does that, Flush below), then renamed. Every
// failure (a full disk, say) is a runtime Error that names the file and the reason; it removes the
// temporary and leaves an older file of the target's name unchanged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// When a finished file, and its name, have to be on the disk.
enum class Flush {
  at_commit,
  // When the AtomicDirectory is committed that it is written in, by this process: that flushes all
  // it holds, and until then nobody relies on it.
  by_directory,
};

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
  // Replaces bytes written before, such as a header that holds totals.
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes);
  void close(Flush when = Flush::at_commit);  // flush, fsync unless by the directory, close

  std::uint64_t size() const { return size_; }  // bytes written so far
  const std::string& path() const { return path_; }

 private:
  void flush();
  void write_back() const;  // of what the operating system still holds of a large file
  void write_fully(std::uint64_t offset, std::span<const std::byte> bytes);

  std::string path_;
  int file_ = -1;
  std::uint64_t size_ = 0;     // including the buffer
  std::uint64_t flushed_ = 0;  // written to the file so far
  bool sequential_ = false;    // FIFOs and devices have no positions to write at
  std::string buffer_;
};

// A file that replaces an existing one keeps its owner and mode. A symbolic link is
// written through. Into a FIFO, a device, or the open file behind /dev/stdout the bytes go
// directly, without a temporary. A directory is refused with an input Error.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path, Flush when = Flush::at_commit);
  ~AtomicFile();  // without commit(): removes the temporary
  AtomicFile(AtomicFile&&) noexcept;

  void write(std::span<const std::byte> bytes) { writer_->write(bytes); }
  void write(std::string_view text) { writer_->write(text); }
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
    writer_->overwrite(offset, bytes);
  }
  std::uint64_t size() const { return writer_->size(); }
  // The file has its name, and unless Flush::by_directory is on the disk, when this returns.
  void commit();

 private:
  std::string path_;
  Flush flush_ = Flush::at_commit;
  std::optional<FileWriter> writer_;
  bool committed_ = false;  // or written in place, so that no rename is needed
};

void write_file_atomically(const std::string& path, std::string_view content,
                           Flush when = Flush::at_commit);

// Free bytes on the disk of `path`; when that does not exist, of its nearest existing parent.
std::uint64_t free_disk_bytes(const std::string& path);
// Throws a runtime Error when fewer than `bytes` are free; `what` names the output.
void require_free_disk(const std::string& path, std::uint64_t bytes, std::string_view what);

void fsync_directory(const std::string& path);

}  // namespace fathom
