#include "comm/rank_device.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace fathom {

std::string rank_device(const std::string& device, Communicator& world) {
  if (device != "cuda") return device;
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  const std::vector<std::string> hosts = gather_texts(world, name);
  const auto before = std::count(hosts.begin(), hosts.begin() + world.rank(), std::string(name));
  const int gpus = std::max(1, cuda::device_count());
  return fmt::format("cuda:{}", before % gpus);
}

}  // namespace fathom
