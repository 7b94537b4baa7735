// Disabled tests of this executable, run in a process of their own.
#pragma once

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

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
  const char* arguments[] = {"core_test", matching.c_str(), "--gtest_also_run_disabled_tests",
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

// What lies in a pipe, or at our end of a terminal, that a child has written into.
inline std::string read_available(int file) {
  std::string text(1 << 16, '\0');
  const ssize_t bytes = read(file, text.data(), text.size());
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}

}  // namespace fathom::test
