// Products of a few rows of activations, as generation makes them: GB/s of the weight by the
// kernel for few rows, by common instructions and by the widest that the
// processor has, and by the product that prompts take, beside a plain reading of the same
// memory. One thread, and its own processor time, so that other work on the machine counts less.
// The weights are larger than the caches.
//
//   few_rows_bench [in] [out]
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>

#include "core/parallel.h"
#include "ops/cpu/few_rows.h"
#include "ops/cpu/gemm.h"
#include "ops/elementwise.h"

namespace fathom::ops {
namespace {

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::atomic<std::uint64_t> kept;  // so that sums are computed

void read(const Tensor& memory) {
  const auto* const words = static_cast<const std::uint64_t*>(memory.data);
  const std::size_t count = memory.bytes() / sizeof(std::uint64_t);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += words[i];
  kept.store(sum, std::memory_order_relaxed);
}

// Equal layers one after another in memory, and activations for them.
class Layers {
 public:
  Layers(DType dtype, std::int64_t in, std::int64_t out)
      : dtype_(dtype),
        in_(in),
        out_(out),
        count_(std::max<std::int64_t>(1, (std::int64_t{64} << 20) / (in * out * 2))),
        weights_(cpu_device, static_cast<std::size_t>(count_ * out * in) * size_of(dtype)),
        x_(cpu_device, static_cast<std::size_t>(cpu::max_few_rows * in) * size_of(dtype)),
        y_(cpu_device, static_cast<std::size_t>(cpu::max_few_rows * out) * size_of(dtype)) {
    fill(context_, weights(), 0.5f);
    fill(context_, x(cpu::max_few_rows), 0.5f);
  }

  Tensor weights() const { return weights_.tensor(dtype_, {count_ * out_, in_}); }
  Tensor x(std::int64_t rows) const { return x_.tensor(dtype_, {rows, in_}); }
  Tensor y(std::int64_t rows) const { return y_.tensor(dtype_, {rows, out_}); }
  Context& context() { return context_; }

  // The best of three passes of work(), which goes over all weights, in GB/s.
  double rate(const std::function<void()>& work) const {
    double best = 0;
    for (int turn = 0; turn < 3; ++turn) {
      const double begin = processor_seconds();
      work();
      const double seconds = processor_seconds() - begin;
      best = std::max(best, static_cast<double>(weights().bytes()) / seconds / 1e9);
    }
    return best;
  }
  template <class F>
  double rate_of_products(F&& multiply) const {
    return rate([&] {
      for (std::int64_t i = 0; i < count_; ++i) multiply(weights().slice(i * out_, out_));
    });
  }

 private:
  Context context_{cpu_device};
  DType dtype_;
  std::int64_t in_, out_, count_;
  Buffer weights_, x_, y_;
};

void measure(DType dtype, std::int64_t in, std::int64_t out) {
  Layers layers(dtype, in, out);
  fmt::print("{} [{}, {}], GB/s\n{:>6} {:>10} {:>10} {:>10} {:>10}\n", name_of(dtype), out, in,
             "rows", "reading", "few rows", "widest", "general");
  for (const std::int64_t rows : {1, 2, 3, 4, 6, 8, 12, 16}) {
    const Tensor x = layers.x(rows), y = layers.y(rows);
    const double reading = layers.rate([&] { read(layers.weights()); });
    const auto few = [&](cpu::Instructions instructions) {
      return layers.rate_of_products([&](Tensor w) {
        cpu::linear_of_few_rows(layers.context(), x, w, y, Accumulate::overwrite, instructions);
      });
    };
    const double common = few(cpu::Instructions::common), widest = few(cpu::widest_instructions());
    const double general = layers.rate_of_products([&](Tensor w) {
      cpu::gemm(layers.context(), {x}, {w, true}, y, Accumulate::overwrite);
    });
    fmt::print("{:>6} {:>10.2f} {:>10.2f} {:>10.2f} {:>10.2f}\n", rows, reading, common, widest,
               general);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace fathom::ops

int main(int argc, char** argv) {
  fathom::set_num_threads(1);
  const std::int64_t in = argc > 1 ? std::atoll(argv[1]) : 576;
  const std::int64_t out = argc > 2 ? std::atoll(argv[2]) : 3072;
  fathom::ops::measure(fathom::DType::bf16, in, out);
  fathom::ops::measure(fathom::DType::f32, in, out);
}
