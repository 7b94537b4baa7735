#include "cli/usage_errors.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <vector>

#include "core/config.h"

namespace fathom::cli {
namespace {

// Whether a command takes words of its own, such as a file, besides the commands below it.
bool takes_words(const CLI::App& app) {
  return std::ranges::any_of(app.get_options(),
                             [](const CLI::Option* option) { return option->get_positional(); });
}

bool looks_like_switch(const std::string& word) {
  const bool number =
      word.size() > 1 && (std::isdigit(static_cast<unsigned char>(word[1])) || word[1] == '.');
  return word.size() > 1 && word.starts_with('-') && word != "--" && !number;
}

std::vector<std::string> switches_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

// `kind`: "command" or "switch".
std::string message(const std::string& names, std::string_view kind, const std::string& word,
                    const std::string& guess) {
  return fmt::format("{} has no {} '{}': {}{} --help lists its {}{}", names, kind, word,
                     guess.empty() ? "" : fmt::format("did you mean '{}'? ", guess), names, kind,
                     kind == "switch" ? "es" : "s");
}

// Goes along a command line as the parser does: which command a word belongs to.
class Walk {
 public:
  Walk(const CLI::App& app, int argc, char** argv)
      : app_(&app), names_(app.get_name()), words_(argv + 1, argv + argc) {}

  // The message for the first word that is not known, or "".
  std::string first_unknown() {
    for (; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (word == "--") return "";
      const std::string problem =
          looks_like_switch(word) ? unknown_switch(word) : unknown_command(word);
      if (!problem.empty()) return problem;
    }
    return "";
  }

  // The command of the words so far, such as "fathom data prepare".
  const std::string& command() const { return names_; }

 private:
  std::string unknown_switch(const std::string& word) {
    const bool long_name = word.starts_with("--");
    const std::string name = long_name ? word.substr(0, word.find('=')) : word.substr(0, 2);
    const std::vector<std::string> known = switches_of(*app_);
    if (std::ranges::find(known, name) == known.end()) {
      const std::string written = word.substr(0, word.find('='));
      return message(names_, "switch", written, nearest(written, known));
    }
    // The words that the parser takes for values whatever they look like.
    const CLI::Option* option = app_->get_option_no_throw(name);
    const bool has_value = name.size() < word.size();
    if (option && !has_value)
      at_ += static_cast<std::size_t>(std::max(0, option->get_items_expected_min()));
    return "";
  }

  std::string unknown_command(const std::string& word) {
    const std::vector<std::string> commands = commands_of(*app_);
    if (std::ranges::find(commands, word) != commands.end()) {
      app_ = app_->get_subcommand(word);
      names_ += " " + word;
      return "";
    }
    if (commands.empty()) return "";
    const std::string guess = nearest(word, commands);
    // Where a word may also be a file, only one that names none is taken for a command.
    std::error_code ignored;
    if (takes_words(*app_) && (guess.empty() || std::filesystem::exists(word, ignored))) return "";
    return message(names_, "command", word, guess);
  }

  const CLI::App* app_;
  std::string names_;
  std::vector<std::string> words_;
  std::size_t at_ = 0;
};

}  // namespace

std::string usage_problem(const CLI::App& app, int argc, char** argv, const std::string& reason) {
  Walk walk(app, argc, argv);
  const std::string unknown = walk.first_unknown();
  if (!unknown.empty()) return unknown;
  return fmt::format("{0}: {1}; {0} --help shows how", walk.command(), reason);
}

}  // namespace fathom::cli
