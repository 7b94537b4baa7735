#include "eval/sandbox_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace fathom::eval {
namespace {

enum Step : std::int32_t {
  mapped, private_mounts, root_mount, directory, show, protect, link_step, work_mount, pivot, leave, seal,
  user, privileges, fork_step, limits, descriptors, filter_step, execute
};

void report(const ChildPlan& plan, ChildReport::Kind kind, std::int32_t step, std::int32_t number) {
  const ChildReport message{kind, step, number};
  (void)!write(plan.status, &message, sizeof(message));
}

[[noreturn]] void fail(const ChildPlan& plan, Step step) {
  report(plan, ChildReport::Kind::failed, step, errno);
  _exit(1);
}

void check(const ChildPlan& plan, bool done, Step step) {
  if (!done) fail(plan, step);
}

void show_one(const ChildPlan& plan, const ChildPlan::Shown& shown) {
  if (!shown.directory) {
    const int file = open(shown.target.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    check(plan, file >= 0, show);
    close(file);
  }
  check(plan, mount(shown.source.c_str(), shown.target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, show);
  if (shown.writable) return;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  check(plan, syscall(SYS_mount_setattr, AT_FDCWD, shown.target.c_str(), AT_RECURSIVE, &attributes,
                      sizeof(attributes)) == 0, protect);
}

// A root of tmpfs that shows parts of the machine's files, read-only, and has a small /work.
void change_root(const ChildPlan& plan) {
  check(plan, mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, private_mounts);
  check(plan, mount("tmpfs", new_root, "tmpfs", MS_NOSUID | MS_NODEV, plan.root_options.c_str()) == 0, root_mount);
  umask(022);
  for (const std::string& path : plan.directories) {
    check(plan, mkdir(path.c_str(), 0755) == 0 || errno == EEXIST, directory);
  }
  for (const ChildPlan::Shown& shown : plan.shown) show_one(plan, shown);
  for (const ChildPlan::Link& made : plan.links) {
    check(plan, symlink(made.target.c_str(), made.path.c_str()) == 0, link_step);
  }
  check(plan, chdir(new_root) == 0 && mount("tmpfs", "work", "tmpfs", MS_NOSUID | MS_NODEV,
                                            plan.work_options.c_str()) == 0, work_mount);
  check(plan, syscall(SYS_pivot_root, ".", ".") == 0, pivot);
  check(plan, umount2(".", MNT_DETACH) == 0 && chdir("/work") == 0, leave);
  check(plan, mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) == 0, seal);
}

void become_user(const ChildPlan& plan) {
  const bool was_root = geteuid() == 0;
  if (was_root) check(plan, syscall(SYS_setgroups, 0, nullptr) == 0, user);
  check(plan, syscall(SYS_setresgid, sandbox_user, sandbox_user, sandbox_user) == 0, user);
  check(plan, syscall(SYS_setresuid, sandbox_user, sandbox_user, sandbox_user) == 0, user);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  check(plan, syscall(SYS_capset, &header, none) == 0, privileges);
}

void set_limit(const ChildPlan& plan, int resource, std::uint64_t value) {
  // Limits are lowered only: a smaller one of the user's own stays.
  rlimit limit{};
  check(plan, syscall(SYS_prlimit64, 0, resource, nullptr, &limit) == 0, limits);
  if (limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max) limit.rlim_max = value;
  limit.rlim_cur = limit.rlim_max;
  check(plan, syscall(SYS_prlimit64, 0, resource, &limit, nullptr) == 0, limits);
}

// `first`: the sandbox's first process, whose child this is.
[[noreturn]] void execute_program(const ChildPlan& plan, pid_t first) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != first) _exit(1);  // it ended before
  if (plan.isolated) setsid();
  set_limit(plan, RLIMIT_CPU, plan.cpu_seconds);
  set_limit(plan, RLIMIT_AS, plan.memory_bytes);
  set_limit(plan, RLIMIT_FSIZE, plan.file_bytes);
  set_limit(plan, RLIMIT_CORE, 0);
  if (plan.isolated) set_limit(plan, RLIMIT_NPROC, plan.processes);
  // Copied to free numbers first, for one may have the number that another is to get. The last two
  // are closed by the program's start.
  constexpr int count = 7, kept = 5;
  const int null = open("/dev/null", O_RDONLY);
  const int sources[count] = {null, plan.output, plan.output, plan.program, plan.verdict, plan.status, plan.started};
  int copies[count];
  for (int i = 0; i < count; ++i) {
    copies[i] = fcntl(sources[i], F_DUPFD, count);
    check(plan, copies[i] >= 0, descriptors);
  }
  for (int i = 0; i < count; ++i) check(plan, dup3(copies[i], i, i < kept ? 0 : O_CLOEXEC) >= 0, descriptors);
  check(plan, syscall(SYS_close_range, static_cast<unsigned>(count), ~0U, 0U) == 0, descriptors);
  const auto tell = [](Step step) {
    const ChildReport message{ChildReport::Kind::failed, step, errno};
    (void)!write(5, &message, sizeof(message));
    _exit(1);
  };
  const rlimit files{plan.files, plan.files};
  if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, nullptr) != 0) tell(limits);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) tell(privileges);
  if (plan.isolated) {
    const sock_fprog program{static_cast<unsigned short>(plan.filter.size()),
                             const_cast<sock_filter*>(plan.filter.data())};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) tell(filter_step);
  }
  execve(plan.arguments[0], const_cast<char* const*>(plan.arguments.data()),
         const_cast<char* const*>(plan.environment.data()));
  tell(execute);
  _exit(1);
}

}  // namespace

