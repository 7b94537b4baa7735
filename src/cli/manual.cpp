// fathom manual and fathom completion: what an installation has beside the binary, made of the
// commands' own help.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string_view>

#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/manual_page.h"
#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"

namespace fathom::cli {
namespace {

// Of the pages: today, or as the variable says with which builds become reproducible.
std::string date_of_pages() {
  std::time_t seconds = std::time(nullptr);
  if (const char* fixed = std::getenv("SOURCE_DATE_EPOCH")) {
    const std::string_view text = fixed;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (problem != std::errc() || end != text.data() + text.size()) {
      fail_input("SOURCE_DATE_EPOCH is '{}': set it to seconds since 1970", text);
    }
  }
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(seconds));
}

void write_manual(CLI::App& app, const std::string& directory) {
  const Command top = describe_commands(app);
  const std::string date = date_of_pages();
  std::error_code problem;
  std::filesystem::create_directories(directory, problem);
  if (problem) fail_input("{}: cannot be made: {}", directory, problem.message());
  const auto commands = all_commands(top);
  for (const Command* command : commands) {
    write_file_atomically(fmt::format("{}/{}.1", directory, full_name(*command, '-')),
                          manual_page(*command, "Fathom " FATHOM_VERSION, date));
  }
  log::info("{0} pages are in {1}; man {1}/fathom.1 shows the first", commands.size(), directory);
}

void print_completion(CLI::App& app, const std::string& shell) {
  const Command top = describe_commands(app);
  const std::string script = shell == "bash"  ? bash_completion(top)
                             : shell == "zsh" ? zsh_completion(top)
                                              : fish_completion(top);
  std::fputs(script.c_str(), stdout);
}

}  // namespace

void add_completion(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "completion", "Print the script with which a shell completes fathom's words");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "An installation has the scripts where shells look for them.\n"
      "Example: fathom completion bash > ~/.local/share/bash-completion/completions/fathom\n"
      "  fathom completion zsh > ~/.zfunc/_fathom\n"
      "  fathom completion fish > ~/.config/fish/completions/fathom.fish");
  command->callback([&app, shell] { print_completion(app, *shell); });
}

void add_manual(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("manual", "Write the manual's pages, one a command, for man");
  const auto directory = std::make_shared<std::string>();
  command->add_option("directory", *directory, "folder for fathom.1, fathom-train.1 and so on")
      ->type_name("DIR")
      ->required();
  command->footer(
      "An installation has them where man looks for them. SOURCE_DATE_EPOCH gives their date.\n"
      "Example: fathom manual man/man1\n"
      "  man man/man1/fathom.1");
  command->callback([&app, directory] { write_manual(app, *directory); });
}

}  // namespace fathom::cli
