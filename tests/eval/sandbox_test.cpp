// Programs that try to break out of the sandbox, or to outlive it.
#include "eval/sandbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "eval/python_runner.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// One for all tests. Empty where the machine has no Python or cannot isolate programs.
const PythonRunner* runner(std::string* reason = nullptr) {
  static std::string why;
  static const std::unique_ptr<const PythonRunner> one = []() -> std::unique_ptr<const PythonRunner> {
    try {
      return std::make_unique<const PythonRunner>("python3", Isolation::full);
    } catch (const Error& error) {
      why = error.what();
      return nullptr;
    }
  }();
  if (reason) *reason = why;
  return one.get();
}

class SandboxedPrograms : public testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (runner(&reason)) return;
    // Where isolation is there but does not hold, the trial program has found a fault.
    ASSERT_THAT(reason, testing::Not(HasSubstr("does not keep them from")));
    GTEST_SKIP() << reason;
  }
  static PythonRunner::Verdict check(const std::string& program, SandboxLimits limits = {.seconds = 20}) {
    return runner()->check(program, limits);
  }
};

// How many processes of the machine have the word in their command line.
int processes_with(const std::string& word) {
  int count = 0;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", ignored)) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    count += line.find(word) != std::string::npos;
  }
  return count;
}

bool becomes(int wanted, const std::string& word) {
  for (int i = 0; i < 500; ++i) {
    if (processes_with(word) == wanted) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

TEST_F(SandboxedPrograms, PassWhenTheyRunToTheirEnd) {
  EXPECT_EQ(check("assert 1 + 1 == 2\nprint('x')").reason, "passed");
  const auto wrong = check("def f(): return 3\nassert f() == 4, 'not four'");
  EXPECT_FALSE(wrong.passed);
  EXPECT_EQ(wrong.reason, "AssertionError: not four");
  EXPECT_THAT(check("def f(:").reason, HasSubstr("SyntaxError"));
}

// None of these is a pass, whatever its exit code says.
TEST_F(SandboxedPrograms, DoNotPassByExiting) {
  for (const char* program : {"import os; os._exit(0)", "raise SystemExit(0)", "quit()", "import sys; sys.exit()",
                              "import os; os.write(4, b'passed\\n'); os._exit(0)",
                              "import os; os.write(4, b'0' * 33); os._exit(0)"}) {
    const auto verdict = check(program);
    EXPECT_FALSE(verdict.passed) << program;
    EXPECT_EQ(verdict.reason, "exited before its end") << program;
  }
}

TEST_F(SandboxedPrograms, EndWithTheirTime) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* program : {"while True: pass", "import time\nwhile True:\n  try: time.sleep(60)\n  except: pass",
                              "import signal\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n"
                              "  except (OSError, ValueError): pass\nwhile True: pass"}) {
    EXPECT_EQ(check(program, {.seconds = 1}).reason, "took more than 1 s") << program;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(SandboxedPrograms, HaveNoMoreMemoryThanTheirs) {
  EXPECT_EQ(check("x = bytearray(2 << 30)").reason, "MemoryError");
  // Each process less than the limit, all of them more.
  const auto many = check("import os, time\n"
                          "for _ in range(8):\n"
                          "  if os.fork() == 0:\n"
                          "    x = b'x' * (100 << 20)\n"
                          "    time.sleep(60)\n"
                          "time.sleep(60)",
                          {.seconds = 30, .memory_bytes = std::size_t{300} << 20});
  EXPECT_EQ(many.reason, "took more than its memory");
  EXPECT_THAT(check("f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20)); f.flush()").reason,
              testing::AnyOf(HasSubstr("No space left"), HasSubstr("File too large"), HasSubstr("signal")));
}

TEST_F(SandboxedPrograms, CannotForkWithoutEnd) {
  const auto bomb = check("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", {.seconds = 1});
  EXPECT_EQ(bomb.reason, "took more than 1 s");
  // The number is that of the limit, and threads count.
  EXPECT_EQ(check("import os, signal\n"
                    "n = 1\n"
                    "try:\n"
                    "  while n < 1000:\n"
                    "    if os.fork() == 0: signal.pause()\n"
                    "    n += 1\n"
                    "except BlockingIOError: pass\n"
                    "assert n <= 8, n",
                    {.seconds = 20, .processes = 8}).reason, "passed");
}

TEST_F(SandboxedPrograms, LeaveNoProcess) {
  const std::string word = "fathom-sandbox-child-" + std::to_string(getpid());
  EXPECT_EQ(check("import subprocess, sys\n"
                    "for _ in range(3):\n"
                    "  subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)', '" + word + "'],\n"
                    "                   start_new_session=True)").reason, "passed");
  EXPECT_TRUE(becomes(0, word));
}

TEST_F(SandboxedPrograms, CannotWriteBesideTheirFolder) {
  EXPECT_EQ(check("import os\n"
                    "open('own', 'w').write('x')\n"
                    "for path in ('/', '/usr', '/etc/ld.so.cache'):\n"
                    "  assert os.statvfs(path).f_flag & os.ST_RDONLY, path\n"
                    "os.symlink('/usr', 'link')\n"
                    "for path in ('/x', '/usr/x', '/dev/x', 'link/x', '../x', '/work/../x', '/usr/bin/python3'):\n"
                    "  try: open(path, 'w')\n"
                    "  except OSError: continue\n"
                    "  raise AssertionError(path)\n").reason, "passed");
}

TEST_F(SandboxedPrograms, SeeNothingOfTheMachine) {
  const test::TempDir dir;
  test::write_file(dir / "secret", "x");
  setenv("SECRET", "x", 1);
  const int secret = open((dir / "secret").c_str(), O_RDONLY);  // without O_CLOEXEC
  ASSERT_GE(secret, 0);
  EXPECT_EQ(check("import os\n"
                    "os.symlink('" + (dir / "secret") + "', 'link')\n"
                    "for path in ('" + (dir / "secret") + "', 'link', '/etc/passwd', '/var', '/home', '/proc/1', '/sys'):\n"
                    "  assert not os.path.exists(path), path\n"
                    "assert os.getpid() < 10\n"
                    "assert 'SECRET' not in os.environ\n"
                    "for file in [3, *range(5, 256)]:\n"
                    "  try: os.fstat(file)\n"
                    "  except OSError: continue\n"
                    "  raise AssertionError(file)\n").reason, "passed");
  close(secret);
  unsetenv("SECRET");
}

TEST_F(SandboxedPrograms, HaveNoNetworkAndNoPtrace) {
  EXPECT_EQ(check("import ctypes, os, socket\n"
                    "for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):\n"
                    "  for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):\n"
                    "    try: socket.socket(family, kind)\n"
                    "    except OSError: continue\n"
                    "    raise AssertionError((family, kind))\n"
                    "libc = ctypes.CDLL(None, use_errno=True)\n"
                    "child = os.fork()\n"
                    "if child == 0:\n"
                    "  import time; time.sleep(60)\n"
                    "assert libc.ptrace(16, child, 0, 0) == -1 and ctypes.get_errno() == 1\n"     // PTRACE_ATTACH
                    "assert libc.ptrace(16, 1, 0, 0) == -1 and ctypes.get_errno() == 1\n"
                    "for flags in (0x10000000, 0x00020000, 0x20000000, 0x40000000):\n"
                    "  assert libc.unshare(flags) == -1, flags\n"
                    "assert libc.mount(b'tmpfs', b'/work', b'tmpfs', 0, None) == -1\n"
                    "assert libc.chroot(b'/work') == -1\n"
                    "assert libc.syscall(319, b'x', 0) == -1\n"                                   // memfd_create
                    "assert libc.syscall(425, 1, 0) == -1\n").reason, "passed");                            // io_uring_setup
}

TEST_F(SandboxedPrograms, HaveNoPrivileges) {
  EXPECT_EQ(check("import os\n"
                    "assert os.getuid() == 1000 and os.geteuid() == 1000 and os.getgroups() in ([], [65534])\n"
                    "for act in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.nice(-5)):\n"
                    "  try: act()\n"
                    "  except OSError: continue\n"
                    "  raise AssertionError('privileged')\n").reason, "passed");
}

TEST_F(SandboxedPrograms, MayWriteWithoutEnd) {
  const Sandbox sandbox(Isolation::full);
  const ProgramOutcome outcome = sandbox.run({"/bin/sh", "-c", "while :; do echo 0123456789; done"}, "",
                                             {.seconds = 1, .output_bytes = 1000});
  EXPECT_EQ(outcome.end, ProgramOutcome::End::out_of_time);
  EXPECT_EQ(outcome.output.size(), 1000u);
}

TEST_F(SandboxedPrograms, EndWithTheParent) {
  const std::string word = "fathom-sandbox-orphan-" + std::to_string(getpid());
  const pid_t parent = fork();
  if (parent == 0) {
    Sandbox(Isolation::full).run({"/bin/sh", "-c", "sleep 3600 & sleep 3600", word}, "", {.seconds = 3600});
    _exit(0);
  }
  ASSERT_TRUE(becomes(1, word));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(becomes(0, word));
}

TEST_F(SandboxedPrograms, LeaveNothingAfterAThousand) {
  const auto open_files = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); };
  const Sandbox sandbox(Isolation::full);
  const auto before = open_files();
  std::atomic<int> good = 0, next = 0;
  const auto work = [&] {
    while (next++ < 1000) {
      const ProgramOutcome outcome = sandbox.run({"/bin/sh", "-c", "echo $((6 * 7)); exit 7"}, "", {.seconds = 60});
      good += outcome.end == ProgramOutcome::End::exited && outcome.number == 7 && outcome.output == "42\n";
    }
  };
  {
    std::jthread other(work);
    work();
  }
  EXPECT_EQ(good, 1000);
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child is left
}

