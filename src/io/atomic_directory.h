// Directories that appear whole or not at all, even when the machine stops in the
// middle of writing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/output_path.h"

namespace fathom {

// A directory written under `<path>.tmp-<pid>-<n>`, beside `path`, and committed by
// one rename. A symbolic link at `path` is followed. Temporaries of the same path whose
// process was killed are removed first: each is locked while its process lives.
//
// An existing directory is swapped with the new one by one system call. A file system
// without that call (NFS among others) gets two renames: the old one aside to
// `<path>.old-<pid>-<n>`, then the new one in place. When the machine stops between
// them, `path` is missing and the old one lies aside, complete: the next
// AtomicDirectory or require_replaceable() of that path renames it back.
class AtomicDirectory {
 public:
  // Throws an input Error when `path` exists.
  explicit AtomicDirectory(std::string path);
  // Replaces an existing directory. Throws the Errors of require_replaceable(). Files of
  // others that appear in it before the commit are kept, in `<path>.kept-<pid>-<n>`.
  AtomicDirectory(std::string path, OwnFiles replaced);
  ~AtomicDirectory();  // without commit(): removes the temporary and its content
  AtomicDirectory(AtomicDirectory&&) noexcept;

  const std::string& temporary() const { return temporary_; }  // write in here
  std::string file(std::string_view name) const { return temporary_ + "/" + std::string(name); }
  void commit();  // fsync of everything inside, rename, fsync of the parent

 private:
  void make_temporary();
  void swap_in();
  void flush_parents() const;

  std::string path_, temporary_;
  OwnFiles replaced_;
  std::vector<std::string> new_parents_;  // made for this directory, innermost first
  int lock_ = -1;
  bool committed_ = false;
};

// Tests, before long work, that AtomicDirectory(path, own) can be made and committed, and
// finishes or undoes a replacement that was cut short. Throws an input Error when `path` is
// not a directory, holds other files than `own`, or cannot be renamed (a mount point).
void require_replaceable(const std::string& path, const OwnFiles& own);

// Whether AtomicFile or AtomicDirectory gives this name to something unfinished.
bool is_temporary(std::string_view name);

// Lets this host see at once which files other hosts have made in `directory`: a network file
// system may take a name for absent for half a minute after it has looked for it. Throws a runtime
// Error when the directory cannot be written.
void see_files_of_other_hosts(const std::string& directory);

// Removes temporaries of AtomicFile and AtomicDirectory that killed processes left in
// `directory`. The caller must hold the directory's lock. Returns the number removed.
int remove_stale_temporaries(const std::string& directory);
// Only those of the file `path`, in a directory where other programs may write too. The caller must
// hold a lock that every writer of `path` takes.
void remove_stale_temporaries_of(const std::string& path);

}  // namespace fathom
