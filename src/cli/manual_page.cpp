#include "cli/manual_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "cli/config_lines.h"
#include "cli/troff.h"

namespace fathom::cli {
namespace {

using troff::bold;
using troff::escape;
using troff::italic;

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

bool is_top(const Command& command) {
  return command.path.size() == 1;
}

std::string shown_value(const Value& value) {
  if (value.kind != Value::Kind::choice) return italic(value.name);
  std::string choices;
  for (const std::string& choice : value.choices) {
    choices += (choices.empty() ? "" : "|") + bold(choice);
  }
  return choices;
}

std::string synopsis(const Command& command) {
  std::string line = bold(full_name(command, ' '));
  if (!command.switches.empty()) line += " [" + italic("OPTION") + "]...";
  for (const Argument& argument : command.arguments) {
    const std::string shown = italic(argument.name) + (argument.repeats ? "..." : "");
    line += argument.required ? " " + shown : " [" + shown + "]";
  }
  std::string lines = line + "\n";
  if (command.needs_command)
    lines = bold(full_name(command, ' ')) + " " + italic("COMMAND") + " ...\n";
  if (!command.needs_command && !command.commands.empty()) {
    lines += ".br\n" + bold(full_name(command, ' ')) + " " + italic("COMMAND") + " ...\n";
  }
  return troff::section("SYNOPSIS", lines);
}

// "Budget in FLOPs. Default: 4. From 0 to 4096."
std::string with_facts(std::string description, const Value& value,
                       const std::string& default_value, bool required, bool repeats) {
  std::vector<std::string> facts;
  if (required) facts.emplace_back("required");
  if (!value.bounds.empty()) facts.push_back(value.bounds);
  if (!default_value.empty()) facts.push_back("default " + default_value);
  if (repeats) facts.emplace_back("may be given several times");
  if (facts.empty()) return description;
  return fmt::format("{}{}({})", description, description.empty() ? "" : " ",
                     fmt::join(facts, "; "));
}

std::string arguments(const Command& command) {
  if (command.arguments.empty()) return "";
  std::string out;
  for (const Argument& argument : command.arguments) {
    out +=
        troff::item(italic(argument.name) + (argument.repeats ? "..." : ""),
                    with_facts(argument.description, argument.value, "", argument.required, false));
  }
  return troff::section("ARGUMENTS", out);
}

std::string options(const Command& command) {
  if (command.switches.empty()) return "";
  std::string out;
  for (const Switch& option : command.switches) {
    std::string tag;
    for (const std::string& name : option.names) tag += (tag.empty() ? "" : ", ") + bold(name);
    if (option.value.optional && option.value.kind != Value::Kind::nothing) {
      tag += " [" + shown_value(option.value) + "]";
    } else if (option.value.kind != Value::Kind::nothing) {
      tag += " " + shown_value(option.value);
    }
    out += troff::item(tag, with_facts(option.description, option.value, option.default_value,
                                       option.required, option.repeats));
  }
  return troff::section("OPTIONS", out);
}

std::string command_list(const Command& command) {
  if (command.commands.empty()) return "";
  std::string out;
  for (const Command& below : command.commands) {
    out += troff::item(troff::reference(full_name(below, '-')), below.summary);
  }
  return troff::section("COMMANDS", out);
}

// "auto|f32|bf16", which may become two lines after each bar.
std::string breakable(const std::string& choices) {
  std::string out;
  for (const char c : choices) out += c == '|' ? "|\\:" : std::string(1, c);
  return out;
}

// A text that a switch prints. Of keys of a config, which are indented, and of names with what they
// mean, each line becomes an item; others are prose.
std::string printed(const PrintedText& text) {
  std::string out;
  std::istringstream lines(text.text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t gap = line.find("  ");
    if (line.starts_with("  ")) {
      const ConfigLine key = parse_config_line(line);
      out += troff::item(bold(key.key) + " = " + breakable(escape(key.value)), key.help);
    } else if (gap != std::string::npos) {
      out += troff::item(bold(line.substr(0, gap)), line.substr(line.find_first_not_of(' ', gap)));
    } else if (!line.empty()) {
      out += troff::paragraph(line);
    }
  }
  return troff::section(upper(text.title), out);
}

// The parts of a footer: prose, then the keys of a config, then examples, each in lines.
struct Footer {
  std::string prose, keys, examples;
};

Footer parts_of(const std::string& footer) {
  Footer parts;
  std::string* part = &parts.prose;
  std::istringstream lines(footer);
  for (std::string line; std::getline(lines, line);) {
    if (line == "Keys of the config:") {
      part = &parts.keys;
      continue;
    }
    if (line.starts_with("Example: ")) {
      part = &parts.examples;
      line = "  " + line.substr(std::string_view("Example: ").size());
    }
    *part += line + "\n";
  }
  return parts;
}

// Indented lines are commands, others say something of them.
std::string examples(const std::string& text) {
  if (text.empty()) return "";
  std::string out, commands;
  const auto end_commands = [&] {
    if (!commands.empty()) out += troff::example(commands);
    commands.clear();
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) {
      commands += (commands.empty() ? "" : "\n") + line.substr(2);
    } else {
      end_commands();
      out += troff::paragraph(line);
    }
  }
  end_commands();
  return troff::section("EXAMPLES", out);
}

// The command above, and those below or beside it are listed there.
std::string see_also(const Command& command) {
  std::string out = troff::reference("fathom");
  for (std::size_t levels = 2; levels < command.path.size(); ++levels) {
    std::string name = command.path[0];
    for (std::size_t i = 1; i < levels; ++i) name += "-" + command.path[i];
    out += ",\n" + troff::reference(name);
  }
  return troff::section("SEE ALSO", out + "\n");
}

}  // namespace

std::string manual_page(const Command& command, const std::string& version,
                        const std::string& date) {
  const std::string name = full_name(command, '-');
  const Footer footer = parts_of(command.footer);
  std::string page =
      fmt::format(".TH {} 1 {} \"{}\" \"Fathom's manual\"\n", escape(upper(name)), date, version);
  page += ".nh\n.ad l\n";  // words of command lines are not cut, nor spread
  std::string summary = command.summary;
  if (is_top(command) && summary.starts_with("Fathom ")) summary.erase(0, 7);
  page += troff::section("NAME", escape(name) + " \\- " + escape(summary) + "\n");
  page += synopsis(command);
  // The first command's prose leads to its page, whose guide has a description of its own.
  if (is_top(command)) {
    page += manual_guide();
  } else if (!footer.prose.empty()) {
    page += troff::section("DESCRIPTION", escape(footer.prose));
  }
  page += arguments(command) + command_list(command) + options(command);
  if (!footer.keys.empty()) page += printed({"Configuration", footer.keys});
  for (const PrintedText& text : command.texts) page += printed(text);
  if (!is_top(command)) page += examples(footer.examples) + see_also(command);
  return page;
}

}  // namespace fathom::cli