TEST(Sandbox, NamesTheStepThatFails) {
  const Sandbox sandbox(Isolation::limits_only);
  try {
    sandbox.run({"/no/such/program"}, "", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "sandbox: starting the program failed: No such file or directory");
    EXPECT_EQ(error.kind(), ErrorKind::runtime);
  }
}

TEST(Sandbox, WithLimitsOnlyStillEndsInTime) {
  const Sandbox sandbox(Isolation::limits_only);
  const std::string word = "fathom-sandbox-limits-" + std::to_string(getpid());
  const ProgramOutcome outcome = sandbox.run({"/bin/sh", "-c", "sleep 3600 & sleep 3600", word}, "", {.seconds = 0.3});
  EXPECT_EQ(outcome.end, ProgramOutcome::End::out_of_time);
  EXPECT_TRUE(becomes(0, word));
}

// Descriptors of the child get numbers from 0 to 6, whatever numbers they had.
TEST(Sandbox, WorksWithAnyNumberOfOpenFiles) {
  const Sandbox sandbox(Isolation::limits_only);
  std::vector<int> opened;
  for (int i = 0; i < 130; ++i) {
    opened.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (i < 75) continue;
    const ProgramOutcome outcome = sandbox.run({"/bin/sh", "-c", "cat <&3; echo verdict >&4"}, "input", {.seconds = 60});
    EXPECT_EQ(outcome.output, "input") << i;
    EXPECT_EQ(outcome.verdict, "verdict\n") << i;
  }
  for (const int file : opened) close(file);
}

