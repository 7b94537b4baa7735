// The linker's number of the running program.
#pragma once

#include <string>

namespace fathom {

// Hexadecimal digits that differ between two builds of other sources or options; empty where the
// linker noted none.
std::string build_id();

}  // namespace fathom
