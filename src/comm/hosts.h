// The hosts that a job's ranks run on: which ranks share one, and what messages call it.
#pragma once

#include "comm/communicator.h"

namespace fathom {

// Identities of the hosts that the ranks run on, in the order of the ranks: equal for two ranks
// that share a machine, its memory and its GPUs, and no others. Not for messages. Collective.
std::vector<std::string> host_identities(Communicator& world);

struct Host {
  std::string name;  // what it calls itself; several may have the same, as "localhost"
  std::string boot;  // random number that the kernel drew when it booted; empty: not readable
  std::vector<std::string> addresses;  // of its networks; hosts may share some, as of a bridge
  bool operator==(const Host&) const = default;
};

// The hosts of all ranks, in the order of the ranks; `mine` is this rank's. Collective.
std::vector<Host> gather_hosts(Communicator& world, const Host& mine);

// What messages call the host of each rank: its name, followed by an address that no other has
// where several hosts have the same name. Empty where all ranks are on one host.
std::vector<std::string> host_labels(const std::vector<Host>& hosts);
// The same for the hosts of the world's ranks. Collective.
std::vector<std::string> host_labels(Communicator& world);

// This machine's IPv4 addresses, but for the loopback's.
std::vector<std::string> ip_addresses();
// What this machine calls itself.
std::string host_name();

}  // namespace fathom
