#include "core/log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>

#include "core/log_redirection.h"

namespace fathom::log {
namespace {

// A process has one terminal, and so one of these.
struct Terminal {
  std::mutex mutex;
  std::string status;  // cut to the terminal
};

Terminal& terminal() {
  static Terminal t;
  return t;
}

winsize terminal_size() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size : winsize{};
}

// Counts characters of UTF-8, not bytes, and never cuts one in two.
std::string cut_to_width(const std::string& line, const winsize& size) {
  if (size.ws_col < 2) return line;
  std::size_t columns = 0;
  const auto end = std::ranges::find_if(line, [&](unsigned char byte) {
    const bool starts_character = (byte & 0xc0) != 0x80;
    return starts_character && ++columns >= size.ws_col;
  });
  return {line.begin(), end};
}

// As much as the terminal shows at once: what has scrolled away could not be rewritten.
std::string cut_to_terminal(const std::string& text) {
  const winsize size = terminal_size();
  std::string cut;
  int rows = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    if (size.ws_row > 1 && rows == size.ws_row - 1) break;
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    cut += (rows++ > 0 ? "\n" : "") + cut_to_width(text.substr(begin, end - begin), size);
    begin = end + 1;
  }
  return cut;
}

// Moves from the end of the status to its beginning, and clears all of it.
void erase(const std::string& status) {
  const auto breaks = std::ranges::count(status, '\n');
  if (breaks > 0) {
    std::fprintf(stderr, "\r\x1b[%tdA\x1b[J", breaks);
  } else {
    std::fputs("\r\x1b[K", stderr);
  }
}

}  // namespace

bool stderr_is_terminal() {
  static const bool is = isatty(STDERR_FILENO) == 1;
  return is;
}

void write(Level level, const std::string& line) {
  if (const Redirection::Sink& sink = Redirection::sink()) return sink(level, line);
  Terminal& t = terminal();
  const std::lock_guard lock(t.mutex);
  if (!t.status.empty()) erase(t.status);
  std::fprintf(stderr, "%s%s\n", mark_of(level), line.c_str());
  if (!t.status.empty()) std::fprintf(stderr, "\r\x1b[K%s", t.status.c_str());
  std::fflush(stderr);
}

void set_status(const std::string& text) {
  if (!stderr_is_terminal() || Redirection::sink()) return;
  Terminal& t = terminal();
  const std::lock_guard lock(t.mutex);
  erase(t.status);
  t.status = cut_to_terminal(text);
  std::fputs(t.status.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace fathom::log
