// Files that come with the program: configs/ of an installation, or of the source tree.
#pragma once

#include <string>

namespace fathom {

// `path` where it exists. Else, of a path configs/..., the first that exists of: beside the
// program; where an installed program has its files (../share/fathom from it); in the source tree
// of a program that was built there (build/ or build/<preset>/). `path` itself when none does.
std::string find_program_file(const std::string& path);

// The folder of the running program.
std::string program_folder();

}  // namespace fathom
