// Where the golden files are: in the source tree, or in $FATHOM_TEST_DATA on a machine
// that has the test's binary but not the tree it was built from.
#pragma once

#include <cstdlib>
#include <string>

namespace fathom {

// `name` is relative to tests/golden.
inline std::string golden_path(const std::string& name) {
  const char* folder = std::getenv("FATHOM_TEST_DATA");
  return (folder ? std::string(folder) : std::string(FATHOM_SOURCE_DIR) + "/tests/golden") + "/" +
         name;
}

}  // namespace fathom
