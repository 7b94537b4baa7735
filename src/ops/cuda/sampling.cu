// Drawing of tokens: a block of threads a row, which reads the row from the second-level cache as
// often as its options ask for: once for the likeliest token, about three times to draw without
// filters, and some 30 times a filter, which halves the interval of logits in which its bound lies.
// All sums are of integers, and the threads' shares depend on V alone, so a row gives the
// same token in any batch.
#include "ops/sampling.h"

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"

namespace fathom::ops::cuda {
namespace {

constexpr int draw_threads = 1024, warps = draw_threads / 32;
using Count = unsigned long long;

// Unsigned numbers in the order of the logits; 0 for NaN.
__device__ unsigned order_of(float x) {
  if (isnan(x)) return 0;
  const unsigned bits = __float_as_uint(x + 0.0f);  // −0 is 0
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ float logit_of(unsigned order) {
  return __uint_as_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}
constexpr unsigned least_order = 0x00800000u;  // of the smallest number above minus infinity

__device__ Count warp_sum(Count x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}
__device__ Count warp_max(Count x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x = max(x, __shfl_xor_sync(~0u, x, offset));
  return x;
}

// combine() of all threads' numbers, in every thread.
template <class Combine>
__device__ Count block_combine(Count x, Combine combine) {
  __shared__ Count partial[warps];
  x = combine(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  x = combine(partial[threadIdx.x % 32]);
  __syncthreads();
  return x;
}
__device__ Count block_sum(Count x) {
  return block_combine(x, [](Count y) { return warp_sum(y); });
}
__device__ Count block_max(Count x) {
  return block_combine(x, [](Count y) { return warp_max(y); });
}

// The tokens up to a place in the order of likelihood.
struct Cut {
  unsigned order = least_order;
  int last_id = 0x7fffffff;  // among the tokens of this order
  __device__ bool keeps(unsigned order_, int id) const {
    return order_ > order || (order_ == order && id <= last_id);
  }
};

struct Row {
  float* logits;
  int count;

  template <class F>
  __device__ void each(F&& f) const {  // f(id, logit) by one of the threads
    for (int id = threadIdx.x; id < count; id += draw_threads) f(id, logits[id]);
  }

  // Likelihood and id of the likeliest token below `bound`; a smaller id is the likelier one.
  __device__ Count likeliest(Count bound = ~Count{0}) const {
    Count best = 0;
    each([&](int id, float x) {
      const Count key = Count{order_of(x)} << 32 | (0xffffffffu - static_cast<unsigned>(id));
      if (key < bound) best = max(best, key);
    });
    return block_max(best);
  }
};

__device__ int id_of(Count key) {
  return static_cast<int>(0xffffffffu - static_cast<unsigned>(key));
}
__device__ float logit_of_key(Count key) {
  return logit_of(static_cast<unsigned>(key >> 32));
}

// The id of the `rank`-th token (from 1) of this order, by id.
__device__ int id_at_rank(const Row& row, Cut within, unsigned order, Count rank) {
  __shared__ int found;
  Count before = 0;
  if (threadIdx.x == 0) found = 0x7fffffff;
  __syncthreads();
  for (int first = 0; first < row.count; first += draw_threads) {
    const int id = first + static_cast<int>(threadIdx.x);
    const bool here = id < row.count && order_of(row.logits[id]) == order && within.keeps(order, id);
    const Count count = static_cast<Count>(__syncthreads_count(here));
    if (before + count >= rank) {
      __shared__ int of_warp[warps];
      const unsigned mask = __ballot_sync(~0u, here);
      if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = __popc(mask);
      __syncthreads();
      Count at = before + __popc(mask & ((2u << threadIdx.x % 32) - 1));
      for (unsigned w = 0; w < threadIdx.x / 32; ++w) at += static_cast<Count>(of_warp[w]);
      if (here && at == rank) found = id;
      __syncthreads();
      return found;
    }
    before += count;
  }
  return found;
}

// The fewest likeliest tokens of `within` whose weights together reach `target`, or all of them.
template <class Weight>
__device__ Cut cut_at(const Row& row, Cut within, unsigned highest, Count target, Weight weight) {
  unsigned low = within.order, high = highest + 1;
  Count above = 0;  // weight of the tokens from `high` on
  while (high - low > 1) {
    const unsigned middle = low + (high - low) / 2;
    Count sum = 0;
    row.each([&](int id, float x) {
      const unsigned order = order_of(x);
      if (order >= middle && within.keeps(order, id)) sum += weight(x);
    });
    sum = block_sum(sum);
    if (sum >= target) {
      low = middle;
    } else {
      high = middle;
      above = sum;
    }
  }
  Cut cut{low, low == within.order ? within.last_id : 0x7fffffff};
  const Count each = weight(logit_of(low));
  if (each == 0) return cut;
  const Count needed = (target - above + each - 1) / each;
  Count ties = 0;
  row.each([&](int id, float x) { ties += order_of(x) == low && within.keeps(low, id); });
  if (block_sum(ties) > needed) cut.last_id = id_at_rank(row, within, low, needed);
  return cut;
}

struct Weigher {
  float highest, scale;  // 1 / temperature, in powers of 2
  __device__ Count operator()(float x) const {
    return static_cast<Count>(exp2f((x - highest) * scale) * static_cast<float>(weight_unit));
  }
};

// The token at `uniform` of the kept tokens' weights. Each warp sums a part of the row.
template <class Weight>
__device__ int draw_from(const Row& row, double uniform, Weight weight) {
  __shared__ Count sums[warps];
  __shared__ int drawn;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int part = (row.count + warps - 1) / warps;
  const int begin = warp * part, end = min(row.count, begin + part);
  Count sum = 0;
  for (int id = begin + lane; id < end; id += 32) sum += weight(id, row.logits[id]);
  sum = warp_sum(sum);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  Count total = 0, before = 0;
  for (int w = 0; w < warps; ++w) total += sums[w];
  const Count wanted = static_cast<Count>(uniform * static_cast<double>(total));
  // Rounding may take it to the total.
  const Count target = total > 0 && wanted >= total ? total - 1 : wanted;
  for (int w = 0; w < warp; ++w) before += sums[w];
  if (before <= target && target < before + sum) {  // in this warp alone
    for (int first = begin; first < end; first += 32) {
      const int id = first + lane;
      Count running = id < end ? weight(id, row.logits[id]) : 0;
#pragma unroll
      for (int offset = 1; offset < 32; offset *= 2) {
        const Count other = __shfl_up_sync(~0u, running, offset);
        if (lane >= offset) running += other;
      }
      const unsigned beyond = __ballot_sync(~0u, before + running > target);
      if (beyond) {
        if (lane == __ffs(static_cast<int>(beyond)) - 1) drawn = id;
        break;
      }
      before += __shfl_sync(~0u, running, 31);
    }
  }
  __syncthreads();
  return drawn;
}

__device__ int draw_token(const Row& row, const DrawRow& options) {
  const Count best = row.likeliest();
  const float highest = logit_of_key(best);
  const auto highest_order = static_cast<unsigned>(best >> 32);
  if (highest_order < least_order || isinf(highest)) return -1;
  if (options.temperature == 0) return id_of(best);
  // Finite, so that the likeliest token's own difference, 0, stays 0.
  const Weigher weigh{highest, fminf(1.4426950408889634f / options.temperature, 3.4e38f)};
  Cut cut;
  if (options.top_k > 0) {
    cut = cut_at(row, cut, highest_order, static_cast<Count>(options.top_k),
                 [](float) { return Count{1}; });
  }
  if (options.top_p < 1) {
    Count total = 0;
    row.each([&](int id, float x) { total += cut.keeps(order_of(x), id) ? weigh(x) : 0; });
    total = block_sum(total);
    const double target = ceil(static_cast<double>(options.top_p) * static_cast<double>(total));
    cut = cut_at(row, cut, highest_order, max(static_cast<Count>(target), Count{1}), weigh);
  }
  const auto least = static_cast<Count>(ceil(static_cast<double>(options.min_p) * weight_unit));
  return draw_from(row, options.uniform, [&](int id, float x) {
    const Count weight = cut.keeps(order_of(x), id) ? weigh(x) : 0;
    return weight >= least ? weight : 0;
  });
}

__device__ float log_sum_exp(const Row& row) {
  const float highest = logit_of_key(row.likeliest());
  float sum = 0;
  row.each([&](int, float x) { sum += x > -INFINITY ? __expf(x - highest) : 0.0f; });
  return highest + logf(cuda::block_sum(sum));
}

struct Call {
  Rows<float> logits;
  int vocabulary, num_masked, most;
  const std::int32_t* masked;
  const DrawRow* rows;
  LogitChange* changes;
  std::int32_t* tokens;
  float* log_probabilities;
  std::int32_t* likeliest;
};

__device__ void report(const Row& row, const DrawRow& options, float normalizer,
                       float* log_probabilities, std::int32_t* tokens) {
  Count bound = ~Count{0};
  for (int i = 0; i < options.report; ++i) {
    bound = row.likeliest(bound);
    const bool there = static_cast<unsigned>(bound >> 32) >= least_order;
    if (threadIdx.x == 0) {
      tokens[i] = there ? id_of(bound) : -1;
      if (there) log_probabilities[i] = logit_of_key(bound) - normalizer;
    }
    if (!there) bound = 0;
  }
}

__global__ void __launch_bounds__(draw_threads) draw_kernel(Call call) {
  const std::int64_t at = blockIdx.x;
  const Row row{call.logits[at], call.vocabulary};
  const DrawRow options = call.rows[at];
  const float given = options.given >= 0 ? row.logits[options.given] : 0;  // before the mask
  const float normalizer = options.report >= 0 ? log_sum_exp(row) : 0;
  for (int i = threadIdx.x; i < call.num_masked; i += draw_threads) {
    row.logits[call.masked[i]] = -INFINITY;
  }
  __syncthreads();
  float* const log_probabilities = call.log_probabilities + at * (1 + call.most);
  report(row, options, normalizer, log_probabilities + 1, call.likeliest + at * call.most);
  for (int i = options.change_begin + static_cast<int>(threadIdx.x); i < options.change_end;
       i += draw_threads) {
    LogitChange& change = call.changes[i];
    const float x = change.before = row.logits[change.token];
    row.logits[change.token] = change.bias + (x < 0 ? x * change.penalty : x / change.penalty);
  }
  __syncthreads();
  const int token = options.given >= 0 ? options.given : draw_token(row, options);
  if (threadIdx.x == 0) call.tokens[at] = token;
  if (options.report < 0 || token < 0) return;
  if (threadIdx.x == 0) {
    log_probabilities[0] = (options.given >= 0 ? given : row.logits[token]) - normalizer;
  }
  __syncthreads();
  for (int i = options.change_begin + static_cast<int>(threadIdx.x); i < options.change_end;
       i += draw_threads) {
    const LogitChange& change = call.changes[i];
    if (change.token == token) log_probabilities[0] = change.before - normalizer;
  }
}

}  // namespace

void draw_tokens(Context& context, Tensor logits, Tensor masked, Tensor rows, Tensor changes,
                 const DrawnTokens& drawn) {
  if (logits.rows() == 0) return;
  const Call call{rows_of<float>(logits),
                  static_cast<int>(logits.cols()),
                  static_cast<int>(masked.elements()),
                  static_cast<int>(drawn.likeliest.cols()),
                  data_of<const std::int32_t>(masked),
                  data_of<const DrawRow>(rows),
                  data_of<LogitChange>(changes),
                  data_of<std::int32_t>(drawn.tokens),
                  data_of<float>(drawn.log_probabilities),
                  data_of<std::int32_t>(drawn.likeliest)};
  draw_kernel<<<static_cast<unsigned>(logits.rows()), draw_threads, 0, stream_of(context)>>>(call);
  check_launch("draw_tokens");
}

}  // namespace fathom::ops::cuda
