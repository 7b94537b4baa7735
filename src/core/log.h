// Lines for people, on standard error. Data goes to standard output, never here.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace fathom::log {

enum class Level { info, warning, error };

// Writes one line. A progress bar on the terminal is cleared before it and drawn again
// after it. Safe to call from any thread.
void write(Level level, const std::string& line);

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}

// Sets the lines at the bottom of the terminal, which are rewritten in place; an empty text
// removes them. Does nothing when standard error is not a terminal.
void set_status(const std::string& text);
bool stderr_is_terminal();

}  // namespace fathom::log
