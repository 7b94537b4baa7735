// Ranks that read checkpoints together: nobody waits for another's disk under the timeout of the
// group, damage that one rank finds is told to all, and a rank that fails ends the others' work.
#include "checkpoint/ranks.h"

#include <gmock/gmock.h>

#include <atomic>
#include <semaphore>
#include <thread>

#include "checkpoint/checkpoint_state.h"
#include "checkpoint/files.h"
#include "checkpoint/manifest.h"
#include "comm/thread_ranks.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;

constexpr CommunicatorOptions hasty{.timeout_seconds = 0.05};

// Longer than the group's timeout: what a slow disk does.
void be_slow() {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
}

TEST(CheckpointRanks, WaitForASlowDisk) {
  run_thread_ranks(3, hasty, [](Communicator& world) {
    const auto slow = [&] {
      if (world.rank() == 2) be_slow();
    };
    read_together(world, slow);
    const std::vector<std::string> texts = all_or_none(world, [&] {
      slow();
      return std::string(static_cast<std::size_t>(world.rank()), 'x');
    });
    EXPECT_EQ(texts, (std::vector<std::string>{"", "x", "xx"}));
    slow();
    wait_for_disks(world);
    EXPECT_EQ(world.timeout(), 0.05) << "as before";
  });
}

TEST(CheckpointRanks, WaitNoShorterThanTheirTimeout) {
  run_thread_ranks(2, {1e6}, [](Communicator& world) {
    const PatientWaits patient(world);
    EXPECT_EQ(world.timeout(), 1e6);
  });
}

TEST(CheckpointRanks, DamageOnOneIsThrownOnAll) {
  std::atomic<int> thrown = 0;
  run_thread_ranks(3, hasty, [&](Communicator& world) {
    try {
      read_together(world, [&] {
        if (world.rank() == 1) fail_damaged("the block is bad");
      });
    } catch (const DamagedCheckpoint& error) {
      EXPECT_STREQ(error.what(), "the block is bad");
      ++thrown;
    }
    EXPECT_THAT(message_of([&] {
                  all_or_none(world, [&]() -> std::string {
                    if (world.rank() == 2) fail_runtime("the disk is full");
                    return {};
                  });
                }),
                HasSubstr("rank 2: the disk is full"));
  });
  EXPECT_EQ(thrown, 3);
}

// A rank that works on its disk hears of another's failure; one that waits for it too.
TEST(CheckpointRanks, AFailureEndsWorkAndWaits) {
  std::binary_semaphore working(0);
  const std::string message = message_of([&] {
    run_thread_ranks(3, {.timeout_seconds = 600}, [&](Communicator& world) {
      if (world.rank() == 2) {
        working.acquire();
        fail_runtime("no such layer");
      }
      read_together(world, [&] {
        if (world.rank() == 1) return;  // waits
        working.release();
        while (true) {
          world.throw_if_failed();
          std::this_thread::yield();
        }
      });
    });
  });
  EXPECT_EQ(message, "rank 2: no such layer");
}

// The directory that one rank lists may be as slow as its files.
TEST(CheckpointRanks, WaitForWhoComesLate) {
  const std::string directory = fresh_directory("late");
  run_thread_ranks(2, hasty, [&](Communicator& world) {
    if (world.rank() == 0) be_slow();
    EXPECT_FALSE(use_newest_checkpoint(directory, world, [](const Checkpoint&) {}));
    const TransferRate rate;
    if (world.rank() == 1) be_slow();
    EXPECT_THAT(rate.text("model", world, 500), testing::StartsWith("1.00 kB of model in "));
  });
}

// One checkpoint of two ranks, whose parts are the first and the second row.
std::string save_on_two(const std::string& directory, std::int64_t step) {
  const std::string path = directory + "/" + checkpoint_name(step);
  std::filesystem::create_directories(path);
  std::vector<float> values{float(step), 2, 3, 4};
  std::vector<CheckpointManifest> parts;
  WriteRate unlimited(0);
  for (int rank = 0; rank < 2; ++rank) {
    const Tensor row(values.data() + 2 * rank, DType::f32, {1, 2});
    const CheckpointTensor tensor{StateKind::weight, "m", {2, 2}, {rank, 0}, row};
    parts.push_back(write_tensor_files(path, std::span(&tensor, 1), step, rank, unlimited));
  }
  TrainingState state;
  state.step = step;
  finish_checkpoint(path, merge_manifests(parts), state, {});
  return path;
}

// The first value of the checkpoint that `ranks` ranks read, each its rows; 0: there is none.
float read_on(int ranks, const std::string& path) {
  std::atomic<float> first = 0;
  run_thread_ranks(ranks, hasty, [&](Communicator& world) {
    use_newest_checkpoint(path, world, [&](const Checkpoint& checkpoint) {
      Context context(cpu_device, 0);
      const std::int64_t offset[] = {world.rank(), 0};
      float row[2] = {};
      read_together(world, [&] {
        checkpoint.load_slice(context, StateKind::weight, "m", offset,
                              Tensor(row, DType::f32, {1, 2}));
      });
      if (world.rank() == 0) first = row[0];
    });
  });
  return first;
}

