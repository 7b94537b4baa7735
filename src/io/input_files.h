// The files that a user names by paths, directories and patterns. Every file that a name
// leads to is read, refused, or mentioned in a note: none is dropped silently.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct InputFiles {
  std::vector<std::string> paths;        // of the files
  std::vector<std::string> directories;  // that are read with everything below them
  std::vector<std::string> notes;        // lines for the user: files left out, and why
};

// The files of `entries`. An entry is a path or a pattern (io/glob.h); a directory that it
// names or matches is read with everything below it. Files keep the order of the entries;
// those of one entry are sorted by name. Links are followed. Notes report three things: a
// file that several names lead to is read once, under the first; a directory is entered
// once; hidden files and directories below a directory are left out. A FIFO or device is
// read when the entry is its path.
// Throws an input Error that begins with `owner` when there are no entries, when an entry or
// a choice of its braces matches no file, for a dangling link or an unreadable directory, and
// for a FIFO, socket or device found below a directory or by a pattern.
InputFiles find_input_files(std::span<const std::string> entries, std::string_view owner);

}  // namespace fathom
