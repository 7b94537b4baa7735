// Runs the built binary as a user would, to its end or to a signal.
#pragma once

#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/temp_dir.h"

namespace fathom::test {

struct Outcome {
  int code = -1;     // exit code; −1: ended by a signal
  int signal = 0;    // that signal
  long peak_kb = 0;  // most resident memory
  std::string out, err;
};

// A running fathom. Killed when nobody waited for it.
class Process {
 public:
  // Whether the arguments follow fathom, or begin with a program of their own.
  enum class Program { fathom, any };
  // Writing past `file_bytes` fails, as on a full disk.
  Process(const TempDir& dir, std::vector<std::string> arguments, rlim_t file_bytes = RLIM_INFINITY)
      : Process(dir, std::move(arguments), Program::fathom, file_bytes) {}
  Process(const TempDir& dir, std::vector<std::string> arguments, Program program,
          rlim_t file_bytes = RLIM_INFINITY)
      : out_(dir / "stdout"), err_(dir / "stderr") {
    if (program == Program::fathom) arguments.insert(arguments.begin(), FATHOM_BINARY);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      redirect("/dev/null", O_RDONLY, STDIN_FILENO);
      redirect(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
      redirect(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
      if (file_bytes != RLIM_INFINITY) {
        const rlimit limit{file_bytes, file_bytes};
        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_IGN);
      }
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal) const { ::kill(pid_, signal); }
  bool running() const {
    siginfo_t ended{};
    waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT);
    return ended.si_pid == 0;
  }
  // Waits until `holds()`; false when the process ended before. Generous with time: it
  // is what a loaded machine needs, and nobody waits for it elsewhere.
  template <class Condition>
  bool until(Condition holds, std::chrono::seconds limit = std::chrono::seconds(300)) const {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
      if (!running() || std::chrono::steady_clock::now() > end) return holds();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  Outcome wait() {
    int status = 0;
    rusage usage{};
    wait4(std::exchange(pid_, -1), &status, 0, &usage);
    Outcome outcome;
    if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
    outcome.peak_kb = usage.ru_maxrss;
    outcome.out = read_file(out_);
    outcome.err = read_file(err_);
    return outcome;
  }

 private:
  static void redirect(const char* path, int flags, int to) { dup2(open(path, flags, 0666), to); }

  std::string out_, err_;
  pid_t pid_ = -1;
};

inline Outcome run_fathom(const TempDir& dir, std::vector<std::string> arguments,
                          rlim_t file_bytes = RLIM_INFINITY) {
  return Process(dir, std::move(arguments), file_bytes).wait();
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace fathom::test
