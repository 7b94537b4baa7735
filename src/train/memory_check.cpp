#include "train/memory_check.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "comm/hosts.h"
#include "core/error.h"
#include "core/progress.h"
#include "train/machine.h"

namespace fathom {
namespace {

std::string human(std::size_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

// The memory of one rank, to be summed over the ranks of a machine.
struct Need {
  std::size_t device = 0, host = 0;  // without the process's part
  std::size_t process_bytes = 0;     // of host memory, shared by the threads of `process`
  std::int64_t process = 0;
  int device_index = 0;
};

Need need_of(const MemoryTable& table) {
  const bool cpu = table.device().type == DeviceType::cpu;
  const std::size_t host = cpu ? table.device_total() : table.host_total();
  return {cpu ? 0 : table.device_total(), host - table.process_total(), table.process_total(),
          getpid(), table.device().index};
}

struct Total {
  std::size_t bytes = 0, ranks = 0;
};

Total host_total(const std::vector<Need>& needs) {
  Total total;
  std::set<std::int64_t> processes;
  for (const Need& need : needs) {
    total.bytes += need.host;
    if (processes.insert(need.process).second) total.bytes += need.process_bytes;
    ++total.ranks;
  }
  return total;
}

Total device_total(const std::vector<Need>& needs, int device_index) {
  Total total;
  for (const Need& need : needs) {
    if (need.device_index != device_index) continue;
    total.bytes += need.device;
    ++total.ranks;
  }
  return total;
}

std::vector<Need> needs_on_this_host(const RankGroups& ranks, const Need& own) {
  Communicator& world = ranks.world();
  const std::vector<std::string> hosts = host_identities(world);
  const std::vector<Need> all = gather_values(world, own);
  std::vector<Need> here;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (hosts[rank] == hosts[static_cast<std::size_t>(world.rank())]) here.push_back(all[rank]);
  }
  return here;
}

// Bytes of a place besides the process's, which do not depend on the plan; none for a plan that
// cannot be had.
std::optional<std::size_t> planned_bytes(const TrainPlan& plan, const RankGroups& ranks,
                                         MemoryPlace place) {
  try {
    const MemoryTable table = plan_memory(plan, ranks);
    const Need need = need_of(table);
    return place == MemoryPlace::device && plan.device.type != DeviceType::cpu ? need.device
                                                                               : need.host;
  } catch (const Error&) {
    return std::nullopt;
  }
}

struct Change {
  std::string text;
  void (*apply)(TrainPlan& plan);
};

void take_smallest_micro_batch(TrainPlan& plan) {
  plan.micro_batches *= plan.config.train.micro_batch;
  plan.micro_tokens = plan.config.train.sequence_length;
  plan.config.train.micro_batch = 1;
}

constexpr std::int64_t small_logits_chunk = 256;

// Of all memories; a change that saves none of the one that is short is left out later.
std::vector<Change> possible_changes(const TrainPlan& plan) {
  const LoopConfig& loop = plan.config.train;
  std::vector<Change> changes;
  if (loop.micro_batch > 1) changes.push_back({"train.micro_batch=1", take_smallest_micro_batch});
  if (loop.recompute == RecomputeChoice::none) {
    changes.push_back({"train.recompute=\"selective\"", [](TrainPlan& p) {
                         p.config.train.recompute = RecomputeChoice::selective;
                       }});
  }
  if (loop.recompute != RecomputeChoice::full) {
    changes.push_back({"train.recompute=\"full\"",
                       [](TrainPlan& p) { p.config.train.recompute = RecomputeChoice::full; }});
  }
  if (loop.logits_chunk > small_logits_chunk) {
    changes.push_back({fmt::format("train.logits_chunk={}", small_logits_chunk),
                       [](TrainPlan& p) { p.config.train.logits_chunk = small_logits_chunk; }});
  }
  if (plan.config.precision == Products::fp8) {
    changes.push_back({"precision=\"dtype\" (no FP8 copies of weights)",
                       [](TrainPlan& p) { p.config.precision = Products::dtype; }});
  }
  if (plan.config.checkpoint.enabled) {
    changes.push_back({"checkpoint.enabled=false (a trial: no weights are kept)",
                       [](TrainPlan& p) { p.config.checkpoint.enabled = false; }});
  }
  return changes;
}

void require_room(const TrainPlan& plan, const RankGroups& ranks, MemoryPlace place,
                  const Total& wanted, std::size_t available) {
  if (available == 0 || wanted.bytes <= available) return;
  const bool host = place == MemoryPlace::host;
  const std::string where = host ? "host" : to_string(plan.device);
  const std::string who = wanted.ranks == 1
                              ? "this run needs"
                              : fmt::format("the {} ranks that share it need", wanted.ranks);
  fail_input("{} {} of {} memory, and {} are free: {}", who, human(wanted.bytes), where,
             human(available),
             memory_advice(plan, ranks, place, wanted.bytes, available, wanted.ranks));
}

}  // namespace

std::string memory_advice(const TrainPlan& plan, const RankGroups& ranks, MemoryPlace place,
                          std::size_t wanted, std::size_t available, std::size_t sharing) {
  const std::size_t now = planned_bytes(plan, ranks, place).value_or(0);
  const std::size_t missing = wanted - available;
  std::vector<std::string> helpful;
  TrainPlan together = plan;
  bool one_is_enough = false;
  for (const Change& change : possible_changes(plan)) {
    TrainPlan changed = plan;
    change.apply(changed);
    const std::size_t then = planned_bytes(changed, ranks, place).value_or(now);
    if (then >= now) continue;
    const bool enough = (now - then) * sharing >= missing;
    one_is_enough = one_is_enough || enough;
    helpful.push_back(fmt::format("{} saves {}{}", change.text, human(now - then),
                                  enough ? ", which is enough" : ""));
    change.apply(together);
  }
  const std::string otherwise =
      "use a smaller model, split it over more devices (parallel.pp, parallel.tp), or end what "
      "else "
      "takes that memory";
  if (helpful.empty()) return "no setting of [train] lowers that: " + otherwise;
  std::string text = fmt::format("{}{}", fmt::join(helpful, "; "), sharing > 1 ? " (a rank)" : "");
  if (one_is_enough) return text;
  const std::size_t least = planned_bytes(together, ranks, place).value_or(now);
  const std::size_t saved = (now - std::min(least, now)) * sharing;
  if (saved >= missing) return text + "; together they are enough";
  return text + fmt::format("; {} more are missing then: {}", human(missing - saved), otherwise);
}

void require_memory(const TrainPlan& plan, const RankGroups& ranks, const MemoryTable& table,
                    const FreeMemory& free) {
  const std::vector<Need> here = needs_on_this_host(ranks, need_of(table));
  if (plan.device.type != DeviceType::cpu) {
    require_room(plan, ranks, MemoryPlace::device, device_total(here, plan.device.index),
                 free.device);
  }
  require_room(plan, ranks, MemoryPlace::host, host_total(here), free.host);
}

}  // namespace fathom
