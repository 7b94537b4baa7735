// The system calls that a program in the sandbox is denied, as a seccomp filter (libseccomp).
#pragma once

#include <linux/filter.h>

#include <vector>

namespace fathom::eval {

// Denies what changes or leaves namespaces (mount, unshare, setns, clone with CLONE_NEW* flags),
// reads or stops other processes (ptrace, process_vm_*, kcmp), reaches the kernel's larger
// interfaces (bpf, perf, io_uring, userfaultfd, keyrings, modules), memory that no process is charged
// for (memfd_create, System V segments) and sockets: all fail with EPERM. clone3, whose flags a
// filter cannot read, fails with ENOSYS, so that libraries use clone. Throws a run-time Error when
// libseccomp cannot build the filter.
std::vector<sock_filter> syscall_filter();

}  // namespace fathom::eval
