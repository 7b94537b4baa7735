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
  Host host{host_name(), "", ip_addresses()};
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), host.boot);
  return host;
}

// Machines of a cluster may all be called "localhost".
bool are_one(const Host& a, const Host& b) {
  return a.name == b.name && a.boot == b.boot;
}

bool has_namesake(const Host& host, const std::vector<Host>& hosts) {
  return std::ranges::any_of(
      hosts, [&](const Host& other) { return other.name == host.name && !are_one(other, host); });
}

bool has_address(const Host& host, const std::string& address) {
  return std::ranges::find(host.addresses, address) != host.addresses.end();
}

// The first address that no other host has; empty: none.
std::string own_address(const Host& host, const std::vector<Host>& hosts) {
  for (const std::string& address : host.addresses) {
    const bool shared = std::ranges::any_of(hosts, [&](const Host& other) {
      return !are_one(other, host) && has_address(other, address);
    });
    if (!shared) return address;
  }
  return {};
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

std::vector<std::string> host_identities(Communicator& world) {
  const Host mine = this_host();
  return gather_texts(world, mine.name + " " + mine.boot);
}

std::vector<Host> gather_hosts(Communicator& world, const Host& mine) {
  // A line for each field, for it may be empty.
  const std::string text =
      fmt::format("{}\n{}\n{}", mine.name, mine.boot, fmt::join(mine.addresses, " "));
  std::vector<Host> hosts;
  for (const std::string& sent : gather_texts(world, text)) {
    std::istringstream stream(sent);
    Host& host = hosts.emplace_back();
    std::getline(stream, host.name);
    std::getline(stream, host.boot);
    for (std::string address; stream >> address;) host.addresses.push_back(address);
  }
  return hosts;
}

std::vector<std::string> host_labels(const std::vector<Host>& hosts) {
  if (std::ranges::all_of(hosts, [&](const Host& h) { return are_one(h, hosts.front()); })) {
    return {};
  }
  std::vector<std::string> labels;
  for (const Host& host : hosts) {
    const std::string address = has_namesake(host, hosts) ? own_address(host, hosts) : "";
    labels.push_back(address.empty() ? host.name : fmt::format("{} ({})", host.name, address));
  }
  return labels;
}

std::vector<std::string> host_labels(Communicator& world) {
  return host_labels(gather_hosts(world, this_host()));
}

}  // namespace fathom
