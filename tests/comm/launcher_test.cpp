// How a process finds out that a launcher has started it as one of several ranks.
#include <gmock/gmock.h>

#include <cstdlib>
#include <map>

#include "comm/mpi_ranks.h"
#include "comm/rank_device.h"
#include "comm/ranks.h"
#include "comm/thread_ranks.h"
#include "core/error.h"

namespace fathom {
namespace {

class Launcher : public testing::Test {
 protected:
  Launcher() {
    for (const char* name : names_) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      unsetenv(name);
    }
  }
  ~Launcher() override {
    for (const char* name : names_) unsetenv(name);
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }
  static constexpr const char* names_[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK",
                                           "SLURM_STEP_NUM_TASKS"};
  std::map<std::string, std::string> before_;
};

TEST_F(Launcher, IsKnownByWhatItSets) {
  EXPECT_EQ(launched_ranks(), 0);
  setenv("PMI_SIZE", "4", 1);
  EXPECT_EQ(launched_ranks(), 4);
  setenv("OMPI_COMM_WORLD_SIZE", "3", 1);
  EXPECT_EQ(launched_ranks(), 3);
}

TEST_F(Launcher, LeavesNoRoomForThreads) {
  setenv("PMI_SIZE", "4", 1);
  try {
    run_ranks(2, {30}, [](Communicator&) { FAIL() << "a rank was started"; });
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_THAT(error.what(), testing::HasSubstr("under mpirun or srun leave it out"));
  }
}

TEST_F(Launcher, SlurmCountsOnlyWhereItServesAnMpi) {
  setenv("SLURM_STEP_NUM_TASKS", "8", 1);  // of a job step that runs one program many times
  EXPECT_EQ(launched_ranks(), 0);
  setenv("PMIX_RANK", "0", 1);
  EXPECT_EQ(launched_ranks(), 8);
}

TEST(RankDevice, IsTheOneNamedOrAGpuByThePlaceOnTheHost) {
  run_thread_ranks(2, {30}, [](Communicator& world) {
    EXPECT_EQ(rank_device("cpu", world), "cpu");
    EXPECT_EQ(rank_device("cuda:5", world), "cuda:5");
    const int gpus = std::max(1, cuda::device_count());
    EXPECT_EQ(rank_device("cuda", world), "cuda:" + std::to_string(world.rank() % gpus));
  });
}

}  // namespace
}  // namespace fathom
