// Every command that --help lists, at each level.
#pragma once

#include <sstream>

#include "cli/process.h"

namespace fathom::test {

// Names in the "Subcommands:" part of a help text.
inline std::vector<std::string> commands_in(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help);
  bool listed = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "Subcommands:") listed = true;
    if (line.empty()) listed = false;
    if (listed && line.starts_with("  ")) names.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return names;
}

// "--out" and the like of a help text; of a line "-h,--help" both.
inline std::vector<std::string> switches_in(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream words(line.substr(2, line.find(' ', 2) - 2));
    for (std::string name; std::getline(words, name, ',');) names.push_back(name);
  }
  return names;
}

struct CommandHelp {
  std::vector<std::string> path;  // without "fathom"
  std::string help;
};

inline void add_commands_below(const TempDir& dir, const std::vector<std::string>& path,
                               std::vector<CommandHelp>& all) {
  std::vector<std::string> arguments = path;
  arguments.emplace_back("--help");
  all.push_back({path, run_fathom(dir, arguments).out});
  for (const std::string& name : commands_in(all.back().help)) {
    std::vector<std::string> below = path;
    below.push_back(name);
    add_commands_below(dir, below, all);
  }
}

inline std::vector<CommandHelp> all_commands(const TempDir& dir) {
  std::vector<CommandHelp> all;
  add_commands_below(dir, {}, all);
  return all;
}

}  // namespace fathom::test
