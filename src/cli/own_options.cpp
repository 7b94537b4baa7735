#include "cli/own_options.h"

#include <CLI/CLI.hpp>

#include "core/error.h"

namespace fathom::cli {

void refuse_own_options(const CLI::App& subcommand) {
  const CLI::App& command = *subcommand.get_parent();
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    fail_input("{} is of `{}` itself, and `{} {}` does not heed it: leave it out", option->get_name(),
               command.get_name(), command.get_name(), subcommand.get_name());
  }
}

}  // namespace fathom::cli