void flip_last_byte(const std::string& path) {
  std::string bytes = read_file(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file(path, bytes);
}

TEST(CheckpointRanks, GoBackTogetherFromDamageThatOneSees) {
  const std::string directory = fresh_directory("back_together");
  EXPECT_EQ(read_on(2, directory), 0) << "there is none";
  save_on_two(directory, 1);
  const std::string newest = save_on_two(directory, 2);
  EXPECT_EQ(read_on(2, directory), 2);
  flip_last_byte(newest + "/weight.00001.safetensors");
  testing::internal::CaptureStderr();
  EXPECT_EQ(read_on(2, directory), 1);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("warning: the checkpoint " + newest + " is left out: [^\n]+\n" +
                                    "warning: going back to the checkpoint " + directory +
                                    "/step-00000001\n"))
      << "told once, by the first rank";
  testing::internal::CaptureStderr();
  EXPECT_EQ(read_on(2, directory + "/" + checkpoint_name(1)), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(message_of([&] { read_on(2, newest); }), HasSubstr("weight.00001.safetensors"));
  std::filesystem::remove_all(directory + "/" + checkpoint_name(1));
  EXPECT_THAT(message_of([&] { read_on(2, directory); }), HasSubstr("none of its 1 checkpoints"));
}

// On both ranks alike, and without its tensors.
TEST(CheckpointRanks, TheFirstReadsAStateForAll) {
  const std::string directory = fresh_directory("states");
  const auto found = [](auto&& find) {
    std::optional<SavedState> states[2];
    run_thread_ranks(2, {}, [&](Communicator& world) { states[world.rank()] = find(world); });
    EXPECT_EQ(states[0].has_value(), states[1].has_value());
    if (states[0] && states[1]) {
      EXPECT_EQ(states[0]->directory, states[1]->directory);
      EXPECT_EQ(states[0]->state, states[1]->state);
    }
    return states[0];
  };
  const auto newest = [&](const std::string& path) {
    return found([&](Communicator& world) { return newest_state(path, world); });
  };
  const auto named = [&](const std::string& name) {
    return found([&](Communicator& world) { return std::optional(named_state(name, world)); });
  };
  EXPECT_FALSE(newest(directory));
  State state;
  const std::string one = saved(directory, state, 1), two = saved(directory, state, 2);
  std::filesystem::remove(two + "/weight.safetensors");
  EXPECT_EQ(newest(directory)->directory, two);
  EXPECT_EQ(newest(directory)->state, state.training(2));
  flip_last_byte(two + "/state.json");
  EXPECT_EQ(newest(directory)->directory, one);
  EXPECT_EQ(named(directory + "@1")->state, state.training(1));
  EXPECT_THAT(message_of([&] { named(directory + "@2"); }), testing::HasSubstr("state.json"));
  EXPECT_THAT(message_of([&] { named(directory + "@3"); }), testing::HasSubstr("step 3"));
}

// Bytes of the checkpoint's files.
std::uint64_t file_bytes(const std::string& checkpoint) {
  const std::string path = checkpoint + "/manifest.json";
  std::uint64_t bytes = 0;
  for (const ManifestFile& file : parse_checkpoint_manifest(read_file(path), path).files) {
    bytes += file.bytes;
  }
  return bytes;
}

TEST(CheckpointRanks, ShareTheFilesOfAnOldCheckpoint) {
  const std::string directory = fresh_directory("old_together");
  const std::string path = save_on_two(directory, 1);
  make_old(path);
  const std::uint64_t all = file_bytes(path);
  std::atomic<std::uint64_t> verified = 0;
  run_thread_ranks(2, hasty, [&](Communicator& world) {
    use_newest_checkpoint(path, world, [&](const Checkpoint& checkpoint) {
      EXPECT_GT(checkpoint.bytes_read(), 0u) << "every rank has a share";
      verified += checkpoint.bytes_read();
    });
  });
  EXPECT_EQ(verified, all) << "no file twice";
  testing::internal::CaptureStderr();
  EXPECT_EQ(read_on(2, directory), 1);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("verified [0-9.]+ k?B of checkpoint in [^\n]+\n"))
      << "told once, by the first rank";
  flip_last_byte(path + "/weight.00000.safetensors");
  EXPECT_THAT(message_of([&] { read_on(2, path); }), HasSubstr("weight.00000.safetensors"));
}

// Between blocks the work can be told to end, as when another rank has failed.
TEST(CheckpointRanks, VerifyingAShareCanBeEnded) {
  const std::string path = save_on_two(fresh_directory("ended"), 1);
  make_old(path);
  const Checkpoint checkpoint(path, Checkpoint::Verify::as_read);
  EXPECT_EQ(
      message_of([&] { checkpoint.verify_share(0, 1, [] { fail_runtime("rank 1: died"); }); }),
      "rank 1: died");
}

TEST(CheckpointRanks, TheRateIsOfAllTogether) {
  run_thread_ranks(2, hasty, [](Communicator& world) {
    const TransferRate rate;
    EXPECT_THAT(rate.text("checkpoint", world, 1'500'000'000),
                testing::MatchesRegex("3.00 GB of checkpoint in [0-9.]+ s \\([0-9.]+ .B/s\\)"));
  });
}

}  // namespace
}  // namespace fathom::test