TEST(Sandbox, WithLimitsOnlyMayLoseItsFirstProcess) {
  const Sandbox sandbox(Isolation::limits_only);
  const ProgramOutcome outcome = sandbox.run({"/bin/sh", "-c", "kill -9 $PPID; sleep 60"}, "", {.seconds = 60});
  EXPECT_EQ(outcome.end, ProgramOutcome::End::killed);
  EXPECT_EQ(outcome.number, SIGKILL);
}

TEST(Sandbox, WithLimitsOnlyEndsWithTheParent) {
  const std::string seconds = "3600." + std::to_string(getpid());
  const pid_t parent = fork();
  if (parent == 0) {
    Sandbox(Isolation::limits_only).run({"/bin/sh", "-c", "sleep " + seconds + " & sleep " + seconds + "; :"}, "", {.seconds = 3600});
    _exit(0);
  }
  ASSERT_TRUE(becomes(3, seconds));  // the shell and two others
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(becomes(0, seconds));
}

// A program may be a copy of this one: here the test that hoards memory.
TEST(Sandbox, CountsTheMemoryOfAnyProgram) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's own memory is more than the limit";
#endif
  const Sandbox sandbox(Isolation::limits_only);
  const ProgramOutcome outcome =
      sandbox.run({fs::read_symlink("/proc/self/exe").string(), "--gtest_also_run_disabled_tests",
                   "--gtest_filter=Sandbox.DISABLED_HoardsMemory"}, "", {.seconds = 20, .memory_bytes = std::size_t{1} << 30});
  EXPECT_EQ(outcome.end, ProgramOutcome::End::out_of_memory) << outcome.output;
}

TEST(Sandbox, DISABLED_HoardsMemory) {
  const std::string much(std::size_t{400} << 20, 'x');
  fork();  // each process counts, also what they share
  fork();
  pause();
}

