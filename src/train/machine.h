// Asked of the machine before a run takes memory: how fast the machine is, and
// whether the run fits into it.
#pragma once

#include <string>

#include "parallel/rank_groups.h"
#include "train/memory_table.h"
#include "train/plan.h"
#include "train/runtime.h"

namespace fathom {

// Bytes of a GPU's memory that stay free for what is not ours to plan: the code of our
// kernels and of cuBLASLt's and cuDNN's that is loaded as it is used, and the rounding of each
// allocation to 2 MiB. The CUDA context is not among them: it is there already when the free
// memory is asked for.
inline constexpr std::size_t device_reserve = std::size_t{1} << 30;

// The memory that a rank will hold, by purpose.
MemoryTable plan_memory(const TrainPlan& plan, const RankGroups& ranks);

struct Machine {
  double gemm_peak = 0;      // FLOP/s in the plan's dtype, of all ranks together
  std::string memory_table;  // as printed
};

// Measures the peak, prints the memory table and throws an input Error when the run
// does not fit. The peak comes first: what the libraries then hold (oneDNN's code
// alone is tens of megabytes) so stands in the table. Of several ranks the first
// measures, taking the others to be as fast, and tells. Collective.
Machine examine_machine(Runtime& runtime, const TrainPlan& plan, const RankGroups& ranks);

}  // namespace fathom
