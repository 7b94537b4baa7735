// A library to be preloaded into fathom that makes one call fail, on one rank, when its
// turn comes: FATHOM_FAULT="layer 2 500" fails rank 2's 500th matrix product, "disk 2 500"
// every write from rank 2's 500th on, as a full disk does. "exchange -1 0" refuses to
// exchange two names, in any process, as NFS does. And one that makes a disk slow:
// FATHOM_SLOW="open 4 weight.00001 fsync 2 model.tmp" lets a thread's first opening of each file
// whose path holds the first text take 4 seconds longer, and its first flush of each that holds
// the second 2, and says so. Fathom itself knows nothing of it.
#include <dlfcn.h>
#include <fcntl.h>
#include <oneapi/dnnl/dnnl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Fault {
  std::string kind;
  long rank = -1, call = 0;
  std::atomic<long> calls = 0;

  Fault() {
    const char* const wanted = std::getenv("FATHOM_FAULT");
    const char* const mine = std::getenv("OMPI_COMM_WORLD_RANK");
    std::istringstream stream(wanted ? wanted : "");
    stream >> kind >> rank >> call;
    if (rank >= 0 && (!mine || std::atol(mine) != rank)) kind.clear();
  }
  // How many calls of this kind there have been; 0: others are meant.
  long count(const char* of) { return kind == of ? ++calls : 0; }
};

Fault& fault() {
  static Fault one;
  return one;
}

class SlowDisk {
 public:
  SlowDisk() {
    const char* const wanted = std::getenv("FATHOM_SLOW");
    std::istringstream stream(wanted ? wanted : "");
    for (Rule rule; stream >> rule.call >> rule.seconds >> rule.text;) rules_.push_back(rule);
  }
  bool any() const { return !rules_.empty(); }
  // Waits when it is this thread's first such call on this file.
  void wait(const char* call, const std::string& path) {
    for (const Rule& rule : rules_) {
      if (rule.call != call || path.find(rule.text) == std::string::npos) continue;
      {
        const std::lock_guard lock(mutex_);
        if (!seen_.insert({call + path, std::this_thread::get_id()}).second) return;
      }
      std::fprintf(stderr, "a slow %s: %s\n", call, path.c_str());
      std::this_thread::sleep_for(std::chrono::duration<double>(rule.seconds));
    }
  }

 private:
  struct Rule {
    std::string call, text;
    double seconds = 0;
  };
  std::vector<Rule> rules_;
  std::mutex mutex_;
  std::set<std::pair<std::string, std::thread::id>> seen_;
};

SlowDisk& slow_disk() {
  static SlowDisk one;
  return one;
}

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" dnnl_status_t dnnl_sgemm(char transa, char transb, dnnl_dim_t m, dnnl_dim_t n,
                                    dnnl_dim_t k, float alpha, const float* a, dnnl_dim_t lda,
                                    const float* b, dnnl_dim_t ldb, float beta, float* c,
                                    dnnl_dim_t ldc) {
  if (fault().count("layer") == fault().call && fault().call > 0) return dnnl_runtime_error;
  static auto* const real = next<decltype(dnnl_sgemm)>("dnnl_sgemm");
  return real(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

extern "C" ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  if (fault().kind == "disk" && fault().count("disk") >= fault().call) {
    errno = ENOSPC;
    return -1;
  }
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return real(file, bytes, size, offset);
}

extern "C" int renameat2(int from_directory, const char* from, int to_directory, const char* to,
                         unsigned flags) noexcept {
  if (fault().kind == "exchange" && flags != 0) {
    errno = EINVAL;
    return -1;
  }
  static auto* const real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return real(from_directory, from, to_directory, to, flags);
}

// What `name`, open or open64, does; the mode is there when a file may be made.
static int open_slowly(const char* name, const char* path, int flags, mode_t mode) {
  if (slow_disk().any()) slow_disk().wait("open", path);
  return next<int(const char*, int, ...)>(name)(path, flags, mode);
}

extern "C" int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_slowly("open", path, flags, mode);
}

extern "C" int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_slowly("open64", path, flags, mode);
}

// What `name`, fsync or fdatasync, does; both are slow as "fsync".
static int flush_slowly(const char* name, int file) {
  if (slow_disk().any()) {
    char path[4096] = {};
    const std::string link = "/proc/self/fd/" + std::to_string(file);
    if (readlink(link.c_str(), path, sizeof path - 1) > 0) slow_disk().wait("fsync", path);
  }
  return next<int(int)>(name)(file);
}

extern "C" int fsync(int file) {
  return flush_slowly("fsync", file);
}

extern "C" int fdatasync(int file) {
  return flush_slowly("fdatasync", file);
}
