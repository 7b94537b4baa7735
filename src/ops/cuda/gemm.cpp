// One plan a shape: the descriptors and the fastest of the algorithms that
// cuBLASLt proposes. Its first proposal is up to 18 % slower than its best.
#include "ops/cuda/gemm.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "core/cuda/check.h"
#include "core/error.h"
#include "ops/cuda/cublaslt.h"
#include "ops/cuda/gemm_cache.h"
#include "ops/cuda/libraries.h"

namespace fathom::ops::cuda {
namespace {

using fathom::cuda::check;

constexpr std::size_t max_workspace = std::size_t{32} << 20;

// How many of cuBLASLt's proposals are measured.
constexpr int candidates_of(AlgorithmSearch search) {
  return search == AlgorithmSearch::usual ? 24 : 512;
}

// Smaller products are not worth a measurement.
constexpr double measured_flops = 2e9;

cudaDataType_t type_of(OperandType type) {
  switch (type) {
    case OperandType::f32:
      return CUDA_R_32F;
    case OperandType::bf16:
      return CUDA_R_16BF;
    case OperandType::e4m3:
      return CUDA_R_8F_E4M3;
    case OperandType::e5m2:
      return CUDA_R_8F_E5M2;
  }
  return CUDA_R_32F;
}

using Desc = Owned<cublasLtMatmulDesc_t>;
using Layout = Owned<cublasLtMatrixLayout_t>;

template <class T>
void set(const Desc& desc, cublasLtMatmulDescAttributes_t attribute, T value) {
  check_cublas(cublaslt().desc_set(desc.get(), attribute, &value, sizeof value), "an attribute");
}

// Of FP8 operands; others have none.
void set_scales(const Desc& desc, const GemmScales& scales) {
  if (!scales.a) return;
  set(desc, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scales.a);
  set(desc, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scales.b);
}

Desc make_desc(const GemmShape& shape) {
  cublasLtMatmulDesc_t handle = nullptr;
  check_cublas(cublaslt().desc_create(&handle, CUBLAS_COMPUTE_32F, CUDA_R_32F), "a descriptor");
  Desc desc(handle, cublaslt().desc_destroy);
  const auto operation = [](Transpose transpose) {
    return transpose == Transpose::yes ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  set(desc, CUBLASLT_MATMUL_DESC_TRANSA, operation(shape.transpose_a));
  set(desc, CUBLASLT_MATMUL_DESC_TRANSB, operation(shape.transpose_b));
  set(desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<std::int8_t>(shape.fast_sum));
  return desc;
}

Layout make_layout(OperandType type, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  cublasLtMatrixLayout_t handle = nullptr;
  check_cublas(cublaslt().layout_create(&handle, type_of(type), static_cast<std::uint64_t>(rows),
                                        static_cast<std::uint64_t>(cols), stride),
               "a layout");
  return Layout(handle, cublaslt().layout_destroy);
}

// The layout of an operand that op() makes [rows, cols].
Layout operand_layout(OperandType type, Transpose transpose, std::int64_t rows, std::int64_t cols,
                      std::int64_t stride) {
  if (transpose == Transpose::yes) std::swap(rows, cols);
  return make_layout(type, rows, cols, stride);
}

struct Plan {
  explicit Plan(const GemmShape& shape)
      : desc(make_desc(shape)),
        a(operand_layout(shape.type_a, shape.transpose_a, shape.m, shape.k, shape.stride_a)),
        b(operand_layout(shape.type_b, shape.transpose_b, shape.k, shape.n, shape.stride_b)),
        d(make_layout(operand_type(shape.product), shape.m, shape.n, shape.stride_d)) {}

  Desc desc;
  Layout a, b, d;
  cublasLtMatmulAlgo_t algorithm{};
};

// One call's addresses.
struct Call {
  cublasLtHandle_t handle;
  cudaStream_t stream;
  const void *a, *b;
  void* d;
  float beta;
  void* workspace;
  std::size_t workspace_bytes;
  Outputs outputs;
};

cublasStatus_t run(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm, const Call& call,
                   void* d) {
  const float one = 1;
  return cublaslt().matmul(call.handle, plan.desc.get(), &one, call.a, plan.a.get(), call.b,
                           plan.b.get(), &call.beta, d, plan.d.get(), d, plan.d.get(), &algorithm,
                           call.workspace, call.workspace_bytes, call.stream);
}

using Candidates = std::vector<cublasLtMatmulHeuristicResult_t>;

// The algorithms that cuBLASLt proposes, best first by its own reckoning; at most `most`.
Candidates propose(const GemmShape& shape, const Plan& plan, const Call& call, int most) {
  Candidates candidates(static_cast<std::size_t>(most));
  cublasLtMatmulPreference_t handle = nullptr;
  check_cublas(cublaslt().preference_create(&handle), "a preference");
  const Owned<cublasLtMatmulPreference_t> preference(handle, cublaslt().preference_destroy);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    check_cublas(cublaslt().preference_set(handle, attribute, &value, sizeof value),
                 "a preference");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{call.workspace_bytes});
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<std::uint32_t>(shape.alignment_a));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<std::uint32_t>(shape.alignment_b));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<std::uint32_t>(shape.alignment_d));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<std::uint32_t>(shape.alignment_d));
  int found = 0;
  const cublasStatus_t status =
      cublaslt().heuristic(call.handle, plan.desc.get(), plan.a.get(), plan.b.get(), plan.d.get(),
                           plan.d.get(), handle, most, candidates.data(), &found);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0) {
    fail_runtime("cuBLASLt has no algorithm for a product of {} x {} x {} in {} and {} (status {})",
                 shape.m, shape.n, shape.k, name_of(shape.type_a), name_of(shape.type_b),
                 static_cast<int>(status));
  }
  candidates.resize(static_cast<std::size_t>(found));
  return candidates;
}

