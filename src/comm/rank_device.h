// Which ranks share a host, and which device each of them uses.
#pragma once

#include "comm/communicator.h"

namespace fathom {

// Names of the hosts that the ranks run on, in the order of the ranks: equal for two ranks that
// share a machine, its memory and its GPUs. Collective.
std::vector<std::string> host_names(Communicator& world);

// Among several ranks "cuda" becomes "cuda:N": the ranks of a machine, in their order, take its
// GPUs in turn, again from the first when there are fewer. What names a device stays. Collective.
std::string rank_device(const std::string& device, Communicator& world);

}  // namespace fathom