// On one processor sixteen programs of 0.2 s take more than two seconds together, and none does alone.
TEST(PythonPrograms, AreTriedAloneWhenOthersTookTheirTime) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i) {
    if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
  }
  const PythonRunner python("python3", Isolation::limits_only);
  std::atomic<int> passed = 0;
  sched_setaffinity(0, sizeof(one), &one);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        passed += python.check("import time\nwhile time.process_time() < 0.2: pass", {.seconds = 2}).passed;
      });
    }
  }
  sched_setaffinity(0, sizeof(all), &all);
  EXPECT_EQ(passed, 16);
}

// Also where programs cannot be isolated.
TEST(PythonPrograms, TellWhyTheyDoNotPass) {
  const PythonRunner python("python3", Isolation::limits_only);
  for (const auto& [program, reason] :
       {std::pair("x = 1", "passed"),
        {"raise ValueError('seven')", "ValueError: seven"},
        {"print('out', flush=True)\nassert 1 == 2, 'not\\ntwo\\n\\n'", "two"},
        {"import sys\nsys.stderr.write('a\\nb'); sys.stderr.flush(); sys.exit(3)", "b"},
        {"import sys\nsys.stdout.buffer.write(b'\\xff\\n\\n'); sys.exit(3)", "\ufffd"},
        {"import sys\nsys.exit(3)", ""},
        {"import sys\nsys.exit(0)", "exited before its end"},
        {"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended by signal Killed"}}) {
    const auto verdict = python.check(program, {.seconds = 60});
    EXPECT_EQ(verdict.reason, reason) << program;
    EXPECT_EQ(verdict.passed, verdict.reason == "passed") << program;
  }
}

TEST(Sandbox, KeepsTheFirstBytesOfTheOutput) {
  const Sandbox sandbox(Isolation::limits_only);
  const auto kept = [&](std::size_t most) {
    return sandbox
        .run({"/bin/sh", "-c",
              "printf 01234; printf 56789 >&2; i=0; while [ $i -lt 9 ]; do i=$((i+1)); printf x; "
              "done"},
             "", {.seconds = 60, .output_bytes = most})
        .output;
  };
  EXPECT_EQ(kept(0), "");
  EXPECT_EQ(kept(7), "0123456");
  EXPECT_EQ(kept(18), "0123456789xxxxxxxx");
  EXPECT_EQ(kept(19), "0123456789xxxxxxxxx");
  EXPECT_EQ(kept(20), "0123456789xxxxxxxxx");
}

// Nobody kept it waiting: alone it would take as long again.
TEST(PythonPrograms, ThatSleepAreTriedOnce) {
  const PythonRunner python("python3", Isolation::limits_only);
  for (const char* program : {"import time; time.sleep(60)", "import subprocess; subprocess.run(['sleep', '60'])"}) {
    const test::TempDir dir;
    const std::string note = fmt::format("open('{}', 'a').write('started ')\n", dir / "starts");
    EXPECT_EQ(python.check(note + program, {.seconds = 3}).reason, "took more than 3 s") << program;
    EXPECT_EQ(test::read_file(dir / "starts"), "started ") << program;
  }
}

TEST_F(SandboxedPrograms, RunWithAPythonBehindLinks) {
  std::string python;
  for (const char* path : {"/usr/local/bin/python3", "/usr/bin/python3"}) {
    if (fs::exists(path)) python = path;
  }
  if (python.empty()) GTEST_SKIP() << "no python3 below /usr";
  const test::TempDir dir;
  fs::create_symlink(python, dir / "second");
  fs::create_symlink("second", dir / "first");
  fs::create_directory_symlink(fs::path(python).parent_path(), dir / "folder");
  for (const std::string& path : {dir / "first", dir / "folder/python3", std::string("/bin/python3")}) {
    if (!fs::exists(path)) continue;
    EXPECT_EQ(PythonRunner(path, Isolation::full).check("print(1)", {.seconds = 20}).reason, "passed") << path;
  }
}

TEST(PythonPrograms, NeedAWholeAnswer) {
  const test::TempDir dir;
  test::write_file(dir / "python", "#!/bin/sh\nprintf '/a\\nb'\n");
  fs::permissions(dir / "python", fs::perms::owner_all);
  EXPECT_THAT(test::input_error_of([&] { PythonRunner(dir / "python", Isolation::limits_only); }), HasSubstr("is no Python 3"));
}

TEST(PythonPrograms, NeedPython) {
  EXPECT_THAT(test::input_error_of([] { PythonRunner("/bin/false", Isolation::limits_only); }),
              HasSubstr("'/bin/false' is no Python 3"));
}

}  // namespace
}  // namespace fathom::eval
