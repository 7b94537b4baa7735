// Messages for words of a command line that no command knows.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace fathom::cli {

// Of a command line that `app` refused: "fathom data has no command 'prepar': did you mean
// 'prepare'? ...", or the like for a switch; whichever comes first. Empty when all are known.
std::string unknown_word(const CLI::App& app, int argc, char** argv);

}  // namespace fathom::cli
