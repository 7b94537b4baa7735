#include "ops/cpu/instructions.h"

namespace fathom::ops::cpu {

Instructions widest_instructions() {
#if defined(__x86_64__)
  static const bool has_avx512 = __builtin_cpu_supports("avx512f") != 0 &&
                                 __builtin_cpu_supports("avx512bw") != 0 &&
                                 __builtin_cpu_supports("avx512vl") != 0 &&
                                 __builtin_cpu_supports("avx512bf16") != 0;
  if (has_avx512) return Instructions::avx512;
#endif
  return Instructions::common;
}

}  // namespace fathom::ops::cpu
