// The world of a job of one rank: the same path as with many, whose communication does nothing.
#pragma once

#include <memory>

#include "comm/communicator.h"

namespace fathom {

// Collectives copy where `from` and `to` differ, and return at once otherwise. Starts no thread
// and connects nothing.
std::unique_ptr<Communicator> world_of_one(const CommunicatorOptions& options = {});

}  // namespace fathom
