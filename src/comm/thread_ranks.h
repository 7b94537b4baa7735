// Ranks that are threads of this process: every layout runs on one machine, in
// tests and with `fathom train --ranks N`.
#pragma once

#include <functional>

#include "comm/communicator.h"

namespace fathom {

// Calls body(world) on `ranks` threads at once and returns when all have ended. When
// one throws, the others throw out of whatever they wait for, and the first
// exception is thrown here with its rank before the message.
void run_thread_ranks(int ranks, const CommunicatorOptions& options,
                      const std::function<void(Communicator&)>& body);

// "rank 0", "rank 1", ...: what ranks are called until the layout names them.
std::vector<std::string> plain_rank_names(int ranks);

}  // namespace fathom