class TimedEvent {
 public:
  TimedEvent() { check(cudaEventCreate(&event_), "an event"); }
  TimedEvent(const TimedEvent&) = delete;
  TimedEvent& operator=(const TimedEvent&) = delete;
  ~TimedEvent() { cudaEventDestroy(event_); }
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// Milliseconds of `runs` in a row into `d`; infinite when one fails.
float measure(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm, const Call& call, void* d,
              int runs) {
  const TimedEvent start, stop;
  check(cudaEventRecord(start.get(), call.stream), "measuring");
  for (int i = 0; i < runs; ++i) {
    if (run(plan, algorithm, call, d) != CUBLAS_STATUS_SUCCESS) {
      return std::numeric_limits<float>::infinity();
    }
  }
  check(cudaEventRecord(stop.get(), call.stream), "measuring");
  check(cudaEventSynchronize(stop.get()), "measuring");
  float elapsed = 0;
  check(cudaEventElapsedTime(&elapsed, start.get(), stop.get()), "measuring");
  return elapsed;
}

// Memory outside the plan, for the time of a measurement; null when there is none.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) {
    if (cudaMalloc(&data_, bytes) != cudaSuccess) {
      cudaGetLastError();
      data_ = nullptr;
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { cudaFree(data_); }
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

// The candidates within 4 % of the fastest, at most six, the fastest first. They take
// turns, so that a card that grows hot and slow on the way slows all of them alike; who
// falls behind drops out.
std::vector<std::size_t> select_finalists(const Plan& plan, const Call& call, void* d,
                                          const Candidates& candidates,
                                          std::vector<float>& milliseconds) {
  constexpr int rounds = 4;  // the first one warms up
  constexpr float behind = 1.1f, close = 1.04f;
  constexpr std::size_t most = 6;
  std::vector<float>& best = milliseconds;
  best.assign(candidates.size(), std::numeric_limits<float>::infinity());
  float leader = std::numeric_limits<float>::infinity();
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (round > 1 && best[i] > behind * leader) continue;
      const float time = measure(plan, candidates[i].algo, call, d, 1);
      if (round == 0) continue;
      best[i] = std::min(best[i], time);
      leader = std::min(leader, time);
    }
  }
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return best[i]; });
  std::erase_if(order, [&](std::size_t i) { return best[i] > close * leader; });
  if (order.size() > most) order.resize(most);
  if (order.empty()) order.push_back(0);  // none ran: the caller's run will say why
  return order;
}

// The candidate that sustains the most. A card at its power limit slows down with the
// energy that an algorithm takes, which a single run does not show: the finalists
// compete in bursts.
const cublasLtMatmulAlgo_t& fastest(const Plan& plan, const Call& call, void* d,
                                    const Candidates& candidates) {
  constexpr float burst_milliseconds = 25;
  constexpr int rounds = 3;  // the first one warms up
  std::vector<float> best;
  const std::vector<std::size_t> finalists = select_finalists(plan, call, d, candidates, best);
  if (finalists.size() == 1) return candidates[finalists.front()].algo;
  const int runs =
      std::clamp(static_cast<int>(burst_milliseconds / best[finalists.front()]), 1, 500);
  std::vector<float> total(finalists.size(), 0.0f);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < finalists.size(); ++i) {
      const float time = measure(plan, candidates[finalists[i]].algo, call, d, runs);
      if (round > 0) total[i] += time;
    }
  }
  const auto winner = std::ranges::min_element(total) - total.begin();
  return candidates[finalists[static_cast<std::size_t>(winner)]].algo;
}

