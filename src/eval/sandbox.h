// Runs programs that nobody has read, such as those that a model wrote.
//
// Each gets user, mount, process, network, IPC and host name namespaces of its own: it sees no network
// and no other process, and of the machine's files only those that a program needs, read-only. Its own
// folder is in memory, of limited size. It has no privileges, a filter of system calls
// (syscall_filter.h), limits of time, memory, processes, file sizes and descriptors. When it ends or its
// time is over, all that it started is killed with it, and so it is when this process ends.
//
// Memory is limited for each process by the kernel, and for all of them together by a look at their
// sizes every 10 ms: between two looks they may have more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fathom::eval {

struct SandboxLimits {
  double seconds = 3;                             // of the clock
  std::size_t memory_bytes = std::size_t{1} << 30;  // of all its processes
  std::int64_t processes = 32;
  std::int64_t files = 64;                         // descriptors of a process
  std::size_t folder_bytes = std::size_t{64} << 20;  // all files in its folder, which is in memory
  std::size_t output_bytes = std::size_t{64} << 10;  // kept; the rest is read and dropped
};

enum class Isolation {
  full,         // as above
  limits_only,  // no namespaces and no filter: for machines that cannot, and programs that are trusted
};

struct ProgramOutcome {
  enum class End { exited, killed, out_of_time, out_of_memory } end = End::exited;
  int number = 0;       // exited: its code; killed: the signal
  std::string output;   // standard output and error together
  std::string verdict;  // what it wrote to its descriptor 4, at most 4 KiB
  double seconds = 0;
  // When its time or its memory ran out: what processors worked for all its processes, and, from a
  // look every 10 ms, how long one of these did not sleep.
  double cpu_seconds = 0, awake_seconds = 0;
};

class Sandbox {
 public:
  // Programs may use the files below `shown` (absolute paths) besides the system's own.
  explicit Sandbox(Isolation isolation, std::vector<std::string> shown = {});
  ~Sandbox();

  // Runs `arguments` (the first one an absolute path) with `input` as the content of descriptor 3.
  // Any thread may call it; many can at once. Throws a run-time Error that names the step when the
  // sandbox cannot be set up, and never for what the program does.
  ProgramOutcome run(const std::vector<std::string>& arguments, const std::string& input,
                     const SandboxLimits& limits) const;

 private:
  struct Files;
  Isolation isolation_;
  std::unique_ptr<const Files> files_;
};

}  // namespace fathom::eval
