#include "ops/cuda/gemm_cache.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "core/cuda/check.h"
#include "core/error.h"
#include "ops/cuda/cublaslt.h"

namespace fathom::ops::cuda {
namespace {

namespace fs = std::filesystem;

fs::path cache_folder() {
  if (const char* folder = std::getenv("FATHOM_CACHE")) return folder;
  if (const char* folder = std::getenv("XDG_CACHE_HOME")) return fs::path(folder) / "fathom";
  if (const char* home = std::getenv("HOME")) return fs::path(home) / ".cache" / "fathom";
  return {};
}

std::string cache_path(int device) {
  const fs::path folder = cache_folder();
  std::error_code failed;
  if (folder.empty()) return "";
  fs::create_directories(folder, failed);
  if (failed) return "";
  cudaDeviceProp properties{};
  fathom::cuda::check(cudaGetDeviceProperties(&properties, device), "asking for the GPU's name");
  std::string gpu = properties.name;
  std::replace_if(
      gpu.begin(), gpu.end(), [](unsigned char c) { return !std::isalnum(c); }, '-');
  return (folder / fmt::format("gemm-{}-cublaslt-{}.txt", gpu, cublaslt().version())).string();
}

std::string operands_of(const GemmShape& s) {
  if (s.type_a == s.type_b && !s.fast_sum) return std::string(name_of(s.type_a));
  return fmt::format("{}*{}{}", name_of(s.type_a), name_of(s.type_b), s.fast_sum ? ",fast" : "");
}

std::string text_of(const GemmShape& s) {
  return fmt::format("{}x{}x{}:{}{}:{}:{}:{},{},{}:{}:{},{},{}", s.m, s.n, s.k,
                     s.transpose_a == Transpose::yes ? 't' : 'n',
                     s.transpose_b == Transpose::yes ? 't' : 'n', operands_of(s),
                     name_of(s.product), s.stride_a, s.stride_b, s.stride_d, s.beta, s.alignment_a,
                     s.alignment_b, s.alignment_d);
}

std::string to_hex(const cublasLtMatmulAlgo_t& algorithm) {
  std::string text;
  for (const std::uint64_t word : algorithm.data) text += fmt::format("{:016x}", word);
  return text;
}

bool from_hex(const std::string& text, cublasLtMatmulAlgo_t& algorithm) {
  constexpr std::size_t digits = 16;
  if (text.size() != digits * std::size(algorithm.data)) return false;
  const char* at = text.data();
  for (std::uint64_t& word : algorithm.data) {
    const auto [end, problem] = std::from_chars(at, at + digits, word, 16);
    if (problem != std::errc() || end != at + digits) return false;
    at = end;
  }
  return true;
}

}  // namespace

GemmCache& GemmCache::of(int device) {
  static std::mutex mutex;
  static auto& by_device = *new std::map<int, GemmCache*>;
  static auto& by_path = *new std::map<std::string, std::unique_ptr<GemmCache>>;
  const std::lock_guard lock(mutex);
  GemmCache*& cache = by_device[device];
  if (!cache) {
    const std::string path = cache_path(device);
    // Without a file nothing tells devices of one kind from others.
    const std::string key = path.empty() ? std::to_string(device) : path;
    std::unique_ptr<GemmCache>& shared = by_path[key];
    if (!shared) shared = std::make_unique<GemmCache>(path);
    cache = shared.get();
  }
  return *cache;
}

bool GemmCache::find(const GemmShape& shape, cublasLtMatmulAlgo_t& algorithm) {
  const std::optional<std::string> kept = file_.find(text_of(shape));
  return kept && from_hex(*kept, algorithm);
}

cublasLtMatmulAlgo_t GemmCache::remember(const GemmShape& shape,
                                         const cublasLtMatmulAlgo_t& algorithm) {
  cublasLtMatmulAlgo_t chosen{};
  return from_hex(file_.remember(text_of(shape), to_hex(algorithm)), chosen) ? chosen : algorithm;
}

void GemmCache::refuse(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm) {
  file_.refuse(text_of(shape), to_hex(algorithm));
}

}  // namespace fathom::ops::cuda
