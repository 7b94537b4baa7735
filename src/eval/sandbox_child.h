// The sandbox's side of a fork: from a copy of this process to an isolated program. Between the fork
// and the program only system calls are made, for other threads of the process may have held locks.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::eval {

// All strings and lists are made before the fork.
struct ChildPlan {
  bool isolated = true;
  std::vector<const char*> arguments, environment;  // end with a null pointer

  // The new root: directories to make, then what is shown in it, then symbolic links.
  struct Shown {
    std::string source, target;
    bool directory = true, writable = false;
  };
  std::vector<std::string> directories;
  std::vector<Shown> shown;
  struct Link {
    std::string target, path;
  };
  std::vector<Link> links;
  std::string root_options, work_options;  // of the two tmpfs

  std::vector<sock_filter> filter;
  std::uint64_t cpu_seconds = 0, memory_bytes = 0, file_bytes = 0, processes = 0, files = 0;

  int go = -1;       // read end: a byte when the user is mapped; closed when the parent ends
  int output = -1;   // standard output and error
  int program = -1;  // the program's descriptor 3
  int verdict = -1;  // the program's descriptor 4
  int status = -1;   // takes a ChildReport
  int started = -1;  // closed by the program's start
};

// What the child writes to ChildPlan::status: a step that failed, or the program's exit.
struct ChildReport {
  enum class Kind : std::int32_t { failed, exited } kind = Kind::failed;
  std::int32_t step = 0;    // failed: number of a step, for child_step_name()
  std::int32_t number = 0;  // failed: errno; exited: the status of wait()
};
const char* child_step_name(std::int32_t step);

// The user in the sandbox. A parent that is root also maps 0, as whom the sandbox is set up.
inline constexpr unsigned sandbox_user = 1000;
inline constexpr const char* new_root = "/proc";  // where the new root is made; always a directory

// Never returns. Called in the child.
[[noreturn]] void run_child(const ChildPlan& plan) noexcept;

}  // namespace fathom::eval
