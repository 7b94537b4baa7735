#include "comm/ring_sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>
#include <sstream>
#include <thread>

#include "comm/hosts.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(10);

// What both ends of a connection tell each other first: who they are. Hosts may have the same
// address on networks of their own, a container bridge's, say, and a rank that connects to its own
// host in place of its neighbour's finds another there, or none.
struct Greeting {
  std::uint64_t job = 0;  // random number, equal on all ranks
  std::int32_t from = 0, to = 0;
  bool operator==(const Greeting&) const = default;
};

// A socket that listens on a free port, and that port.
std::pair<Socket, int> listen_anywhere() {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (!socket || bind(socket.get(), plain, size) != 0 || listen(socket.get(), 64) != 0 ||
      getsockname(socket.get(), plain, &size) != 0) {
    return {Socket(), 0};
  }
  return {std::move(socket), ntohs(address.sin_port)};
}

// 0: it is over.
int milliseconds_until(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  return std::max(0, static_cast<int>(left.count()));
}

// Whether the socket is ready for `events` before `end`.
bool ready(const Socket& socket, short events, Clock::time_point end) {
  const int left = milliseconds_until(end);
  pollfd wanted{socket.get(), events, 0};
  return left > 0 && poll(&wanted, 1, left) > 0;
}

void greet(const Socket& socket, const Greeting& greeting) {
  send(socket.get(), &greeting, sizeof greeting, MSG_NOSIGNAL);
}

// Whether the other end has said just this.
bool hear(const Socket& socket, const Greeting& greeting) {
  Greeting said;
  return recv(socket.get(), &said, sizeof said, 0) == ssize_t{sizeof said} && said == greeting;
}

// Begins to connect; absent where that fails at once.
Socket begin_connect(const std::string& host, int port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (!socket || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return Socket();
  const int done = connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  return done == 0 || errno == EINPROGRESS ? std::move(socket) : Socket();
}

bool is_connected(const Socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

// Tries a host's addresses all at once, for some may lead nowhere and never say so; returns the
// first connection whose other end answers the greeting.
Socket connect_to(const std::vector<std::string>& addresses, int port, const Greeting& mine) {
  struct Attempt {
    Socket socket;
    bool greeted = false;
  };
  const Greeting answer{mine.job, mine.to, mine.from};
  std::vector<Attempt> attempts;
  for (const std::string& address : addresses) {
    if (Socket socket = begin_connect(address, port)) attempts.push_back({std::move(socket)});
  }
  const auto end = Clock::now() + patience;
  while (!attempts.empty() && Clock::now() < end) {
    std::vector<pollfd> wanted;
    for (const Attempt& attempt : attempts) {
      const short event = attempt.greeted ? POLLIN : POLLOUT;
      wanted.push_back({attempt.socket.get(), event, 0});
    }
    poll(wanted.data(), wanted.size(), milliseconds_until(end));
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      Attempt& attempt = attempts[i];
      if (wanted[i].revents == 0) continue;
      if (attempt.greeted && hear(attempt.socket, answer)) return std::move(attempt.socket);
      if (attempt.greeted || !is_connected(attempt.socket)) {
        attempt.socket = Socket();
      } else {
        greet(attempt.socket, mine);
        attempt.greeted = true;
      }
    }
    std::erase_if(attempts, [](const Attempt& attempt) { return !attempt.socket; });
  }
  return Socket();
}

// A small message would wait until the one before it is acknowledged.
void send_at_once(const Socket& socket) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Waits for the rank that greets so, and answers it. Listens to all callers at once, for strangers
// may say nothing.
Socket accept_from(const Socket& listener, const Greeting& greeting) {
  std::vector<Socket> callers;
  const auto end = Clock::now() + patience;
  while (Clock::now() < end) {
    std::vector<pollfd> wanted{{listener.get(), POLLIN, 0}};
    for (const Socket& caller : callers) wanted.push_back({caller.get(), POLLIN, 0});
    poll(wanted.data(), wanted.size(), milliseconds_until(end));
    for (std::size_t i = 0; i < callers.size(); ++i) {
      if (wanted[i + 1].revents == 0) continue;
      if (hear(callers[i], greeting)) {
        greet(callers[i], {greeting.job, greeting.to, greeting.from});
        return std::move(callers[i]);
      }
      callers[i] = Socket();
    }
    std::erase_if(callers, [](const Socket& caller) { return !caller; });
    if (wanted.front().revents == 0) continue;
    Socket caller(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (caller) callers.push_back(std::move(caller));
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
  const std::uint64_t job = gather_values(world, mine).front();
  const std::vector<std::string> places = gather_texts(
      world, fmt::format("{} {} {}", host_name(), port, fmt::join(ip_addresses(), " ")));
  const int size = world.size(), rank = world.rank();
  const int after = (rank + 1) % size, before = (rank + size - 1) % size;
  const Place next(places.at(static_cast<std::size_t>(after)));
  RingSockets ring;
  // The next rank answers while it is itself waiting for an answer.
  std::thread accepting([&] {
    if (listener) ring.previous = accept_from(listener, {job, before, rank});
  });
  if (next.port != 0) ring.next = connect_to(next.addresses, next.port, {job, rank, after});
  accepting.join();
  int all = ring.next && ring.previous;
  for (const int other : gather_values(world, all)) all = all && other;
  if (!all) return {};
  send_at_once(ring.next);
  send_at_once(ring.previous);
  return ring;
}

}  // namespace fathom
