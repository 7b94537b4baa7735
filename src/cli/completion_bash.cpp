#include <fmt/format.h>

#include "cli/completion.h"

namespace fathom::cli {
namespace {

// What follows a switch or stands for an argument, as the script's functions name it.
std::string kind_of(const Value& value) {
  switch (value.kind) {
    case Value::Kind::nothing:
      return "flag";
    case Value::Kind::file:
      return value.optional ? "optional-file" : "file";
    case Value::Kind::folder:
      return "folder";
    case Value::Kind::choice:
      return fmt::format("choice {}", fmt::join(value.choices, " "));
    case Value::Kind::word:
    case Value::Kind::number:
      return value.optional ? "flag" : "word";
  }
  return "word";
}

// "'fathom data') commands=... switches=... argument=... ;;"
std::string command_case(const Command& command) {
  std::string commands, switches, argument = "none";
  for (const Command& below : command.commands) {
    commands += (commands.empty() ? "" : " ") + below.path.back();
  }
  for (const Switch& option : command.switches) {
    for (const std::string& name : option.names) switches += (switches.empty() ? "" : " ") + name;
  }
  if (!command.arguments.empty()) argument = kind_of(command.arguments.front().value);
  return fmt::format(
      "    '{}')\n      commands='{}'\n      switches='{}'\n      argument='{}'\n      ;;\n",
      full_name(command, ' '), commands, switches, argument);
}

// "'fathom train --resume') value=folder ;;"; flags have none.
std::string switch_cases(const Command& command) {
  std::string cases;
  for (const Switch& option : command.switches) {
    const std::string kind = kind_of(option.value);
    if (kind == "flag") continue;
    std::string patterns;
    for (const std::string& name : option.names) {
      patterns +=
          fmt::format("{}'{} {}'", patterns.empty() ? "" : " | ", full_name(command, ' '), name);
    }
    cases += fmt::format("    {}) value='{}' ;;\n", patterns, kind);
  }
  return cases;
}

constexpr std::string_view completer = R"script(
# Candidates for a value of kind $1 that begins with $2, into COMPREPLY.
_fathom_candidates() {
  local line
  case $1 in
    file | optional-file)
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2")
      ;;
    folder)
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$2")
      ;;
    choice*) COMPREPLY+=($(compgen -W "${1#choice}" -- "$2")) ;;
  esac
}

_fathom() {
  local current=${COMP_WORDS[COMP_CWORD]} command=fathom commands switches argument value word i
  local awaiting='' # the switch whose value comes next
  COMPREPLY=()
  _fathom_command "$command"
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == '=' ]]; then # bash cuts --switch=value into three words
      continue
    elif [[ -n $awaiting ]]; then
      awaiting=''
    elif [[ $word == -* ]]; then
      _fathom_value "$command" "$word"
      [[ $value == flag ]] || awaiting=$word
      if [[ $value == optional-file && ${COMP_WORDS[i + 1]} != '=' && $i -lt $((COMP_CWORD - 1)) ]]; then
        awaiting='' # whatever the next word is, it is complete
      fi
    elif [[ " $commands " == *" $word "* ]]; then
      command+=" $word"
      _fathom_command "$command"
    fi
  done
  if [[ -n $awaiting ]]; then
    [[ $current != '=' ]] || current=''
    _fathom_value "$command" "$awaiting"
    if [[ $value != optional-file || $current != -* ]]; then
      _fathom_candidates "$value" "$current"
      return
    fi
  fi
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$switches" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
    _fathom_candidates "$argument" "$current"
  fi
}

complete -F _fathom fathom
)script";

}  // namespace

std::string bash_completion(const Command& top) {
  std::string commands, switches;
  for (const Command* command : all_commands(top)) {
    commands += command_case(*command);
    switches += switch_cases(*command);
  }
  return "# bash completion of fathom; made by `fathom completion bash`.\n\n"
         "# What can follow the command $1: sets commands, switches and argument.\n"
         "_fathom_command() {\n  case $1 in\n" +
         commands +
         "  esac\n}\n\n"
         "# Sets value: what the switch $2 of the command $1 takes.\n"
         "_fathom_value() {\n  value=flag\n  case \"$1 $2\" in\n" +
         switches + "  esac\n}\n" + std::string(completer);
}

}  // namespace fathom::cli
