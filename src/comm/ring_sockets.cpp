#include "comm/ring_sockets.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <random>
#include <sstream>

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(10);

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// This machine's IPv4 addresses, but for the loopback.
std::string addresses() {
  std::string text;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return text;
  for (const ifaddrs* i = all; i; i = i->ifa_next) {
    if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET) continue;
    char buffer[INET_ADDRSTRLEN] = {};
    const auto* address = reinterpret_cast<const sockaddr_in*>(i->ifa_addr);
    inet_ntop(AF_INET, &address->sin_addr, buffer, sizeof buffer);
    if (std::string(buffer) != "127.0.0.1") text += std::string(buffer) + " ";
  }
  freeifaddrs(all);
  return text;
}

// A socket that listens on a free port, and that port.
std::pair<Socket, int> listen_anywhere() {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (!socket || bind(socket.get(), plain, size) != 0 || listen(socket.get(), 4) != 0 ||
      getsockname(socket.get(), plain, &size) != 0) {
    return {Socket(), 0};
  }
  return {std::move(socket), ntohs(address.sin_port)};
}

// Whether the socket is ready for `events` before `end`.
bool ready(const Socket& socket, short events, Clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  pollfd wanted{socket.get(), events, 0};
  return left.count() > 0 && poll(&wanted, 1, static_cast<int>(left.count())) > 0;
}

Socket connect_to(const std::string& host, int port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (!socket || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return Socket();
  connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  int error = 0;
  socklen_t size = sizeof error;
  if (!ready(socket, POLLOUT, Clock::now() + std::chrono::seconds(2)) ||
      getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    return Socket();
  }
  return socket;
}

// A small message would wait until the one before it is acknowledged.
void send_at_once(const Socket& socket) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Waits for the rank that knows the job's number.
Socket accept_from(const Socket& listener, std::uint64_t number) {
  const auto end = Clock::now() + patience;
  while (ready(listener, POLLIN, end)) {
    Socket socket(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    std::uint64_t said = 0;
    if (socket && ready(socket, POLLIN, end) &&
        recv(socket.get(), &said, sizeof said, 0) == sizeof said && said == number) {
      return socket;
    }
  }
  return Socket();
}

// How a rank is reached: "host port address address ...".
struct Place {
  std::string host;
  int port = 0;
  std::vector<std::string> addresses;

  explicit Place(const std::string& text) {
    std::istringstream stream(text);
    stream >> host >> port;
    if (host == host_name()) addresses.emplace_back("127.0.0.1");
    for (std::string address; stream >> address;) addresses.push_back(address);
  }
};

}  // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) close(descriptor_);
}

void drain(const Socket& socket, Clock::time_point end) {
  char words[64];
  while (ready(socket, POLLIN, end)) {
    const ssize_t count = recv(socket.get(), words, sizeof words, MSG_DONTWAIT);
    const bool nothing_yet =
        count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    if (count <= 0 && !nothing_yet) return;
  }
}

RingSockets connect_ring(Communicator& world) {
  const auto [listener, port] = listen_anywhere();
  std::random_device device;
  const std::uint64_t mine = (std::uint64_t{device()} << 32) | device();
  const std::uint64_t number = gather_values(world, mine).front();
  const std::vector<std::string> places =
      gather_texts(world, host_name() + " " + std::to_string(port) + " " + addresses());
  const Place next(places.at(static_cast<std::size_t>((world.rank() + 1) % world.size())));
  RingSockets ring;
  for (const std::string& address : next.addresses) {
    if (next.port != 0 && !ring.next) ring.next = connect_to(address, next.port);
  }
  if (ring.next) send(ring.next.get(), &number, sizeof number, MSG_NOSIGNAL);
  if (listener) ring.previous = accept_from(listener, number);
  int all = ring.next && ring.previous;
  for (const int other : gather_values(world, all)) all = all && other;
  if (!all) return {};
  send_at_once(ring.next);
  send_at_once(ring.previous);
  return ring;
}

}  // namespace fathom
