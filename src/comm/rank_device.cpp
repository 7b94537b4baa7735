#include "comm/rank_device.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace fathom {
namespace {

// Machines of a cluster may all be called "localhost", so the name is followed by the number
// that the kernel drew when it booted.
std::string this_host() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  return fmt::format("{} {}", name, boot);
}

}  // namespace

std::vector<std::string> host_names(Communicator& world) {
  return gather_texts(world, this_host());
}

std::string rank_device(const std::string& device, Communicator& world) {
  if (device != "cuda" || world.size() == 1) return device;
  const std::vector<std::string> hosts = host_names(world);
  const auto own = hosts.begin() + world.rank();
  const int gpus = std::max(1, cuda::device_count());
  return fmt::format("cuda:{}", std::count(hosts.begin(), own, *own) % gpus);
}

}  // namespace fathom
