// The commands as data: what the parser knows of them, for the manual's pages and for the shells'
// completions.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace fathom::cli {

// What a switch or an argument takes.
struct Value {
  // nothing: a flag. word: anything else. Completions offer files for `file` and folders for
  // `folder`.
  enum class Kind { nothing, word, number, choice, file, folder };
  Kind kind = Kind::nothing;
  std::string name;                  // as help names it: "FILE", "KEY=VALUE", "INT"
  std::vector<std::string> choices;  // of Kind::choice
  std::string bounds;                // of numbers, in words: "from 0 to 4096"; empty: any
  bool optional = false;             // the switch may stand alone
};

struct Switch {
  std::vector<std::string> names;  // "-h", "--help"
  Value value;
  std::string description, default_value;
  bool required = false, repeats = false;
};

struct Argument {
  std::string name;
  Value value;
  std::string description;
  bool required = false, repeats = false;
};

// A text that a switch prints, such as the keys of a config (cli/text_flag.h).
struct PrintedText {
  std::string title, text;
};

struct Command {
  std::vector<std::string> path;  // {"fathom", "data", "prepare"}
  std::string summary, footer;
  bool needs_command = false;  // it does nothing without one of its commands
  std::vector<Argument> arguments;
  std::vector<Switch> switches;
  std::vector<PrintedText> texts;
  std::vector<Command> commands;  // in the order of help
};

// `app`: the parser of `fathom` with all its commands. It can't parse a command line afterwards,
// for the switches that print a text were used to learn it.
Command describe_commands(CLI::App& app);

// `command` and those below it, a command before its own.
std::vector<const Command*> all_commands(const Command& command);

// "fathom data prepare" for ' ', "fathom-data-prepare" for '-'.
std::string full_name(const Command& command, char between);

}  // namespace fathom::cli
