// TCP connections from each rank of a job to the next one, in a ring.
#pragma once

#include <chrono>

#include "comm/communicator.h"

namespace fathom {

// A socket that is closed in the end.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket();
  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

struct RingSockets {
  Socket next, previous;
};

// Reads and drops what the other side still sends, until it has shut down its direction of the
// connection, or until `end`.
void drain(const Socket& socket, std::chrono::steady_clock::time_point end);

// Connects every rank to its neighbours. Both ends prove by the job's random number that they
// belong to it, and say which ranks they are. Small messages leave at once. When some pair cannot
// be connected, as behind a firewall, every rank gets two absent sockets. Collective.
RingSockets connect_ring(Communicator& world);

}  // namespace fathom
