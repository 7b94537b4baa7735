// Where an output goes, and which files it may replace. Fathom deletes and replaces only
// files that it made itself: it writes through a symbolic link, writes into a FIFO or a
// device, and refuses a directory that holds other files.
#pragma once

#include <string>
#include <vector>

namespace fathom {

// Names of all files that Fathom writes into one kind of directory, relative to it: shell
// patterns (`*`, `?`) that match within one part of a path.
using OwnFiles = std::vector<std::string>;

// `path` without trailing slashes and with its last part's symbolic links followed; the
// target of the last link need not exist. A link in /proc (/dev/stdout leads to one) is not
// followed: it leads to an open file, which may have no name. Throws an input Error when the
// links form a circle.
std::string through_links(const std::string& path);

// Tests, before long work, that a file can be written to `path`. Throws an input Error when
// `path` is a directory, a runtime Error when the file cannot be created.
void require_writable_file(const std::string& path);

// Throws an input Error when `directory` exists and is not a directory, or holds anything
// but `own` files; the message names the first other file and what to do.
void require_own_files(const std::string& directory, const OwnFiles& own);

// Removes the `own` files in `directory`, then every directory that is empty, itself
// included. Returns whether nothing is left.
bool remove_own_files(const std::string& directory, const OwnFiles& own);

}  // namespace fathom
