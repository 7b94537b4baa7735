// Instructions beyond those that the build assumes, for the kernels that have a version with them.
#pragma once

#include <cstdint>

namespace fathom::ops::cpu {

enum class Instructions : std::uint8_t {
  common,  // what the build was made for
  avx512,  // AVX-512 F, BW, VL and BF16 together: Sapphire Rapids, Zen 4 and later
};

// The most that this processor has.
Instructions widest_instructions();

}  // namespace fathom::ops::cpu

// Compiles one function for Instructions::avx512. What it inlines must be marked too.
#if defined(__x86_64__)
#define FATHOM_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#endif