// A product that is added to its output must not be added again and again while it is
// measured: it goes into scratch memory then. Null: there is none.
cublasLtMatmulAlgo_t choose(const GemmShape& shape, const Plan& plan, const Call& call,
                            const Candidates& candidates) {
  if (shape.beta == 0 || call.outputs == Outputs::discarded) {
    return fastest(plan, call, call.d, candidates);
  }
  const Scratch scratch(static_cast<std::size_t>(shape.n * shape.stride_d) *
                        size_of(shape.product));
  return scratch.data() ? fastest(plan, call, scratch.data(), candidates) : candidates[0].algo;
}

enum class Kept { fits, absent, needs_more_workspace };

// Looks up the algorithm of an earlier run, and forgets it when cuBLASLt refuses it for the shape:
// another build of the library may have written the file.
Kept find_kept(const GemmShape& shape, Plan& plan, const Call& call, GemmCache& cache) {
  if (!cache.find(shape, plan.algorithm)) return Kept::absent;
  cublasLtMatmulHeuristicResult_t checked{};
  const cublasStatus_t status =
      cublaslt().algo_check(call.handle, plan.desc.get(), plan.a.get(), plan.b.get(), plan.d.get(),
                            plan.d.get(), &plan.algorithm, &checked);
  if (status != CUBLAS_STATUS_SUCCESS) {
    cache.refuse(shape, plan.algorithm);
    return Kept::absent;
  }
  return checked.workspaceSize <= call.workspace_bytes ? Kept::fits : Kept::needs_more_workspace;
}

std::unique_ptr<Plan> make_plan(const GemmShape& shape, const GemmScales& scales, const Call& call,
                                int device, AlgorithmSearch search) {
  auto plan = std::make_unique<Plan>(shape);
  set_scales(plan->desc, scales);
  GemmCache& cache = GemmCache::of(device);
  const bool usual = search == AlgorithmSearch::usual;
  const Kept kept = usual ? find_kept(shape, *plan, call, cache) : Kept::absent;
  if (kept == Kept::fits) return plan;
  const Candidates candidates = propose(shape, *plan, call, candidates_of(search));
  const double flops = 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) *
                       static_cast<double>(shape.k);
  if (candidates.size() == 1 || flops < measured_flops) {
    plan->algorithm = candidates[0].algo;
    return plan;
  }
  plan->algorithm = choose(shape, *plan, call, candidates);
  // A context with a smaller workspace than others does not choose for them.
  if (usual && kept == Kept::absent) plan->algorithm = cache.remember(shape, plan->algorithm);
  return plan;
}

int alignment_of(const void* address) {
  const auto bits = reinterpret_cast<std::uintptr_t>(address) | 256;
  return static_cast<int>(bits & (~bits + 1));
}

}  // namespace

struct GemmState {
  cublasLtHandle_t handle = nullptr;
  std::map<std::pair<AlgorithmSearch, GemmShape>, std::unique_ptr<Plan>> plans;
};

namespace {

GemmState& state_of(Context& context) {
  std::shared_ptr<GemmState>& state = libraries_of(context).gemm;
  if (!state) {
    auto opened = std::make_shared<GemmState>();
    check_cublas(cublaslt().create(&opened->handle), "opening the library");
    state = std::move(opened);
  }
  return *state;
}

}  // namespace

OperandType operand_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return OperandType::f32;
    case DType::bf16:
      return OperandType::bf16;
    case DType::i32:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;
  }
  fail_not_floating(dtype);
}

void gemm(Context& context, GemmShape shape, const void* a, const void* b, void* d,
          const GemmScales& scales) {
  if (shape.m == 0 || shape.n == 0) return;
  check(cudaSetDevice(context.device.index), "choosing the device");
  const auto stream = static_cast<cudaStream_t>(context.stream);
  if (shape.k == 0) {
    if (shape.beta == 1) return;
    return check(
        cudaMemset2DAsync(d, static_cast<std::size_t>(shape.stride_d) * size_of(shape.product), 0,
                          static_cast<std::size_t>(shape.m) * size_of(shape.product),
                          static_cast<std::size_t>(shape.n), stream),
        "an empty product");
  }
  shape.alignment_a = alignment_of(a);
  shape.alignment_b = alignment_of(b);
  shape.alignment_d = alignment_of(d);
  const ArenaScope scope(context.workspace);
  const std::size_t bytes =
      std::min(max_workspace, context.workspace.capacity() - context.workspace.mark());
  const Tensor workspace =
      context.workspace.take(DType::u8, {static_cast<std::int64_t>(bytes / 256 * 256)});
  GemmState& state = state_of(context);
  const Call call{
      state.handle,      stream,         a, b, d, static_cast<float>(shape.beta), workspace.data,
      workspace.bytes(), context.outputs};
  std::unique_ptr<Plan>& plan = state.plans[{context.search, shape}];
  if (!plan) plan = make_plan(shape, scales, call, context.device.index, context.search);
  set_scales(plan->desc, scales);
  check_cublas(run(*plan, plan->algorithm, call, d), "a matrix product");
}

}  // namespace fathom::ops::cuda
