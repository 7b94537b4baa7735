#include "align/chat_commands.h"

#include <fmt/format.h>

#include <charconv>

#include "core/config.h"
#include "core/error.h"

namespace fathom {
namespace {

// The argument as a number, all of it.
template <class T>
T number_of(std::string_view name, std::string_view argument) {
  T value{};
  const char* const end = argument.data() + argument.size();
  const auto [rest, error] = std::from_chars(argument.data(), end, value);
  if (error != std::errc() || rest != end) {
    fail_input("{} takes a number, not '{}'", name, argument);
  }
  return value;
}

std::string_view path_of(std::string_view name, std::string_view argument) {
  if (argument.empty()) fail_input("{} takes the name of a file", name);
  return argument;
}

// Shows a setting, or changes it when there is an argument.
template <class T, class Place>
std::string setting(ChatSession& session, std::string_view name, std::string_view argument,
                    Place place) {
  ChatSettings settings = session.settings();
  if (!argument.empty()) {
    place(settings) = number_of<T>(name, argument);
    session.change(settings);
  }
  return fmt::format("{} is {}", name.substr(1), place(settings));
}

std::string system_command(ChatSession& session, std::string_view argument) {
  const ChatSettings& now = session.settings();
  std::optional<std::string> system;
  if (!argument.empty()) system.emplace(argument);
  session.change({std::move(system), now.max_tokens, now.sampling});
  return argument.empty() ? "without a system prompt" : "the system prompt is set";
}

constexpr std::string_view help =
    "/system TEXT      replaces the system prompt; without TEXT it is left out\n"
    "/temperature X    0: always the likeliest token\n"
    "/top-p X          draw from the fewest tokens whose probabilities reach X\n"
    "/max-tokens N     longest answer\n"
    "/seed N           of the random choices\n"
    "/reset            forgets the conversation\n"
    "/save FILE        writes it as JSON; /load FILE goes on from there\n"
    "/quit             leaves, as Ctrl-D does\n"
    "Ctrl-C stops an answer. A turn that begins with a slash is written with two.";

}  // namespace

bool is_chat_command(std::string_view line) {
  return line.starts_with('/') && !line.starts_with("//");
}

std::string chat_turn(std::string_view line) {
  if (line.starts_with("//")) line.remove_prefix(1);
  return std::string(line);
}

ChatCommandResult run_chat_command(ChatSession& session, std::string_view line) {
  const std::string_view name = line.substr(0, line.find_first_of(" \t"));
  std::string_view argument = line.substr(name.size());
  argument.remove_prefix(std::min(argument.find_first_not_of(" \t"), argument.size()));
  argument = argument.substr(0, argument.find_last_not_of(" \t") + 1);
  using Settings = ChatSettings;
  if (name == "/help") return {std::string(help)};
  if (name == "/quit") return {"", true};
  if (name == "/system") return {system_command(session, argument)};
  if (name == "/temperature") {
    return {setting<double>(
        session, name, argument, [](Settings & s) -> auto& { return s.sampling.temperature; })};
  }
  if (name == "/top-p") {
    return {setting<double>(
        session, name, argument, [](Settings & s) -> auto& { return s.sampling.top_p; })};
  }
  if (name == "/max-tokens") {
    return {setting<std::int64_t>(
        session, name, argument, [](Settings & s) -> auto& { return s.max_tokens; })};
  }
  if (name == "/seed") {
    return {setting<std::uint64_t>(
        session, name, argument, [](Settings & s) -> auto& { return s.sampling.seed; })};
  }
  if (name == "/reset") {
    session.reset();
    return {"the conversation begins again"};
  }
  if (name == "/save") {
    session.save(std::string(path_of(name, argument)));
    return {fmt::format("saved in {}", argument)};
  }
  if (name == "/load") {
    session.load(std::string(path_of(name, argument)));
    return {fmt::format("goes on from {}, after {} messages", argument, session.messages().size())};
  }
  const std::string commands[] = {"/help", "/system", "/temperature", "/top-p", "/max-tokens",
                                  "/seed", "/reset",  "/save",        "/load",  "/quit"};
  const std::string guess = nearest(std::string(name), commands);
  fail_input("there is no command {}{}: /help lists them", name,
             guess.empty() ? "" : fmt::format("; did you mean {}?", guess));
}

}  // namespace fathom
