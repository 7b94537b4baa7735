#include "comm/rank_device.h"

#include <fmt/format.h>

#include <algorithm>

#include "comm/hosts.h"

namespace fathom {

std::string rank_device(const std::string& device, Communicator& world) {
  if (device != "cuda" || world.size() == 1) return device;
  const std::vector<std::string> hosts = host_identities(world);
  const auto own = hosts.begin() + world.rank();
  const int gpus = std::max(1, cuda::device_count());
  return fmt::format("cuda:{}", std::count(hosts.begin(), own, *own) % gpus);
}

}  // namespace fathom
