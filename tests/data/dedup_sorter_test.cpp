#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/num_threads_scope.h"
#include "core/philox.h"
#include "data/dedup/external_sorter.h"
#include "io/temp_dir.h"

namespace fathom::dedup {
namespace {

using test::TempDir;

struct Large {  // so that little data needs many runs
  std::uint64_t key;
  char rest[4088];
  friend bool operator<(const Large& a, const Large& b) { return a.key < b.key; }
};

std::vector<std::uint64_t> sorted_by(std::size_t count, const TempDir& dir, std::size_t memory,
                                     std::size_t* runs = nullptr) {
  ExternalSorter<Large> sorter(dir / "run-", memory);
  const Philox random{1, 1};
  for (std::size_t i = 0; i < count; ++i) sorter.add({random.bits(i) % 1000, {}});
  if (runs) *runs = sorter.runs();
  std::vector<std::uint64_t> keys;
  sorter.drain([&](const Large& record) { keys.push_back(record.key); });
  EXPECT_EQ(sorter.size(), 0u);
  return keys;
}

TEST(ExternalSorter, SortsInMemoryAndOnDisk) {
  for (const int threads : {1, 3}) {
    const NumThreadsScope scope(threads);
    for (const std::size_t count : {0u, 1u, 2u, 255u, 256u, 257u, 2000u}) {
      const TempDir dir;
      const Philox random{1, 1};
      std::vector<std::uint64_t> expected;
      for (std::size_t i = 0; i < count; ++i) expected.push_back(random.bits(i) % 1000);
      std::ranges::sort(expected);
      EXPECT_EQ(sorted_by(count, dir, 1 << 20), expected) << count;
      EXPECT_EQ(sorted_by(count, dir, 1 << 30), expected) << count;
      EXPECT_EQ(dir.count(), 0) << "runs are removed";
    }
  }
}

// More runs than may be open at once are merged on the way.
TEST(ExternalSorter, MergesManyRuns) {
  const NumThreadsScope scope(2);
  const TempDir dir;
  constexpr std::size_t count = 256 * 140;
  std::size_t runs = 0;
  const auto keys = sorted_by(count, dir, 1 << 20, &runs);
  EXPECT_EQ(keys.size(), count);
  EXPECT_TRUE(std::ranges::is_sorted(keys));
  EXPECT_LT(runs, 256u);
  EXPECT_GT(runs, 2u);
  EXPECT_EQ(dir.count(), 0);
}

// More threads than runs that may be open at once.
TEST(ExternalSorter, SortsOnManyThreads) {
  const NumThreadsScope scope(300);
  const TempDir dir;
  std::size_t runs = 0;
  const auto keys = sorted_by(2000, dir, 1 << 20, &runs);
  EXPECT_EQ(keys.size(), 2000u);
  EXPECT_TRUE(std::ranges::is_sorted(keys));
  EXPECT_LE(runs, 256u);
  EXPECT_GT(runs, 2u);
}

TEST(ExternalSorter, RunsAreRemovedWhenItIsAbandoned) {
  const TempDir dir;
  {
    ExternalSorter<Large> sorter(dir / "run-", 1 << 20);
    for (std::uint64_t i = 0; i < 600; ++i) sorter.add({i, {}});
    EXPECT_GT(dir.count(), 0);
  }
  EXPECT_EQ(dir.count(), 0);
}

TEST(RecordFile, ReadsAllRecordsInBlocksOfAnySize) {
  const TempDir dir;
  for (const std::size_t count : {0u, 1u, 5u, 6u, 7u, 100u}) {
    FileWriter file(dir / "records");
    for (std::uint32_t i = 0; i < count; ++i) write_record(file, 7 * i);
    file.close();
    for (const std::size_t block : {1u, 4u, 12u, 1000u}) {
      RecordFile<std::uint32_t> records(dir / "records", block);
      EXPECT_EQ(records.size(), count);
      for (std::uint32_t i = 0; i < count; ++i, records.pop()) {
        ASSERT_FALSE(records.ended());
        EXPECT_EQ(records.front(), 7 * i);
      }
      EXPECT_TRUE(records.ended()) << count << " in blocks of " << block;
    }
  }
}

// A record whose order does not see where it is from.
struct Sourced {
  int key, source;
  friend bool operator<(const Sourced& a, const Sourced& b) { return a.key < b.key; }
};
struct SourcedList {
  std::vector<Sourced> records;
  std::size_t at = 0;
  bool ended() const { return at == records.size(); }
  const Sourced& front() const { return records[at]; }
  void pop() { ++at; }
};

TEST(MergeSorted, TakesEqualRecordsInTheOrderOfTheirSources) {
  std::vector<std::unique_ptr<SourcedList>> sources;
  for (const std::vector<int>& keys :
       std::vector<std::vector<int>>{{1, 3, 3, 9}, {}, {3, 4}, {1, 3}}) {
    sources.push_back(std::make_unique<SourcedList>());
    for (const int key : keys) {
      sources.back()->records.push_back({key, static_cast<int>(sources.size()) - 1});
    }
  }
  std::vector<std::pair<int, int>> merged;
  merge_sorted(sources, [&](const Sourced& r) { merged.emplace_back(r.key, r.source); });
  EXPECT_EQ(merged, (std::vector<std::pair<int, int>>{
                        {1, 0}, {1, 3}, {3, 0}, {3, 0}, {3, 2}, {3, 3}, {4, 2}, {9, 0}}));
}

TEST(RecordFile, RefusesADamagedFile) {
  const TempDir dir;
  test::write_file(dir / "records", std::string(4097, 'x'));
  EXPECT_EQ(test::input_error_of([&] { RecordFile<Large> file(dir / "records"); }),
            (dir / "records") + ": its 4097 bytes are no number of records of 4096; it is damaged");
}

}  // namespace
}  // namespace fathom::dedup
