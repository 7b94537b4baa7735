// Files and directories that appear whole or not at all, even when the machine
// stops in the middle: written under a temporary name beside the target, flushed
// to the disk, then renamed. Every failure (a full disk, say) is a runtime Error
// that names the file and the reason; the temporary is removed and what stood
// under the target's name before stays as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// A file being written, buffered. close() flushes it to the disk; a writer
// destroyed without it leaves a file of unknown content.
class FileWriter {
 public:
  explicit FileWriter(std::string path);  // creates or empties the file
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
  std::string buffer_;
};

class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();  // without commit(): removes the temporary
  AtomicFile(AtomicFile&&) noexcept;

  void write(std::span<const std::byte> bytes) { writer_.write(bytes); }
  void write(std::string_view text) { writer_.write(text); }
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
    writer_.overwrite(offset, bytes);
  }
  std::uint64_t size() const { return writer_.size(); }
  void commit();  // the file is on the disk under its name when this returns

 private:
  std::string path_;
  FileWriter writer_;
  bool committed_ = false;
};

void write_file_atomically(const std::string& path, std::string_view content);

// A directory written under `<path>.tmp-<pid>-<n>` and committed by one rename.
// An existing directory at `path` is swapped with the new one and then removed
// when `if_exists` is replace, and refused with an input Error when it is refuse.
// Temporaries of the same path whose process was killed are removed first: each is
// locked while its process lives.
class AtomicDirectory {
 public:
  enum class IfExists { refuse, replace };

  explicit AtomicDirectory(std::string path, IfExists if_exists = IfExists::refuse);
  ~AtomicDirectory();  // without commit(): removes the temporary and its content
  AtomicDirectory(AtomicDirectory&&) noexcept;

  const std::string& temporary() const { return temporary_; }  // write in here
  std::string file(std::string_view name) const { return temporary_ + "/" + std::string(name); }
  void commit();  // fsync of everything inside, rename, fsync of the parent

 private:
  std::string path_, temporary_;
  IfExists if_exists_;
  int lock_ = -1;
  bool committed_ = false;
};

// Removes what killed processes left in `directory` under temporary names of the
// classes above. Only for who holds the directory's lock. Returns how many.
int remove_stale_temporaries(const std::string& directory);

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
