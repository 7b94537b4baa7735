#include "eval/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "core/error.h"
#include "eval/process_usage.h"
#include "eval/sandbox_child.h"
#include "eval/syscall_filter.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int poll_milliseconds = 10;
constexpr std::size_t verdict_bytes = 4096;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }
  int get() const { return number_; }
  void reset() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

struct Pipe {
  Descriptor read, write;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail_runtime("sandbox: no pipe: {}", std::strerror(errno));
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
  }
};

Descriptor memory_file(const std::string& content) {
  Descriptor file(memfd_create("program", MFD_CLOEXEC));
  const bool written = file.get() >= 0 &&
                       write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                       lseek(file.get(), 0, SEEK_SET) == 0;
  if (!written) fail_runtime("sandbox: the program cannot be handed over: {}", std::strerror(errno));
  return file;
}

void write_mapping(long child, const char* name, const std::string& text) {
  std::ofstream file(fmt::format("/proc/{}/{}", child, name));
  file << text << std::flush;
  if (!file) fail_runtime("sandbox: /proc/PID/{} cannot be written", name);
}

// A user of the sandbox for this process's own, or, for root, for nobody's (65534).
void map_user(long child) {
  const bool root = geteuid() == 0;
  if (!root) write_mapping(child, "setgroups", "deny");
  const auto map = [&](unsigned own) {
    return root ? fmt::format("0 0 1\n{} 65534 1\n", sandbox_user) : fmt::format("{} {} 1\n", sandbox_user, own);
  };
  write_mapping(child, "gid_map", map(getegid()));
  write_mapping(child, "uid_map", map(geteuid()));
}

// Reads what is there; false at the end. Of more than `kept` bytes the rest is dropped.
bool take_from(int file, std::string& text, std::size_t kept) {
  char buffer[16384];
  const ssize_t count = read(file, buffer, sizeof(buffer));
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  text.append(buffer, std::min(static_cast<std::size_t>(count), kept - std::min(kept, text.size())));
  return count > 0;
}

// A child that is killed, with all that it started, when this goes out of scope.
class Child {
 public:
  Child(long process, bool group) : process_(process), group_(group) {}
  ~Child() { stop(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  long process() const { return process_; }
  void stop() {
    if (process_ <= 0) return;
    const auto id = static_cast<pid_t>(process_);
    if (group_) kill(-id, SIGKILL);
    kill(id, SIGKILL);
    while (waitpid(id, nullptr, __WALL) < 0 && errno == EINTR) {
    }
    process_ = 0;
  }

 private:
  long process_;
  bool group_;
};

}  // namespace

// What the new root shows, found once.
struct Sandbox::Files {
  std::vector<std::string> directories;
  std::vector<ChildPlan::Shown> shown;
  std::vector<ChildPlan::Link> links;
  std::vector<sock_filter> filter;

  explicit Files(const std::vector<std::string>& more) {
    make_directory("/dev");
    make_directory("/work");
    for (const char* path : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache"}) show(path);
    for (const std::string& path : more) show(path);
    for (const char* path : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}) show(path, true);
    filter = syscall_filter();
  }

 private:
  static std::string inside(const std::string& path) { return new_root + path; }
  void make_directory(const fs::path& path) {
    if (!path.has_relative_path() || !made_.insert(path.string()).second) return;
    make_directory(path.parent_path());
    directories.push_back(inside(path.string()));
  }
  bool is_shown(const std::string& path) const {
    return std::ranges::any_of(shown, [&](const ChildPlan::Shown& one) {
      return one.directory && path.starts_with(one.source + "/");
    });
  }
  // Of a link also what it leads to.
  void show(const std::string& path, bool writable = false) {
    if (!made_shown_.insert(path).second) return;
    std::error_code none;
    const fs::path parent = fs::path(path).parent_path();
    // Below a directory that is a link: the link, and the path that it leads to.
    for (fs::path above = parent; above.has_relative_path(); above = above.parent_path()) {
      if (!fs::is_symlink(above, none)) continue;
      show(above.string());
      const fs::path real = above.parent_path() / fs::read_symlink(above);
      const fs::path below = fs::path(path).lexically_relative(above);
      return show((real / below).lexically_normal().string(), writable);
    }
    if (fs::is_symlink(path, none)) {
      const fs::path target = fs::read_symlink(path);
      if (!is_shown(path)) {
        make_directory(parent);
        links.push_back({target.string(), inside(path)});
      }
      return show((parent / target).lexically_normal().string(), writable);
    }
    if (is_shown(path) || !fs::exists(path, none)) return;
    const bool directory = fs::is_directory(path, none);
    make_directory(directory ? fs::path(path) : parent);
    shown.push_back({path, inside(path), directory, writable});
  }
  std::set<std::string> made_, made_shown_;
};

Sandbox::Sandbox(Isolation isolation, std::vector<std::string> shown)
    : isolation_(isolation), files_(std::make_unique<Files>(shown)) {}

Sandbox::~Sandbox() = default;

namespace {

// The parent's side of one run.
class Run {
 public:
  Run(ChildPlan plan, const std::string& input, const SandboxLimits& limits)
      : plan_(std::move(plan)), limits_(limits), program_(memory_file(input)) {
    plan_.go = go_.read.get();
    plan_.output = output_.write.get();
    plan_.verdict = verdict_.write.get();
    plan_.status = status_.write.get();
    plan_.started = started_.write.get();
    plan_.program = program_.get();
  }

