// What messages call the hosts of ranks, and that errors name them.
#include "comm/hosts.h"

#include <gmock/gmock.h>

#include <fstream>

#include "comm/peer_communicator.h"
#include "comm/thread_ranks.h"
#include "core/error.h"

namespace fathom {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(HostLabels, AreEmptyWhereAllRanksShareAHost) {
  const Host host{"node7", "boot", {"10.0.0.7"}};
  EXPECT_THAT(host_labels({host}), IsEmpty());
  EXPECT_THAT(host_labels({host, host}), IsEmpty());
  run_thread_ranks(3, {60}, [](Communicator& world) {
    EXPECT_THAT(host_labels(world), IsEmpty());
    EXPECT_EQ(world.name_of(2), "rank 2");
  });
}

// Machines of one name differ by the number of their boot.
TEST(HostIdentities, HoldTheNameAndTheBoot) {
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const std::vector<std::string> identities = host_identities(world);
    ASSERT_EQ(identities.size(), 2u);
    EXPECT_EQ(identities[0], identities[1]);
    EXPECT_THAT(identities[0], AllOf(HasSubstr(host_name()), HasSubstr(boot)));
  });
}

TEST(HostLabels, AreNamesWithAddressesWhereHostsHaveTheSameName) {
  const Host seven{"node7", "a", {"10.0.0.7"}}, eight{"node8", "b", {"10.0.0.8"}};
  EXPECT_THAT(host_labels({seven, seven, eight}), ElementsAre("node7", "node7", "node8"));
  const Host one{"localhost", "c", {"10.0.0.1"}}, two{"localhost", "d", {"10.0.0.2"}};
  EXPECT_THAT(
      host_labels({one, seven, two, one}),
      ElementsAre("localhost (10.0.0.1)", "node7", "localhost (10.0.0.2)", "localhost (10.0.0.1)"));
  EXPECT_THAT(host_labels({one, {"localhost", "d", {}}}),
              ElementsAre("localhost (10.0.0.1)", "localhost"));
}

// As of a container bridge, which every host may have.
TEST(HostLabels, HaveNoAddressThatAnotherHostHasToo) {
  const std::string bridge = "172.17.0.1";
  const Host one{"localhost", "c", {bridge, "10.0.0.1"}};
  const Host two{"localhost", "d", {bridge, "10.0.0.2"}};
  const Host seven{"node7", "a", {"10.0.0.2", bridge}};
  EXPECT_THAT(host_labels({one, one, two}),
              ElementsAre("localhost (10.0.0.1)", "localhost (10.0.0.1)", "localhost (10.0.0.2)"));
  EXPECT_THAT(host_labels({one, two, seven}),
              ElementsAre("localhost (10.0.0.1)", "localhost", "node7"));
}

TEST(GatherHosts, KeepsFieldsThatAreEmpty) {
  const std::vector<Host> hosts{
      {"node7", "", {"10.0.0.7", "172.17.0.1"}}, {"node8", "boot", {}}, {"", "", {"10.0.0.9"}}};
  run_thread_ranks(3, {60}, [&](Communicator& world) {
    EXPECT_EQ(gather_hosts(world, hosts[static_cast<std::size_t>(world.rank())]), hosts);
  });
}

// Rank 0 of a job whose other ranks say their colour, rank % 2, and never more.
class SilentJob final : public Transport {
 public:
  explicit SilentJob(int size) : size_(size) {}
  int rank() const override { return 0; }
  int size() const override { return size_; }
  bool one_process() const override { return false; }
  void post(int, int, std::span<const std::byte>) override {}
  std::optional<Message> take(int from, int, std::chrono::duration<double>) override {
    if (from >= std::ssize(spoken_)) spoken_.resize(static_cast<std::size_t>(from) + 1);
    if (spoken_[static_cast<std::size_t>(from)]) return std::nullopt;
    spoken_[static_cast<std::size_t>(from)] = true;
    const int color = from % 2;
    const auto bytes = std::as_bytes(std::span<const int, 1>(&color, 1));
    return Message(bytes.begin(), bytes.end());
  }
  void expect(int, int, std::size_t) override {}
  void on_failure(std::function<void()>) override {}
  void fail_job(const std::string&) override {}
  void throw_if_failed() override {}
  void cancel() override {}
  std::unique_ptr<Transport> split(int) override { return std::make_unique<SilentJob>(size_ / 2); }

 private:
  int size_;
  std::vector<bool> spoken_;
};

TEST(RankNames, HaveTheHostInTheWorldAndInItsGroups) {
  PeerCommunicator world(std::make_unique<SilentJob>(4), {60}, "world", plain_rank_names(4));
  world.name_hosts({"alpha", "beta", "gamma", "delta"});
  EXPECT_EQ(world.name_of(3), "rank 3 on delta");
  world.name_ranks({"first", "second", "third", "fourth"});
  EXPECT_EQ(world.name_of(1), "second on beta");
  const auto even = world.split(0, "even");
  EXPECT_EQ(even->name_of(0), "first on alpha");
  EXPECT_EQ(even->name_of(1), "third on gamma");
  even->name_ranks({"one", "two"});
  EXPECT_EQ(even->name_of(1), "two on gamma");
  try {
    world.barrier();
    FAIL() << "nobody was late";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("for second on beta: it hangs"));
  }
  EXPECT_THROW(world.name_hosts({"alpha"}), Error);
}

}  // namespace
}  // namespace fathom
