// Which device each rank of a host uses.
#pragma once

#include "comm/communicator.h"

namespace fathom {

// Among several ranks "cuda" becomes "cuda:N": the ranks of a machine, in their order, take its
// GPUs in turn, again from the first when there are fewer. What names a device stays. Collective.
std::string rank_device(const std::string& device, Communicator& world);

}  // namespace fathom
