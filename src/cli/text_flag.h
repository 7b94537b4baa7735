// Flags that print a text and end the program, as --help does: the keys of a config, the rules of
// filters.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace fathom::cli {

// Thrown by such a flag while the command line is parsed. main() prints the text; the manual's
// pages have it as a section under `title`.
struct TextWanted : CLI::Success {
  TextWanted(std::string section, std::string contents)
      : title(std::move(section)), text(std::move(contents)) {}
  std::string title, text;
};

inline void add_text_flag(CLI::App& command, const std::string& name, const std::string& title,
                          std::function<std::string()> text, const std::string& description) {
  command.add_flag_callback(
      name, [title, text = std::move(text)] { throw TextWanted(title, text()); }, description);
}

}  // namespace fathom::cli
