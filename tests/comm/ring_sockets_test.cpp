// A ring of connections on a machine where others connect too.
#include "comm/ring_sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "comm/forwarding_communicator.h"
#include "comm/thread_ranks.h"

namespace fathom {
namespace {

// Before a rank tells the others of its port, somebody else connects to it and says a number.
class WithAStranger final : public test::ForwardingCommunicator {
 public:
  using ForwardingCommunicator::ForwardingCommunicator;
  std::vector<std::byte> gather(std::span<const std::byte> bytes) override {
    // "host port address ...", with or without zeros behind.
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t space = text.find(' ');
    if (!stranger && space != std::string::npos) {
      if (const int port = std::atoi(text.c_str() + space); port > 0) call(port);
    }
    return group_.gather(bytes);
  }
  Socket stranger;

 private:
  void call(int port) {
    stranger = Socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::uint64_t number = 12345;
    ASSERT_EQ(::send(stranger.get(), &number, sizeof number, MSG_NOSIGNAL), ssize_t(sizeof number));
  }
};

// The byte that comes first, within ten seconds; 0: none.
char byte_from(const Socket& socket) {
  pollfd wanted{socket.get(), POLLIN, 0};
  char byte = 0;
  if (poll(&wanted, 1, 10000) > 0 && recv(socket.get(), &byte, 1, 0) != 1) byte = 0;
  return byte;
}

TEST(RingSockets, JoinNeighboursWhoKnowTheJobsNumber) {
  run_thread_ranks(3, {60}, [](Communicator& world) {
    WithAStranger disturbed(world);
    RingSockets ring = connect_ring(disturbed);
    EXPECT_TRUE(disturbed.stranger);
    ASSERT_TRUE(ring.next && ring.previous);
    const char mine = static_cast<char>('a' + world.rank());
    ASSERT_EQ(send(ring.next.get(), &mine, 1, MSG_NOSIGNAL), 1);
    EXPECT_EQ(byte_from(ring.previous), static_cast<char>('a' + (world.rank() + 2) % 3));
    world.barrier();
  });
}

}  // namespace
}  // namespace fathom
