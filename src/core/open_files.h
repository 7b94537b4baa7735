// The limit of open files a process.
#pragma once

#include <cstddef>

namespace fathom {

// Raises the limit of open file descriptors (usually 1024) so that `count` are allowed beside the
// process's own few, as far as the system permits. Never lowers it.
void allow_open_files(std::size_t count);

}  // namespace fathom
