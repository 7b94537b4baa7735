#include "eval/syscall_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/error.h"

namespace fathom::eval {
namespace {

struct Releaser {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Releaser>;

constexpr const char* denied_calls[] = {
    // namespaces and mounts
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "name_to_handle_at", "open_by_handle_at",
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_open", "pidfd_getfd",
    "process_madvise", "process_mrelease",
    // large interfaces of the kernel
    "bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd",
    "keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module", "kexec_load",
    "kexec_file_load", "fanotify_init", "quotactl", "swapon", "swapoff", "reboot", "syslog", "acct",
    // memory outside of the limits of a process
    "memfd_create", "memfd_secret", "shmget", "shmat", "msgget", "semget", "mq_open",
    // network
    "socket", "connect", "bind", "listen", "accept", "accept4"};

void deny(void* filter, const char* name, int error) {
  const int call = seccomp_syscall_resolve_name(name);
  // A call that this machine or library does not know cannot be made by name either.
  if (call == __NR_SCMP_ERROR) return;
  const int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call, 0);
  if (result < 0 && result != -EDOM) fail_runtime("seccomp: no rule for {}: {}", name, std::strerror(-result));
}

void deny_if(void* filter, const char* name, const scmp_arg_cmp& argument) {
  const int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name), 1, argument);
  if (result < 0) fail_runtime("seccomp: no rule for {}: {}", name, std::strerror(-result));
}

}  // namespace

std::vector<sock_filter> syscall_filter() {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) fail_runtime("seccomp: no filter can be made");
  for (const char* name : denied_calls) deny(filter.get(), name, EPERM);
  deny(filter.get(), "clone3", ENOSYS);
  for (const int flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
                                   CLONE_NEWUTS, CLONE_NEWCGROUP}) {
    deny_if(filter.get(), "clone", SCMP_A0_64(SCMP_CMP_MASKED_EQ, static_cast<unsigned>(flag), static_cast<unsigned>(flag)));
  }
  // The limits of other processes, such as the sandbox's first one.
  deny_if(filter.get(), "prlimit64", SCMP_A0_32(SCMP_CMP_NE, 0));
  // libseccomp 2.5 writes a filter into a file only.
  const int file = memfd_create("filter", MFD_CLOEXEC);
  if (file < 0 || seccomp_export_bpf(filter.get(), file) < 0) fail_runtime("seccomp: the filter cannot be written");
  const auto bytes = static_cast<std::size_t>(lseek(file, 0, SEEK_END));
  std::vector<sock_filter> program(bytes / sizeof(sock_filter));
  const bool whole = pread(file, program.data(), bytes, 0) == static_cast<ssize_t>(bytes);
  close(file);
  if (!whole || program.empty()) fail_runtime("seccomp: the filter cannot be read back");
  return program;
}

}  // namespace fathom::eval
