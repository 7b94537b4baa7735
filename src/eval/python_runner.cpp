#include "eval/python_runner.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>

#include "core/error.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

// Reads the secret and the program, runs it with no globals, as lm-evaluation-harness does, and
// writes the secret.
constexpr const char* driver =
    "import os\n"
    "with os.fdopen(3, 'rb') as file:\n"
    "  secret = file.readline()\n"
    "  program = file.read()\n"
    "exec(compile(program, '<program>', 'exec'), {})\n"
    "os.write(4, secret)\n";

// What must fail in a sandbox. Prints the first thing that does not.
constexpr const char* trial = R"(
import ctypes, os, signal, socket

def kept(action):
  try:
    return action() == -1
  except OSError:
    return True

def endless_processes():
  for _ in range(200):
    if os.fork() == 0:
      signal.pause()

libc = ctypes.CDLL(None)
for name, action in (
    ("the network", socket.socket),
    ("writing beside its folder", lambda: open("/usr/fathom-trial", "w")),
    ("writing into the root", lambda: open("/fathom-trial", "w")),
    ("the machine's processes", lambda: -1 if os.getpid() < 9 else 0),
    ("the machine's files", lambda: open("/etc/passwd")),
    ("namespaces of its own", lambda: libc.unshare(0x10000000)),
    ("ptrace", lambda: libc.ptrace(0, 0, 0, 0)),
    ("endless processes", endless_processes)):
  if not kept(action):
    raise SystemExit(name)
)";

std::string secret() {
  std::array<std::uint64_t, 2> numbers{};
  if (getrandom(numbers.data(), sizeof(numbers), 0) != sizeof(numbers)) fail_runtime("no random numbers");
  return fmt::format("{:016x}{:016x}\n", numbers[0], numbers[1]);
}

struct CloseCommand {
  void operator()(FILE* file) const { pclose(file); }
};

std::string shell_quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, CloseCommand> file(popen(command.c_str(), "r"));
  std::string text;
  char buffer[1024];
  while (file) {
    const std::size_t count = std::fread(buffer, 1, sizeof(buffer), file.get());
    if (count == 0) break;
    text.append(buffer, count);
  }
  return text;
}

// The last line that is not empty.
std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  text = text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  utf8::replace_invalid(text);
  return text;
}

}  // namespace

PythonRunner::Python PythonRunner::find(const std::string& name) {
  // A name may stand for a script that starts another Python. Its paths may lead over links.
  const std::string ask =
      "import os, sys; paths = (sys.base_prefix, sys.prefix, sys.executable); "
      "print(sys.executable, *paths, *map(os.path.realpath, paths), sep='\\n')";
  const std::string text =
      output_of(shell_quoted(name) + " -c " + shell_quoted(ask) + " 2>/dev/null </dev/null");
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (lines.size() != 7 || !lines[0].starts_with('/')) {
    fail_input("'{}' is no Python 3: give the path of one with --python", name);
  }
  Python found{lines[0], {}};
  std::copy_if(lines.begin() + 1, lines.end(), std::back_inserter(found.files),
               [](const std::string& path) { return path != "/"; });
  return found;
}

PythonRunner::PythonRunner(const std::string& python, Isolation isolation)
    : python_(find(python)), sandbox_(isolation, python_.files) {
  if (isolation == Isolation::full) try_isolation();
}

void PythonRunner::try_isolation() const {
  const Verdict verdict = check(trial, {.seconds = 30});
  if (verdict.passed) return;
  fail_runtime("programs cannot be isolated on this machine: the sandbox does not keep them from {}", verdict.reason);
}

std::shared_lock<std::shared_mutex> PythonRunner::together() const {
  const std::lock_guard turn(turn_);
  return std::shared_lock(running_);
}

std::unique_lock<std::shared_mutex> PythonRunner::alone() const {
  const std::lock_guard turn(turn_);
  return std::unique_lock(running_);
}

namespace {

// Whether other work kept the program waiting, which it would not alone: it was awake for a tenth of
// its time without a processor. One that sleeps waits for nobody.
bool starved(const ProgramOutcome& outcome, const SandboxLimits& limits) {
  return outcome.end == ProgramOutcome::End::out_of_time && outcome.cpu_seconds < limits.seconds / 2 &&
         outcome.awake_seconds - outcome.cpu_seconds > limits.seconds / 10;
}

}  // namespace

ProgramOutcome PythonRunner::run(const std::string& input, const SandboxLimits& limits) const {
  const auto once = [&] { return sandbox_.run({python_.path, "-I", "-B", "-c", driver}, input, limits); };
  {
    const auto turn = together();
    ProgramOutcome outcome = once();
    if (!starved(outcome, limits)) return outcome;
  }
  const auto turn = alone();
  return once();
}

PythonRunner::Verdict PythonRunner::check(const std::string& program, const SandboxLimits& limits) const {
  const std::string number = secret();
  const ProgramOutcome outcome = run(number + program, limits);
  switch (outcome.end) {
    case ProgramOutcome::End::out_of_time:
      return {false, fmt::format("took more than {} s", limits.seconds)};
    case ProgramOutcome::End::out_of_memory:
      return {false, "took more than its memory"};
    case ProgramOutcome::End::killed:
      return {false, fmt::format("ended by signal {}", strsignal(outcome.number))};
    case ProgramOutcome::End::exited:
      break;
  }
  if (outcome.verdict == number) return {true, "passed"};
  if (outcome.number == 0) return {false, "exited before its end"};
  return {false, last_line(outcome.output)};
}

}  // namespace fathom::eval
