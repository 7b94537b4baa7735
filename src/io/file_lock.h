// Locks on files, by which processes of one host or many, over a common folder, keep out of each
// other's way. The operating system releases them when their process ends, however it ends.
#pragma once

#include <optional>
#include <string>

namespace fathom {

enum class LockUse {
  alone,   // no other process holds it
  shared,  // others may hold it too, all of them shared
};

// A lock on one file, which stays when the lock is released: removing it would let a second process
// lock a new file of the same name while a third one still waits on the old one.
class FileLock {
 public:
  // Creates the file where it is absent. Nothing when another process holds the lock otherwise.
  // Throws an input Error when the file cannot be written, or its file system has no locks.
  static std::optional<FileLock> try_take(const std::string& path, LockUse use = LockUse::alone);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

  // "process 12 on host": who locked the file last, for messages; others may share the lock still
  // when this one has ended.
  static std::string holder_of(const std::string& path);

 private:
  explicit FileLock(int file) : file_(file) {}

  int file_ = -1;
};

// A lock on `<directory>/.lock`, held while a run writes to `directory` (created when absent). A
// process that cannot have it gets an input Error with the pid and the host of a holder.
class DirectoryLock {
 public:
  explicit DirectoryLock(std::string directory, LockUse use = LockUse::alone);

 private:
  FileLock lock_;
};

}  // namespace fathom
