#include "io/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "io/checksum.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::read_file;
using test::runtime_error_of;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;
using testing::StartsWith;

// While it lives, no file of this process can grow past `bytes`: a full disk.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() { setrlimit(RLIMIT_FSIZE, &old_); }

 private:
  rlimit old_{};
};

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const TempDir dir;
  write_file(dir / "a", "old");
  {
    AtomicFile file(dir / "a");
    file.write("new content");
    file.overwrite(0, std::as_bytes(std::span("NEW", 3)));
    EXPECT_EQ(read_file(dir / "a"), "old");
    file.commit();
  }
  EXPECT_EQ(read_file(dir / "a"), "NEW content");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicFile, LeavesNothingWhenGivenUp) {
  const TempDir dir;
  write_file(dir / "a", "old");
  {
    AtomicFile file(dir / "a");
    file.write(std::string(3 << 20, 'x'));
    EXPECT_EQ(dir.count(), 2);
  }
  EXPECT_EQ(read_file(dir / "a"), "old");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicFile, WritesOfAnySizeArriveInOrder) {
  const TempDir dir;
  std::string expected;
  AtomicFile file(dir / "a");
  for (const std::size_t size : {1ul, 100ul, 1ul << 20, 3ul, 3ul << 20, (1ul << 20) - 2, 5ul}) {
    const std::string piece(size, static_cast<char>('a' + expected.size() % 23));
    file.write(piece);
    expected += piece;
    EXPECT_EQ(file.size(), expected.size());
  }
  file.commit();
  EXPECT_TRUE(read_file(dir / "a") == expected);
}

TEST(AtomicFile, FullDiskNamesFileAndReasonAndKeepsTheOldFile) {
  const TempDir dir;
  write_file(dir / "a", "old");
  {
    const SmallDisk full(2 << 20);
    const std::string error = runtime_error_of([&] {
      AtomicFile file(dir / "a");
      for (int i = 0; i < 64; ++i) file.write(std::string(64 << 10, 'x'));
      file.commit();
    });
    EXPECT_THAT(error, StartsWith(dir / "a.tmp-"));
    EXPECT_THAT(error, HasSubstr("writing failed after 2097152 bytes: File too large"));
  }
  EXPECT_EQ(read_file(dir / "a"), "old");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicFile, NoSpaceLeftIsReportedAsSuch) {
  EXPECT_EQ(runtime_error_of([] {
              FileWriter file("/dev/full");
              file.write("x");
              file.close();
            }),
            "/dev/full: writing failed after 0 bytes: No space left on device");
}

TEST(AtomicFile, UnwritableDirectoryIsReported) {
  const std::string error = runtime_error_of([] { write_file_atomically("/nonexistent/a", "x"); });
  EXPECT_THAT(error, StartsWith("/nonexistent/a.tmp-"));
  EXPECT_THAT(error, HasSubstr("cannot write this file: No such file or directory"));
}

TEST(AtomicDirectory, AppearsWholeByOneRename) {
  const TempDir dir;
  {
    AtomicDirectory out(dir / "out/");
    write_file(out.file("sub/a"), "1");
    EXPECT_FALSE(std::filesystem::exists(dir / "out"));
    out.commit();
  }
  EXPECT_EQ(read_file(dir / "out/sub/a"), "1");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, GivenUpLeavesNothing) {
  const TempDir dir;
  { write_file(AtomicDirectory(dir / "out").file("a"), "1"); }
  EXPECT_EQ(dir.count(), 0);
}

TEST(AtomicDirectory, RefusesOrReplacesWhatIsThere) {
  const TempDir dir;
  write_file(dir / "out/old", "1");
  EXPECT_EQ(input_error_of([&] { AtomicDirectory(dir / "out"); }),
            (dir / "out") + ": this directory exists already; choose another one or remove it");
  {
    AtomicDirectory given_up(dir / "out", AtomicDirectory::IfExists::replace);
    write_file(given_up.file("new"), "2");
  }
  EXPECT_EQ(read_file(dir / "out/old"), "1");
  AtomicDirectory out(dir / "out", AtomicDirectory::IfExists::replace);
  write_file(out.file("new"), "2");
  out.commit();
  EXPECT_EQ(read_file(dir / "out/new"), "2");
  EXPECT_FALSE(std::filesystem::exists(dir / "out/old"));
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, RemovesWhatAKilledProcessLeftButNoLivingOnes) {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    write_file((new AtomicDirectory(dir / "out"))->file("a"), "1");
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(dir.count(), 1);
  write_file(dir / "other.tmp-1-0/a", "1");
  const AtomicDirectory living(dir / "out");
  EXPECT_EQ(dir.count(), 2) << "the killed one's is gone, the other output's stays";
  AtomicDirectory second(dir / "out");
  EXPECT_EQ(dir.count(), 3);
  second.commit();
  EXPECT_TRUE(std::filesystem::exists(living.temporary()));
}

TEST(AtomicDirectory, StaleTemporariesAreFoundByName) {
  const TempDir dir;
  write_file(dir / "step-10.tmp-123-4/a", "1");
  write_file(dir / "b.tmp-99-0", "1");
  write_file(dir / "notes.tmp-keep", "1");
  write_file(dir / "step-9/a", "1");
  EXPECT_EQ(remove_stale_temporaries(dir.path()), 2);
  EXPECT_EQ(dir.count(), 2);
}

TEST(DirectoryLock, SecondHolderLearnsWhoTheFirstIs) {
  const TempDir dir;
  const std::string out = dir / "run";
  {
    const DirectoryLock lock(out);
    const std::string error = input_error_of([&] { DirectoryLock second(out); });
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    EXPECT_THAT(error, StartsWith(fmt::format("{}: this directory is in use by process {} on {};",
                                              out, getpid(), host)));
  }
  const DirectoryLock again(out);  // released by the destructor
}

TEST(DirectoryLock, EndsWithItsProcess) {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    new DirectoryLock(dir.path());  // killed without a destructor
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  const DirectoryLock lock(dir.path());
}

TEST(FreeDisk, IsAskedForTheNearestExistingParent) {
  const TempDir dir;
  EXPECT_GT(free_disk_bytes(dir / "not/there/yet"), 0u);
  EXPECT_THAT(runtime_error_of([&] { require_free_disk(dir.path(), 1ull << 62, "a checkpoint"); }),
              StartsWith(dir.path() + ": a checkpoint needs 4611686018427387904 bytes, but only "));
  require_free_disk(dir.path(), 1, "a byte");
}

TEST(Checksum, DoesNotDependOnHowTheBytesAreCut) {
  const TempDir dir;
  const std::string text = "the quick brown fox jumps over the lazy dog";
  Checksum pieces;
  pieces.update(std::string_view(text).substr(0, 7));
  pieces.update(std::string_view(text).substr(7));
  EXPECT_EQ(pieces.value(), checksum_of(text));
  write_file(dir / "a", text);
  EXPECT_EQ(checksum_of_file(dir / "a"), checksum_of(text));
  EXPECT_EQ(checksum_text(checksum_of("")), "2d06800538d394c2");  // XXH3's published value
}

}  // namespace
}  // namespace fathom
