// Whether a run fits into its machines, and what would help where it does not.
#pragma once

#include <cstddef>
#include <string>

#include "parallel/rank_groups.h"
#include "train/memory_table.h"
#include "train/plan.h"

namespace fathom {

// 0: not known, not checked.
struct FreeMemory {
  std::size_t device = 0, host = 0;
};

// Throws an input Error when the ranks that share this rank's device, or its host, together need
// more than is free there. `table` is this rank's; the caller prints it first. Collective.
void require_memory(const TrainPlan& plan, const RankGroups& ranks, const MemoryTable& table,
                    const FreeMemory& free);

enum class MemoryPlace { device, host };  // on a CPU both are the host's

// The settings of the plan that can still be lowered, each with the bytes that it would save
// there on each of `sharing` ranks, and whether that makes `wanted` bytes fit into `available`.
std::string memory_advice(const TrainPlan& plan, const RankGroups& ranks, MemoryPlace place,
                          std::size_t wanted, std::size_t available, std::size_t sharing = 1);

}  // namespace fathom
