#include "core/log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>

namespace fathom::log {
namespace {

// A process has one terminal, and so one of these.
struct Terminal {
  std::mutex mutex;
  std::string status;
};

Terminal& terminal() {
  static Terminal t;
  return t;
}

// Counts characters of UTF-8, not bytes, and never cuts one in two.
std::string cut_to_width(const std::string& line) {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return line;
  std::size_t columns = 0;
  const auto end = std::ranges::find_if(line, [&](unsigned char byte) {
    const bool starts_character = (byte & 0xc0) != 0x80;
    return starts_character && ++columns >= size.ws_col;
  });
  return {line.begin(), end};
}

}  // namespace

bool stderr_is_terminal() {
  static const bool is = isatty(STDERR_FILENO) == 1;
  return is;
}

void write(Level level, const std::string& line) {
  const char* mark = level == Level::warning ? "warning: " : level == Level::error ? "error: " : "";
  Terminal& t = terminal();
  const std::lock_guard lock(t.mutex);
  if (!t.status.empty()) std::fputs("\r\x1b[K", stderr);
  std::fprintf(stderr, "%s%s\n", mark, line.c_str());
  if (!t.status.empty()) std::fprintf(stderr, "\r\x1b[K%s", t.status.c_str());
  std::fflush(stderr);
}

void set_status(const std::string& line) {
  if (!stderr_is_terminal()) return;
  Terminal& t = terminal();
  const std::lock_guard lock(t.mutex);
  t.status = cut_to_width(line);
  std::fprintf(stderr, "\r\x1b[K%s", t.status.c_str());
  std::fflush(stderr);
}

}  // namespace fathom::log
