// Commands that work by themselves and also have subcommands, as `eval` and `eval compare`.
#pragma once

namespace CLI {
class App;
}

namespace fathom::cli {

// For a subcommand's callback. Throws an input Error that names an option of the command itself which
// the command line gives, for the subcommand would not heed it: `eval --batch-invariant compare A B`.
void refuse_own_options(const CLI::App& subcommand);

}  // namespace fathom::cli
