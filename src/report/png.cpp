#include "report/png.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/error.h"
#include "io/atomic_file.h"

extern char** environ;

namespace fathom {
namespace {

constexpr const char* program = "rsvg-convert";

// The two ends of a pipe, which another program does not inherit.
struct Pipe {
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) fail_runtime("a pipe: {}", std::strerror(errno));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close(ends[0]);
    close_input();
  }
  void close_input() {
    if (ends[1] >= 0) close(ends[1]);
    ends[1] = -1;
  }
  int ends[2] = {-1, -1};  // read, write
};

std::string read_all(int file) {
  std::string bytes;
  std::array<char, 65536> part;
  while (true) {
    const ssize_t count = read(file, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return bytes;
    bytes.append(part.data(), static_cast<std::size_t>(count));
  }
}

// What the program writes; empty when it cannot be started or fails.
std::string output_of(std::array<const char*, 5> arguments) {
  Pipe pipe;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe.ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int problem = posix_spawnp(&child, program, &actions, nullptr,
                                   const_cast<char**>(arguments.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) return "";
  pipe.close_input();
  std::string bytes = read_all(pipe.ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? bytes : "";
}

}  // namespace

bool can_write_png() {
  const char* const path = std::getenv("PATH");
  std::string_view folders = path ? path : "";
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    const std::string file = std::string(folders.substr(0, end)) + "/" + program;
    if (access(file.c_str(), X_OK) == 0) return true;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return false;
}

void write_png(const std::string& svg, const std::string& png) {
  if (!can_write_png()) {
    fail_runtime("{}: needs the program {}: install Debian's librsvg2-bin", png, program);
  }
  const std::string bytes =
      output_of({program, "--zoom=2", "--background-color=white", svg.c_str(), nullptr});
  if (bytes.empty()) fail_runtime("{}: {} could not draw {}", png, program, svg);
  write_file_atomically(png, bytes);
}

}  // namespace fathom
