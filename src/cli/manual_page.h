// A page of the manual, section 1, in troff's man macros: fathom(1), or one of a command such as
// fathom-data-prepare(1). Made of what --help shows.
#pragma once

#include <string>

#include "cli/command_tree.h"

namespace fathom::cli {

// `date`: as pages show it, 2025-01-31.
std::string manual_page(const Command& command, const std::string& version,
                        const std::string& date);

// The sections that fathom(1) alone has: a first model from nothing, files, environment, exit
// status.
std::string manual_guide();

}  // namespace fathom::cli
