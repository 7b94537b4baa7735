// A library to be preloaded into fathom that makes one call fail, on one rank, when its
// turn comes: FATHOM_FAULT="layer 2 500" fails rank 2's 500th matrix product, "disk 2 500"
// every write from rank 2's 500th on, as a full disk does. "exchange -1 0" refuses to
// exchange two names, in any process, as NFS does. Fathom itself knows nothing of it.
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <string>

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
