// Where an output goes, and what it may replace there. Fathom deletes and replaces
// nothing that it did not make: a symbolic link is written through, a FIFO or a
// device is written into, and a directory that holds other files is refused.
#pragma once

#include <string>
#include <vector>

namespace fathom {

// Names of all files that Fathom writes into a directory of one kind, relative to
// it: patterns of the shell (`*`, `?`), which match within one part of a path.
using OwnFiles = std::vector<std::string>;

// `path` without trailing slashes, its last part followed through symbolic links,
// also to a name where nothing is yet. A link of /proc (/dev/stdout leads to one)
// stays as it is: it leads to an open file, which may have no name. Throws an input
// Error when the links go round in a circle.
std::string through_links(const std::string& path);

// Tests, before long work, that a file can be written to `path`. Throws an input
// Error when it is a directory, a runtime Error when the file cannot be made.
void require_writable_file(const std::string& path);

// Throws an input Error when `directory` is there and is no directory, or holds
// anything but `own` files; names the first other file and what to do.
void require_own_files(const std::string& directory, const OwnFiles& own);

// Removes the `own` files in `directory`, then every directory that is empty, itself
// included. Returns whether nothing is left.
bool remove_own_files(const std::string& directory, const OwnFiles& own);

}  // namespace fathom
