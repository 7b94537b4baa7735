// Messages for command lines that the parser refused.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace fathom::cli {

// Of a command line that `app` refused for `reason`: "fathom data has no command 'prepar': did you
// mean 'prepare'? ..." for the first word that no command knows, or the like for a switch; else
// the reason with the command before it and its --help behind.
std::string usage_problem(const CLI::App& app, int argc, char** argv, const std::string& reason);

}  // namespace fathom::cli
