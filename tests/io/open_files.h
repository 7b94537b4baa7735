// The open files of this process, for tests that every file is closed again.
#pragma once

#include <filesystem>
#include <iterator>

namespace fathom::test {

inline long open_files() {
  namespace fs = std::filesystem;
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

}  // namespace fathom::test
