#include "cli/command_tree.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string_view>

#include "cli/text_flag.h"

namespace fathom::cli {
namespace {

std::vector<std::string> split(std::string_view text, char between) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(between);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// What CLI11's checks say of a number: "INT in [0 - 4096]", "POSITIVE", "NONNEGATIVE".
std::string bounds_in_words(std::string_view checks) {
  if (checks == "POSITIVE") return "above 0";
  if (checks == "NONNEGATIVE") return "at least 0";
  const std::size_t begin = checks.find(" in ["), middle = checks.find(" - ", begin);
  if (begin == std::string_view::npos || middle == std::string_view::npos) return "";
  const std::string_view least = checks.substr(begin + 5, middle - begin - 5);
  const std::string_view most = checks.substr(middle + 3);
  return fmt::format("from {} to {}", least, most.substr(0, most.find(']')));
}

// The type of an option is "INT", or with its checks "INT:INT in [0 - 4096]" or "TEXT:{all,last}".
Value value_of(const CLI::Option& option) {
  Value value;
  if (option.get_expected_max() == 0) return value;
  const std::string type = option.get_type_name();
  value.name = type.substr(0, type.find(':'));
  value.optional = option.get_expected_min() == 0;
  const std::string checks = value.name == type ? "" : type.substr(value.name.size() + 1);
  if (checks.starts_with('{')) {
    value.kind = Value::Kind::choice;
    value.choices = split(std::string_view(checks).substr(1, checks.find('}') - 1), ',');
  } else if (value.name == "INT" || value.name == "UINT" || value.name == "FLOAT") {
    value.kind = Value::Kind::number;
    value.bounds = bounds_in_words(checks);
  } else if (value.name.ends_with("FILE") || value.name == "PATH") {
    value.kind = Value::Kind::file;
  } else if (value.name.ends_with("DIR")) {
    value.kind = Value::Kind::folder;
  } else {
    value.kind = Value::Kind::word;
  }
  return value;
}

bool repeats(const CLI::Option& option) {
  return option.get_items_expected_max() > 1 ||
         option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
}

Switch switch_of(const CLI::Option& option) {
  Switch result;
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  result.value = value_of(option);
  result.description = option.get_description();
  if (result.value.kind != Value::Kind::nothing) result.default_value = option.get_default_str();
  result.required = option.get_required();
  result.repeats = result.value.kind != Value::Kind::nothing && repeats(option);
  return result;
}

Argument argument_of(const CLI::Option& option) {
  return {option.get_name(true), value_of(option), option.get_description(), option.get_required(),
          repeats(option)};
}

// Uses a flag as a command line would; --help and --version throw other exceptions.
void add_text_of(CLI::Option& flag, std::vector<PrintedText>& texts) {
  try {
    flag.add_result("true");
    flag.run_callback();
  } catch (const TextWanted& wanted) {
    texts.push_back({wanted.title, wanted.text});
  } catch (const CLI::Error&) {
    return;
  }
}

Command describe_below(CLI::App& app, std::vector<std::string> path) {
  Command result;
  result.path = std::move(path);
  result.summary = app.get_description();
  result.footer = app.get_footer();
  result.needs_command = app.get_require_subcommand_min() > 0;
  for (CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      result.arguments.push_back(argument_of(*option));
    } else {
      result.switches.push_back(switch_of(*option));
      if (result.switches.back().value.kind == Value::Kind::nothing) {
        add_text_of(*option, result.texts);
      }
    }
  }
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    std::vector<std::string> below = result.path;
    below.push_back(command->get_name());
    result.commands.push_back(describe_below(*command, std::move(below)));
  }
  return result;
}

void collect(const Command& command, std::vector<const Command*>& all) {
  all.push_back(&command);
  for (const Command& below : command.commands) collect(below, all);
}

}  // namespace

Command describe_commands(CLI::App& app) {
  return describe_below(app, {app.get_name()});
}

std::vector<const Command*> all_commands(const Command& command) {
  std::vector<const Command*> all;
  collect(command, all);
  return all;
}

std::string full_name(const Command& command, char between) {
  return fmt::format("{}", fmt::join(command.path, std::string(1, between)));
}

}  // namespace fathom::cli
