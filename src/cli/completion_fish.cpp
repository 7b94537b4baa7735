#include <fmt/format.h>

#include "cli/completion.h"

namespace fathom::cli {
namespace {

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// What a switch or an argument takes, as options of fish's `complete`.
std::string taken(const Value& value) {
  switch (value.kind) {
    case Value::Kind::nothing:
      return "";
    case Value::Kind::file:
      return value.optional ? " -F" : " -rF";
    case Value::Kind::folder:
      return " -x -a '(__fish_complete_directories (commandline -ct))'";
    case Value::Kind::choice:
      return fmt::format(" -x -a {}",
                         fish_quoted(fmt::format("{}", fmt::join(value.choices, " "))));
    case Value::Kind::word:
    case Value::Kind::number:
      return value.optional ? "" : " -x";
  }
  return "";
}

std::string switch_line(const std::string& condition, const Switch& option) {
  std::string line = condition;
  for (const std::string& name : option.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  return line + taken(option.value) + " -d " + fish_quoted(option.description) + "\n";
}

// What fish offers where the command line is at `command`.
std::string lines_of(const Command& command) {
  const std::string condition =
      fmt::format("complete -c fathom -n '__fathom_at {}'", full_name(command, ' '));
  std::string lines;
  for (const Command& below : command.commands) {
    lines +=
        fmt::format("{} -a {} -d {}\n", condition, below.path.back(), fish_quoted(below.summary));
  }
  for (const Switch& option : command.switches) lines += switch_line(condition, option);
  if (!command.arguments.empty()) {
    const Value& value = command.arguments.front().value;
    if (value.kind == Value::Kind::file) lines += condition + " -F\n";
    if (value.kind == Value::Kind::folder) {
      lines += condition + " -a '(__fish_complete_directories (commandline -ct))'\n";
    }
  }
  return lines;
}

}  // namespace

std::string fish_completion(const Command& top) {
  std::string names, valued, lines;
  for (const Command* command : all_commands(top)) {
    names += " " + fish_quoted(full_name(*command, ' '));
    lines += lines_of(*command);
    for (const Switch& option : command->switches) {
      if (option.value.kind == Value::Kind::nothing || option.value.optional) continue;
      for (const std::string& name : option.names)
        valued += " " + fish_quoted(full_name(*command, ' ') + " " + name);
    }
  }
  return "# fish completion of fathom; made by `fathom completion fish`.\n\n"
         "set -g __fathom_commands" +
         names +
         "\n"
         "set -g __fathom_valued" +
         valued + R"script(

# Whether the command line so far is one of the command $argv.
function __fathom_at
    set -l words (commandline -opc)
    set -l at fathom
    set -l skip 0
    for word in $words[2..-1]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- "$at $word" $__fathom_valued; and set skip 1
        else if contains -- "$at $word" $__fathom_commands
            set at "$at $word"
        end
    end
    test "$at" = "$argv"
end

complete -c fathom -f
)script" +
         lines;
}

}  // namespace fathom::cli
