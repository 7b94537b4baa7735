// Checks Python programs by running them in the sandbox.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "eval/sandbox.h"

namespace fathom::eval {

class PythonRunner {
 public:
  // `python`: a path, or a name to find in $PATH. Tries the isolation: a program that does what it
  // must not be able to. Throws an input Error when there is no Python 3, and a run-time Error that
  // names what the machine cannot keep from a program.
  PythonRunner(const std::string& python, Isolation isolation);

  struct Verdict {
    bool passed = false;
    std::string reason;  // "passed", or the end of the program's output, or which limit it met
  };
  // Passed: the program ran to its end without an exception. An exit, with any code, is none: what
  // counts is a line with a secret number, written after the program. (A program that looks for that
  // number in its own process can write it too.) Any thread may call it. A program whose time ran out
  // though it took less than half of it on processors, and did not sleep either, runs again, alone:
  // other programs, or the machine's other work, have kept it waiting. Throws as Sandbox::run().
  Verdict check(const std::string& program, const SandboxLimits& limits) const;

 private:
  struct Python {
    std::string path;                // absolute
    std::vector<std::string> files;  // folders of its library, and itself
  };
  static Python find(const std::string& name);
  void try_isolation() const;

  ProgramOutcome run(const std::string& input, const SandboxLimits& limits) const;
  // Programs run together until one is to run alone. It waits for them, and later ones for it.
  std::shared_lock<std::shared_mutex> together() const;
  std::unique_lock<std::shared_mutex> alone() const;

  Python python_;
  Sandbox sandbox_;
  mutable std::mutex turn_;
  mutable std::shared_mutex running_;
};

}  // namespace fathom::eval
