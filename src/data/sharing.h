// How processes share the parts of a stage: on one host or many, over a common folder. Each takes a
// part that no other has by a lock, so nobody hands parts out: processes may begin and end at any
// time, and what one had when it was killed is another's.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "io/file_lock.h"

namespace fathom {

enum class Role {
  alone,   // no other process works on this output
  member,  // others do, and any of them may do what is left when all parts are made
  helper,  // others do, and one of them does what is left
};

// Of the locks on the stage's directories.
inline LockUse lock_use(Role role) {
  return role == Role::alone ? LockUse::alone : LockUse::shared;
}

template <class Config>
struct Sharing {
  Role role = Role::alone;
  // Unless empty, called when all is checked, before the first part: with what a helper's config
  // has to be.
  std::function<void(const Config&)> begun;
};

// The parts of a stage, by their numbers from 0.
struct PartWork {
  std::size_t parts = 0;
  std::function<std::string(std::size_t)> name;  // of files, unique
  // Whether the part has been made; may throw, for one that was made otherwise.
  std::function<bool(std::size_t)> is_made;
  std::function<void(std::size_t)> make;
  std::function<void(std::size_t)> found_made;  // by an earlier call, or by another process
};

// Returns when every part is made, each by one process. `results` is the directory in which
// is_made() looks; the locks are files in `directory`/.claims. Where another process has a part,
// this one waits until it is made, and makes it itself if that process ends before. A part whose
// making has thrown stays this process's until it ends: so of several ranks, which end together,
// one tells the error.
void make_parts(const PartWork& work, const std::string& directory, const std::string& results,
                Role role);

// Waits until no other process has `name`, a piece of work in make_parts()' directory that is no
// part. Role::alone needs no lock, and gets none.
std::optional<FileLock> wait_for_claim(const std::string& directory, const std::string& name,
                                       Role role);

// For what one member does, before and after the parts, until it is done: throws an input Error where
// another member does it. Other roles need no lock, and get none.
std::optional<FileLock> claim_rest(const std::string& directory, Role role);

// Names of the files that hold the claims of these parts, in the directory.
std::string claim_file(const std::string& name);
inline constexpr const char* rest_claim = "rest";  // claim_rest()'s name

}  // namespace fathom