  ProgramOutcome outcome() {
    const int namespaces = plan_.isolated ? CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                                CLONE_NEWUTS
                                          : 0;
    const auto flags = static_cast<unsigned long>(namespaces | SIGCHLD);
    const long process = syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (process < 0) {
      fail_runtime("sandbox: the kernel gives no namespaces: {}{}", std::strerror(errno),
                   errno == EPERM || errno == ENOSPC
                       ? " (see kernel.unprivileged_userns_clone and user.max_user_namespaces of sysctl)" : "");
    }
    if (process == 0) {
      close(go_.write.get());  // else it would keep itself alive
      run_child(plan_);
    }
    child_.emplace(process, !plan_.isolated);
    if (plan_.isolated) map_user(process);
    for (Pipe* pipe : {&output_, &verdict_, &status_, &started_}) pipe->write.reset();
    go_.read.reset();
    start_ = Clock::now();
    if (write(go_.write.get(), "g", 1) != 1) fail_runtime("sandbox: the program cannot be started");
    watch();
    child_->stop();
    drain();
    if (!ended_) conclude();
    result_.seconds = seconds();
    return std::move(result_);
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  // Until the program has ended, or must.
  void watch() {
    Clock::time_point looked = start_;
    for (bool open_output = true, open_verdict = true, started = false;;) {
      pollfd files[] = {{status_.read.get(), POLLIN, 0},
                        {open_output ? output_.read.get() : -1, POLLIN, 0},
                        {open_verdict ? verdict_.read.get() : -1, POLLIN, 0},
                        {started ? -1 : started_.read.get(), POLLIN, 0}};
      poll(files, std::size(files), poll_milliseconds);
      if (files[1].revents) open_output = take_from(output_.read.get(), result_.output, limits_.output_bytes);
      if (files[2].revents) open_verdict = take_from(verdict_.read.get(), result_.verdict, verdict_bytes);
      if (files[3].revents) started = true;
      if (files[0].revents) return;
      if (seconds() > limits_.seconds) return end_by(ProgramOutcome::End::out_of_time);
      if (Clock::now() - looked < std::chrono::milliseconds(poll_milliseconds)) continue;
      looked = Clock::now();
      ++looks_;
      // Until then the sandbox is made.
      if (!started || awake_below(child_->process())) ++awake_;
      // A child that has not started its program shares this process's memory.
      if (started && memory_below(child_->process()) > limits_.memory_bytes) return end_by(ProgramOutcome::End::out_of_memory);
    }
  }
  void end_by(ProgramOutcome::End end) {
    result_.cpu_seconds = cpu_seconds_below(child_->process());
    if (looks_ > 0) result_.awake_seconds = seconds() * awake_ / looks_;
    result_.end = end;
    ended_ = true;
  }

  // What the program wrote before it ended.
  void drain() {
    for (const int file : {output_.read.get(), verdict_.read.get()}) fcntl(file, F_SETFL, O_NONBLOCK);
    const auto more = [](int file) {
      pollfd one{file, POLLIN, 0};
      return poll(&one, 1, 0) > 0 && (one.revents & POLLIN);
    };
    // A process that left an unisolated run may write for ever.
    for (int i = 0; i < 64 && more(output_.read.get()); ++i) take_from(output_.read.get(), result_.output, limits_.output_bytes);
    for (int i = 0; i < 2 && more(verdict_.read.get()); ++i) take_from(verdict_.read.get(), result_.verdict, verdict_bytes);
  }

  void conclude() {
    ChildReport report;
    if (read(status_.read.get(), &report, sizeof(report)) != sizeof(report)) {
      if (!plan_.isolated) {  // the program can kill it
        result_.end = ProgramOutcome::End::killed;
        result_.number = SIGKILL;
        return;
      }
      fail_runtime("sandbox: its first process ended without a report");
    }
    if (report.kind == ChildReport::Kind::failed) {
      fail_runtime("sandbox: {} failed: {}", child_step_name(report.step), std::strerror(report.number));
    }
    const bool exited = WIFEXITED(report.number);
    result_.end = exited ? ProgramOutcome::End::exited : ProgramOutcome::End::killed;
    result_.number = exited ? WEXITSTATUS(report.number) : WTERMSIG(report.number);
  }

  ChildPlan plan_;
  const SandboxLimits& limits_;
  Descriptor program_;
  Pipe go_, output_, verdict_, status_, started_;
  std::optional<Child> child_;
  Clock::time_point start_;
  ProgramOutcome result_;
  bool ended_ = false;
  int looks_ = 0, awake_ = 0;  // while it runs
};

}  // namespace

ProgramOutcome Sandbox::run(const std::vector<std::string>& arguments, const std::string& input,
                            const SandboxLimits& limits) const {
  ChildPlan plan;
  plan.isolated = isolation_ == Isolation::full;
  plan.directories = files_->directories;
  plan.shown = files_->shown;
  plan.links = files_->links;
  plan.filter = files_->filter;
  plan.root_options = "mode=755,size=1m";
  plan.work_options = fmt::format("mode=700,uid={0},gid={0},size={1},nr_inodes=4096", sandbox_user, limits.folder_bytes);
  plan.cpu_seconds = static_cast<std::uint64_t>(std::ceil(limits.seconds)) + 1;
  plan.memory_bytes = limits.memory_bytes;
  plan.file_bytes = limits.folder_bytes;
  plan.processes = static_cast<std::uint64_t>(limits.processes) + 1;  // the sandbox's first one is another
  plan.files = static_cast<std::uint64_t>(limits.files);
  for (const std::string& argument : arguments) plan.arguments.push_back(argument.c_str());
  plan.arguments.push_back(nullptr);
  for (const char* variable : {"PATH=/usr/bin:/bin", "HOME=/work", "TMPDIR=/work", "LANG=C.UTF-8"}) {
    plan.environment.push_back(variable);
  }
  plan.environment.push_back(nullptr);
  return Run(std::move(plan), input, limits).outcome();
}

}  // namespace fathom::eval
