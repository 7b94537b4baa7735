// The files that a user names: paths, directories and patterns. What a name leads to
// is read, refused, or noted: nothing is dropped in silence.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct InputFiles {
  std::vector<std::string> paths;        // of the files
  std::vector<std::string> directories;  // read with all below them
  std::vector<std::string> notes;        // lines for the user: what was left out, and why
};

// The files that `entries` stand for: a path, a directory with all below it, or a
// pattern (io/glob.h), whose directories are read with all below them. Entries come in
// their order, each one's files by name. Linked files and directories are followed; a
// directory is entered once and a file read once, under its first name, however many
// names, links or patterns lead to it. Hidden ones below a directory are left out.
// These three are noted. A FIFO or device is read when it is named itself. Throws an
// input Error that begins with `owner` when there are no entries, when one stands for
// no file, and for a dangling link, an unreadable directory, or a FIFO, socket or
// device found below a directory or by a pattern.
InputFiles find_input_files(std::span<const std::string> entries, std::string_view owner);

}  // namespace fathom
