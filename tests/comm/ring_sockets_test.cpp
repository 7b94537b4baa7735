// A ring of connections on a machine where others connect too.
#include "comm/ring_sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "comm/forwarding_communicator.h"
#include "comm/thread_ranks.h"

namespace fathom {
namespace {

using Greeting = std::array<std::uint64_t, 2>;  // the job's number; from whom and to whom

Greeting greeting(std::uint64_t job, int from, int to) {
  return {job, static_cast<std::uint64_t>(to) << 32 | static_cast<std::uint64_t>(from)};
}

Socket call(const char* address, int port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address, &to.sin_addr);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  return socket;
}

void say(const Socket& socket, const Greeting& words) {
  EXPECT_EQ(send(socket.get(), &words, sizeof words, MSG_NOSIGNAL), ssize_t(sizeof words));
}

// "host port address ...", with or without zeros behind; 0: it is something else.
int port_of(std::span<const std::byte> bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t space = text.find(' ');
  return space == std::string::npos ? 0 : std::atoi(text.c_str() + space);
}

// Before a rank tells the others of its port, others connect to it: more that say nothing than
// there is time to wait for one after another, one that does not know the job's number, and ranks
// of the job that look for another one.
class WithStrangers final : public test::ForwardingCommunicator {
 public:
  using ForwardingCommunicator::ForwardingCommunicator;
  static constexpr int num_silent = 12;
  std::vector<std::byte> gather(std::span<const std::byte> bytes) override {
    const int port = job_ == 0 ? 0 : port_of(bytes);  // not of the job's number, which is random
    if (strangers.empty() && port > 0) {
      for (int i = 0; i < num_silent; ++i) strangers.push_back(call("127.0.0.1", port));
      const int before = (rank() + size() - 1) % size(), after = (rank() + 1) % size();
      for (const Greeting& words : {greeting(12345, before, rank()), greeting(job_, rank(), after),
                                    greeting(job_, before, after)}) {
        strangers.push_back(call("127.0.0.1", port));
        say(strangers.back(), words);
      }
    }
    std::vector<std::byte> all = group_.gather(bytes);
    if (job_ == 0) std::memcpy(&job_, all.data(), sizeof job_);
    return all;
  }
  std::vector<Socket> strangers;

 private:
  std::uint64_t job_ = 0;  // gathered first
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
    WithStrangers disturbed(world);
    RingSockets ring = connect_ring(disturbed);
    EXPECT_EQ(disturbed.strangers.size(), WithStrangers::num_silent + 3u);
    ASSERT_TRUE(ring.next && ring.previous);
    const char mine = static_cast<char>('a' + world.rank());
    ASSERT_EQ(send(ring.next.get(), &mine, 1, MSG_NOSIGNAL), 1);
    EXPECT_EQ(byte_from(ring.previous), static_cast<char>('a' + (world.rank() + 2) % 3));
    world.barrier();
  });
}

// As where an address of the neighbour's is also one of this host's own.
TEST(RingSockets, AConnectionCountsOnceTheOtherEndHasAnswered) {
  run_thread_ranks(2, {60}, [](Communicator& world) {
    if (world.rank() == 0) {
      RingSockets ring = connect_ring(world);
      ASSERT_TRUE(ring.next && ring.previous);
      EXPECT_EQ(byte_from(ring.next), 'y');
      return;
    }
    const Socket listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    address.sin_family = AF_INET;
    ASSERT_EQ(::bind(listener.get(), plain, size), 0);
    ASSERT_EQ(::listen(listener.get(), 8), 0);
    ASSERT_EQ(::getsockname(listener.get(), plain, &size), 0);
    const std::uint64_t job = gather_values(world, std::uint64_t{7}).front();
    const auto places = gather_texts(
        world, fmt::format("elsewhere {} 127.0.0.2 127.0.0.3 127.0.0.4", ntohs(address.sin_port)));
    std::vector<Socket> taken;
    for (int i = 0; i < 3; ++i) {  // one end says nothing, one something else, one answers
      taken.emplace_back(::accept(listener.get(), nullptr, nullptr));
      Greeting words{};
      ASSERT_EQ(recv(taken.back().get(), &words, sizeof words, MSG_WAITALL), ssize_t(sizeof words));
      EXPECT_EQ(words, greeting(job, 0, 1));
    }
    say(taken[1], greeting(job, 0, 1));
    say(taken[2], greeting(job, 1, 0));
    const Socket mine = call("127.0.0.1", port_of(std::as_bytes(std::span(places.front()))));
    say(mine, greeting(job, 1, 0));
    gather_values(world, 1);
    const char word = 'y';
    EXPECT_EQ(send(taken[2].get(), &word, 1, MSG_NOSIGNAL), 1);
  });
}

}  // namespace
}  // namespace fathom
