// Disabled tests of this executable, run in a process of their own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

extern char** environ;

namespace fathom::test {

// Runs those that match, with these files as standard output and error. Returns the status that
// waitpid() gives.
inline int run_disabled_tests(const std::string& filter, int output, int error) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
  const std::string matching = "--gtest_filter=" + filter;
  const char* arguments[] = {"tests", matching.c_str(), "--gtest_also_run_disabled_tests",
                             "--gtest_fail_fast=0",  // whatever the environment says
                             nullptr};
  pid_t child = 0;
  const int problem = posix_spawn(&child, "/proc/self/exe", &actions, nullptr,
                                  const_cast<char* const*>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(problem, 0);
  int status = -1;
  if (problem == 0) waitpid(child, &status, 0);
  return status;
}

// What lies in a pipe that a child has written into.
inline std::string read_available(int file) {
  std::string text(1 << 16, '\0');
  const ssize_t bytes = read(file, text.data(), text.size());
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}

// The rest of what was written at the other end of a terminal, which nobody has open any more. The
// kernel passes it on in parts, and some time after it was written.
inline std::string read_to_end(int terminal) {
  std::string text;
  char part[4096];
  for (ssize_t bytes; (bytes = read(terminal, part, sizeof part)) > 0;) {
    text.append(part, static_cast<std::size_t>(bytes));
  }
  return text;
}

// Runs them with standard error at `error`, and their standard output nowhere.
inline void run_with_error_at(int error, const std::string& filter) {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(run_disabled_tests(filter, nowhere, error), 0);
  close(nowhere);
}

// What they show on a terminal of this width (0: unknown) as their standard error.
inline std::string shown_on_terminal(const std::string& filter, unsigned short columns) {
  const int ours = posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_EQ(grantpt(ours), 0);
  EXPECT_EQ(unlockpt(ours), 0);
  const int theirs = open(ptsname(ours), O_RDWR | O_NOCTTY);
  EXPECT_GE(theirs, 0);
  const winsize size{24, columns, 0, 0};
  EXPECT_EQ(ioctl(ours, TIOCSWINSZ, &size), 0);
  run_with_error_at(theirs, filter);
  close(theirs);
  const std::string text = read_to_end(ours);
  close(ours);
  return text;
}

}  // namespace fathom::test
