// oneDNN generates a kernel for each shape, which takes milliseconds: kernels are
// kept, and shared by all threads. What they pack goes into the workspace.
#include "ops/cpu/gemm_bf16.h"

#include <algorithm>
#include <compare>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <vector>

#include "core/num_threads_scope.h"
#include "core/parallel.h"

namespace fathom::ops::cpu {
namespace {

using Memory = dnnl::memory;

// Everything that a generated kernel depends on.
struct Key {
  std::int64_t m, n, k;
  std::int64_t a_stride, b_stride, c_stride;  // of rows as they stand in memory
  bool a_transposed, b_transposed, c_is_float, adds;
  int threads;

  auto operator<=>(const Key&) const = default;
};

struct Kernel {
  dnnl::matmul primitive;  // empty: there is none, convert
  Memory::desc a, b, c, scratch;
};

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

Memory::desc layout(std::int64_t rows, std::int64_t cols, std::int64_t stride, bool transposed,
                    Memory::data_type type) {
  return {{rows, cols}, type, transposed ? Memory::dims{1, stride} : Memory::dims{stride, 1}};
}

Kernel make_kernel(const Key& key) {
  constexpr auto bf16 = Memory::data_type::bf16;
  Kernel kernel;
  kernel.a = layout(key.m, key.k, key.a_stride, key.a_transposed, bf16);
  kernel.b = layout(key.k, key.n, key.b_stride, key.b_transposed, bf16);
  kernel.c =
      layout(key.m, key.n, key.c_stride, false, key.c_is_float ? Memory::data_type::f32 : bf16);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (key.adds) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  // Operands as they lie: asking for oneDNN's blocked formats and reordering into
  // them is slower, most of all for weight gradients (docs/performance.md).
  const dnnl::matmul::primitive_desc description({kernel.a, kernel.b, kernel.c}, attributes,
                                                 engine(), /*allow_empty=*/true);
  if (!description) return kernel;
  // Anything but the blocked kernels ("brg:...") is a slow reference.
  if (!std::string_view(description.impl_info_str()).starts_with("brg")) return kernel;
  kernel.scratch = description.scratchpad_desc();
  kernel.primitive = dnnl::matmul(description);
  return kernel;
}

// Keeps a bounded number of kernels: each length of a prompt needs another one.
std::shared_ptr<const Kernel> find_kernel(const Key& key) {
  static std::mutex mutex;
  static std::map<Key, std::shared_ptr<const Kernel>> kernels;
  const std::lock_guard lock(mutex);
  std::shared_ptr<const Kernel>& kernel = kernels[key];
  if (kernel) return kernel;
  const auto made = std::make_shared<const Kernel>(make_kernel(key));
  constexpr std::size_t most = 512;
  if (kernels.size() > most) kernels.clear();
  kernels[key] = made;
  return made;
}

std::shared_ptr<const Kernel> find_kernel(const Operand& a, const Operand& b, Tensor c,
                                          Accumulate accumulate) {
  const std::int64_t k = a.transposed ? a.tensor.rows() : a.tensor.cols();
  return find_kernel({c.rows(), c.cols(), k, a.tensor.row_stride, b.tensor.row_stride,
                      c.row_stride, a.transposed, b.transposed, c.dtype == DType::f32,
                      accumulate == Accumulate::add, num_threads()});
}

void execute(const Kernel& kernel, const Operand& a, const Operand& b, Tensor c, void* scratch) {
  thread_local dnnl::stream stream(engine());
  kernel.primitive.execute(
      stream, {{DNNL_ARG_SRC, Memory(kernel.a, engine(), a.tensor.data)},
               {DNNL_ARG_WEIGHTS, Memory(kernel.b, engine(), b.tensor.data)},
               {DNNL_ARG_DST, Memory(kernel.c, engine(), c.data)},
               {DNNL_ARG_SCRATCHPAD, Memory(kernel.scratch, engine(), scratch)}});
  stream.wait();
}

// The product in parts of rows that are a thread's each: oneDNN's own loops know nothing of ready
// threads. Not in parts of columns, for whose outputs it has no blocked kernel.
bool multiply_by_ready_threads(Context& context, const Operand& a, const Operand& b, Tensor c,
                               Accumulate accumulate) {
  if (a.transposed) return false;
  constexpr std::int64_t grain = 16;
  const std::int64_t grains = (c.rows() + grain - 1) / grain;
  const int parts = static_cast<int>(std::min<std::int64_t>(grains, num_threads()));
  const Tensor all_a = a.tensor.view({c.rows(), a.tensor.cols()});
  const Tensor all_c = c.view({c.rows(), c.cols()});
  const auto rows_of = [&](const Tensor& all, int part) {
    const Range range = split_range(c.rows(), part, parts, grain);
    return all.slice(range.begin, range.end - range.begin);
  };
  std::vector<std::shared_ptr<const Kernel>> kernels;
  std::size_t most_bytes = 0;
  {
    const NumThreadsScope alone(1);  // kernels are made for a number of threads
    for (int i = 0; i < parts; ++i) {
      kernels.push_back(find_kernel({rows_of(all_a, i)}, b, rows_of(all_c, i), accumulate));
      if (!kernels.back()->primitive) return false;
      most_bytes = std::max(most_bytes, kernels.back()->scratch.get_size());
    }
  }
  const std::int64_t scratch_bytes = static_cast<std::int64_t>(most_bytes + 255) / 256 * 256;
  const std::size_t room = context.workspace.capacity() - context.workspace.mark();
  if (static_cast<std::size_t>(scratch_bytes * parts) + 256 > room) return false;
  const ArenaScope scope(context.workspace);
  const Tensor scratch = context.workspace.take(DType::u8, {parts, scratch_bytes});
  on_each_thread(
      [&](int i, int) {
        execute(*kernels[static_cast<std::size_t>(i)], {rows_of(all_a, i)}, b, rows_of(all_c, i),
                scratch.slice(i, 1).data);
      },
      parts);
  return true;
}

}  // namespace

bool processor_has_bf16() {
  constexpr auto bf16 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  static const bool has = (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bf16) == bf16;
  return has;
}

bool gemm_in_bf16(Context& context, const Operand& a, const Operand& b, Tensor c,
                  Accumulate accumulate) {
  if (!processor_has_bf16()) return false;
  if (threads_are_ready() && num_threads() > 1) {
    return multiply_by_ready_threads(context, a, b, c, accumulate);
  }
  const auto kernel = find_kernel(a, b, c, accumulate);
  const std::size_t bytes = kernel->scratch.get_size();
  const std::size_t room = context.workspace.capacity() - context.workspace.mark();
  constexpr std::size_t alignment = 256;
  if (!kernel->primitive || bytes + alignment > room) return false;
  const ArenaScope scope(context.workspace);
  const Tensor scratch = context.workspace.take(DType::u8, {static_cast<std::int64_t>(bytes)});
  execute(*kernel, a, b, c, scratch.data);
  return true;
}

}  // namespace fathom::ops::cpu
