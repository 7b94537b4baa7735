// Scripts with which shells complete fathom's commands, switches and files. Each is complete in
// itself: pressing Tab does not start fathom.
#pragma once

#include <string>

#include "cli/command_tree.h"

namespace fathom::cli {

std::string bash_completion(const Command& top);
std::string zsh_completion(const Command& top);
std::string fish_completion(const Command& top);

}  // namespace fathom::cli
