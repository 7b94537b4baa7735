// Lines for people, on standard error. Data goes to standard output, never here.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace fathom::log {

enum class Level { info, warning, error };

// Writes one line, clearing a progress bar that stands on the terminal first.
// Safe to call from any thread.
void write(Level level, const std::string& line);

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}

// The line at the bottom of the terminal that is rewritten in place; empty
// removes it. Does nothing when standard error is no terminal.
void set_status(const std::string& line);
bool stderr_is_terminal();

}  // namespace fathom::log