namespace {

void kill_group(int) { kill(0, SIGKILL); }

// A group of its own, which the parent can stop as a whole, and which ends when the parent does.
void lead_group() {
  setsid();
  struct sigaction action {};
  action.sa_handler = kill_group;
  sigaction(SIGTERM, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
}

}  // namespace

const char* child_step_name(std::int32_t step) {
  static constexpr const char* names[] = {
      "the user's mapping", "private mounts", "a root of tmpfs", "a directory of the new root",
      "showing the machine's files", "protecting them from writes", "a link of the new root",
      "a folder for work", "changing the root", "leaving the old root", "protecting the new root",
      "changing the user", "dropping privileges", "starting a process", "setting limits", "descriptors",
      "the filter of system calls", "starting the program"};
  return step >= 0 && step < static_cast<std::int32_t>(std::size(names)) ? names[step] : "an unknown step";
}

void run_child(const ChildPlan& plan) noexcept {
  // Before it waits: children of several runs hold each other's pipes, and would wait for each other.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  char byte = 0;
  if (read(plan.go, &byte, 1) != 1) _exit(1);
  if (plan.isolated) {
    change_root(plan);
    become_user(plan);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // the change of the user forgot it
  } else {
    lead_group();
  }
  pollfd parent{plan.go, 0, 0};
  if (poll(&parent, 1, 0) != 0) _exit(1);  // it ended before
  const pid_t first = getpid();
  const long program = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  check(plan, program >= 0, fork_step);
  if (program == 0) execute_program(plan, first);
  // This is process 1 of its namespace: when it ends, all others there do.
  const int kept = 3;
  dup2(plan.status, kept);
  syscall(SYS_close_range, 4U, ~0U, 0U);
  close(0), close(1), close(2);
  for (;;) {
    int status = 0;
    const long ended = syscall(SYS_wait4, -1, &status, __WALL, nullptr);
    if (ended < 0 && errno == EINTR) continue;
    if (ended >= 0 && ended != program) continue;
    const ChildReport message{ChildReport::Kind::exited, 0, status};
    (void)!write(kept, &message, sizeof(message));
    _exit(0);
  }
}

}  // namespace fathom::eval
