#include <fmt/format.h>

#include "cli/completion.h"

namespace fathom::cli {
namespace {

// Inside single quotes, as a description of _arguments or _describe: brackets and colons divide
// there.
std::string zsh_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string action(const Value& value) {
  switch (value.kind) {
    case Value::Kind::nothing:
      return "";
    case Value::Kind::file:
      return "_files";
    case Value::Kind::folder:
      return "_files -/";
    case Value::Kind::choice:
      return fmt::format("({})", fmt::join(value.choices, " "));
    case Value::Kind::word:
    case Value::Kind::number:
      return " ";
  }
  return " ";
}

std::string switch_spec(const Switch& option, const std::string& name) {
  std::string spec =
      fmt::format("'{}{}{}[{}]", option.repeats ? "*" : "", name,
                  option.value.kind == Value::Kind::nothing || !name.starts_with("--") ? "" : "=",
                  zsh_quoted(option.description));
  if (option.value.kind != Value::Kind::nothing) {
    spec += fmt::format("{}{}:{}", option.value.optional ? "::" : ":",
                        zsh_quoted(option.value.name), action(option.value));
  }
  return spec + "'";
}

std::string function_name(const Command& command) {
  return "_" + full_name(command, '_');
}

std::string argument_specs(const Command& command) {
  std::string specs;
  for (const Argument& argument : command.arguments) {
    specs += fmt::format(" \\\n    '{}{}:{}'",
                         argument.repeats    ? "*:"
                         : argument.required ? ":"
                                             : "::",
                         zsh_quoted(argument.name), action(argument.value));
  }
  return specs;
}

std::string zsh_commands(const Command& command) {
  std::string lines;
  for (const Command& below : command.commands) {
    lines += fmt::format("    '{}:{}'\n", below.path.back(), zsh_quoted(below.summary));
  }
  return lines;
}

// A function a command: the switches and arguments, or the commands below and then their functions.
std::string function(const Command& command) {
  std::string specs;
  for (const Switch& option : command.switches) {
    for (const std::string& name : option.names) specs += " \\\n    " + switch_spec(option, name);
  }
  if (command.commands.empty()) {
    return fmt::format("{}() {{\n  _arguments -s{}{}\n}}\n\n", function_name(command), specs,
                       argument_specs(command));
  }
  std::string cases, first = "_describe command commands";
  for (const Command& below : command.commands) {
    cases += fmt::format("        {}) {} ;;\n", below.path.back(), function_name(below));
  }
  if (!command.arguments.empty()) first += "; " + action(command.arguments.front().value);
  return fmt::format(R"script({0}() {{
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
{1}  )
  _arguments -C{2} \
    '1: :->first' \
    '*:: :->rest'
  case $state in
    first) {3} ;;
    rest)
      case $words[1] in
{4}        *) _files ;;
      esac
      ;;
  esac
}}

)script",
                     function_name(command), zsh_commands(command), specs, first, cases);
}

}  // namespace

std::string zsh_completion(const Command& top) {
  std::string script =
      "#compdef fathom\n# zsh completion of fathom; made by `fathom completion zsh`.\n\n";
  for (const Command* command : all_commands(top)) script += function(*command);
  return script + R"script(if [[ $funcstack[1] == _fathom ]]; then
  _fathom "$@"
else
  compdef _fathom fathom
fi
)script";
}

}  // namespace fathom::cli
