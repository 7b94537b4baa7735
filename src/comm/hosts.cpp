#include "comm/hosts.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace fathom {
namespace {

Host this_host() {
  Host host{host_name(), "", ""};
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), host.boot);
  const std::vector<std::string> addresses = ip_addresses();
  if (!addresses.empty()) host.address = addresses.front();
  return host;
}

// Machines of a cluster may all be called "localhost".
std::string identity(const Host& host) {
  return host.name + " " + host.boot;
}

}  // namespace

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

std::vector<std::string> ip_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* i = all; i; i = i->ifa_next) {
    if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET) continue;
    char buffer[INET_ADDRSTRLEN] = {};
    const auto* address = reinterpret_cast<const sockaddr_in*>(i->ifa_addr);
    inet_ntop(AF_INET, &address->sin_addr, buffer, sizeof buffer);
    if (std::string(buffer) != "127.0.0.1") addresses.emplace_back(buffer);
  }
  freeifaddrs(all);
  return addresses;
}

std::vector<std::string> host_names(Communicator& world) {
  return gather_texts(world, identity(this_host()));
}

std::vector<std::string> host_labels(const std::vector<Host>& hosts) {
  const auto same = [&](const Host& a, const Host& b) { return identity(a) == identity(b); };
  if (std::ranges::all_of(hosts, [&](const Host& h) { return same(h, hosts.front()); })) return {};
  std::vector<std::string> labels;
  for (const Host& host : hosts) {
    const bool ambiguous = std::ranges::any_of(
        hosts, [&](const Host& other) { return other.name == host.name && !same(other, host); });
    labels.push_back(ambiguous && !host.address.empty()
                         ? fmt::format("{} ({})", host.name, host.address)
                         : host.name);
  }
  return labels;
}

std::vector<std::string> host_labels(Communicator& world) {
  const Host mine = this_host();
  std::vector<Host> hosts;
  for (const std::string& text :
       gather_texts(world, fmt::format("{} {} {}", mine.name, mine.boot, mine.address))) {
    std::istringstream stream(text);
    Host& host = hosts.emplace_back();
    stream >> host.name >> host.boot >> host.address;
  }
  return host_labels(hosts);
}

}  // namespace fathom
