#include "io/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "core/disk_calls.h"
#include "io/checksum.h"
#include "io/output_path.h"
#include "io/recorded_calls.h"
#include "io/temp_dir.h"
#include "io/temporary_name.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::read_file;
using test::RecordedCalls;
using test::runtime_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
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

constexpr std::size_t mebi = std::size_t{1} << 20;

// A flush of all of it could take a slow disk hours.
TEST(FileWriter, FlushesALargeFileAPartAtATime) {
  const TempDir dir;
  FileWriter file(dir / "a");
  file.write(std::string(40 * mebi, 'x'));
  RecordedCalls recorded(dir.path());
  file.close();
  EXPECT_THAT(recorded.calls(),
              ElementsAre("begin a 16777216", "await a 0", "begin a 33554432", "await a 16777216",
                          "begin a 50331648", "await a 33554432", "fsync a"));
}

TEST(FileWriter, ADiskThatFailsWhileItFlushesIsAnError) {
  for (const int problem : {EIO, EINVAL}) {
    const TempDir dir;
    FileWriter file(dir / "a");
    file.write(std::string(17 * mebi, 'x'));
    RecordedCalls recorded(dir.path());
    recorded.on_call = [&](const std::string& call) {
      return call.starts_with("await") ? problem : 0;
    };
    if (problem == EIO) {
      EXPECT_THAT(runtime_error_of([&] { file.close(); }),
                  HasSubstr("cannot flush to the disk: Input/output error"));
    } else {
      file.close();  // a file system without such calls
      EXPECT_EQ(recorded.calls().back(), "fsync a");
    }
  }
}

// A disk that hangs is told by the call that does not return.
TEST(AtomicFile, NotesTheCallsThatWaitForTheDisk) {
  const TempDir dir;
  AtomicFile file(dir / "a");
  file.write("content");
  RecordedCalls recorded(dir.path());
  std::vector<std::string> noted;
  recorded.on_call = [&](const std::string&) {
    const auto call = longest_disk_call();
    noted.push_back(call ? call->operation + " " + recorded.name_of(call->path) : "nothing");
    return 0;
  };
  file.commit();
  EXPECT_THAT(noted, ElementsAre("flushing a.tmp", "renaming a.tmp", "flushing ."));
  EXPECT_FALSE(longest_disk_call());
}

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

TEST(AtomicFile, IsFlushedBeforeItsRename) {
  const TempDir dir;
  RecordedCalls recorded(dir.path());
  write_file_atomically(dir / "a", "new");
  EXPECT_THAT(recorded.calls(), ElementsAre("fsync a.tmp", "rename a.tmp a", "fsync ."));
}

TEST(AtomicFile, ThatCannotBeFlushedKeepsTheOldFile) {
  const TempDir dir;
  write_file(dir / "a", "old");
  RecordedCalls recorded(dir.path());
  recorded.on_call = [](const std::string&) { return EIO; };
  EXPECT_THAT(runtime_error_of([&] { write_file_atomically(dir / "a", "new"); }),
              HasSubstr("cannot flush to the disk: Input/output error"));
  EXPECT_EQ(read_file(dir / "a"), "old");
  EXPECT_EQ(dir.count(), 1);
}

// Some file systems cannot flush a directory, or anything at all.
TEST(AtomicFile, FlushesWhatCanBeFlushed) {
  for (const auto& [problem, of_file, of_directory] :
       {std::tuple{EINVAL, true, true}, {EROFS, true, false}, {EIO, false, false}}) {
    const TempDir dir;
    RecordedCalls recorded(dir.path());
    const auto flushed = [&](const std::string& call) {
      recorded.on_call = [&, problem = problem](const std::string& c) {
        return c == call ? problem : 0;
      };
      return runtime_error_of([&] { write_file_atomically(dir / "a", "new"); }) == "no error";
    };
    EXPECT_EQ(flushed("fsync a.tmp"), of_file) << problem;
    EXPECT_EQ(flushed("fsync ."), of_directory) << problem;
  }
}

TEST(AtomicFile, OverwritesOnlyWhatWasWritten) {
  const TempDir dir;
  AtomicFile file(dir / "a");
  file.write("0123");
  const auto overwrite = [&](std::uint64_t offset) {
    file.overwrite(offset, std::as_bytes(std::span("XY", 2)));
  };
  overwrite(2);
  EXPECT_THAT(runtime_error_of([&] { overwrite(3); }),
              HasSubstr("overwriting bytes that were not written yet"));
  file.commit();
  EXPECT_EQ(read_file(dir / "a"), "01XY");
}

TEST(AtomicFile, IsWrittenThroughUpTo40Links) {
  const TempDir dir;
  for (int i = 1; i <= 41; ++i) {
    std::filesystem::create_symlink(std::to_string(i - 1), dir / std::to_string(i));
  }
  EXPECT_EQ(through_links(dir / "40"), dir / "0");
  EXPECT_EQ(input_error_of([&] { through_links(dir / "41"); }),
            (dir / "41") + ": its symbolic links form a loop");
}

TEST(AtomicFile, IsWrittenThroughLinks) {
  const TempDir dir;
  write_file(dir / "disk/target", "old");
  std::filesystem::create_symlink("disk/target", dir / "link");
  std::filesystem::create_symlink(dir / "link", dir / "second");
  write_file_atomically(dir / "second", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "second"));
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "disk/target"), "new");

  std::filesystem::create_symlink("disk/later", dir / "dangling");
  write_file_atomically(dir / "dangling", "made");
  EXPECT_EQ(read_file(dir / "disk/later"), "made");

  std::filesystem::create_symlink("round", dir / "about");
  std::filesystem::create_symlink("about", dir / "round");
  EXPECT_THAT(input_error_of([&] { write_file_atomically(dir / "round", "x"); }),
              HasSubstr("round: its symbolic links form a loop"));
}

// ".." in a link leads up from the directory in which the link really is.
TEST(AtomicFile, IsWrittenThroughALinkInALinkedDirectory) {
  const TempDir dir;
  write_file(dir / "real/target", "old");
  write_file(dir / "target", "not Fathom's");
  std::filesystem::create_directory(dir / "real/deep");
  std::filesystem::create_symlink("../target", dir / "real/deep/out");
  std::filesystem::create_directory_symlink("real/deep", dir / "linked");
  write_file_atomically(dir / "linked/out", "new");
  EXPECT_EQ(read_file(dir / "real/target"), "new");
  EXPECT_EQ(read_file(dir / "target"), "not Fathom's");
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "real/deep/out"));
  // A link to a directory's "." or ".." has that directory's own name.
  std::filesystem::create_directory_symlink("deep/..", dir / "real/up");
  EXPECT_EQ(through_links(dir / "real/up"), dir / "real");
}

TEST(AtomicFile, IsWrittenIntoFifos) {
  const TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  const int reader = open((dir / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  {
    AtomicFile file(dir / "pipe");
    file.write("one ");
    file.write("two");
    file.commit();
  }
  char arrived[16] = "";
  EXPECT_EQ(read(reader, arrived, sizeof arrived), 7);
  EXPECT_STREQ(arrived, "one two");
  close(reader);
  EXPECT_TRUE(std::filesystem::is_fifo(dir / "pipe"));
  EXPECT_EQ(dir.count(), 1);
}

// On devices of the test's own: a defect here would replace the machine's.
TEST(AtomicFile, IsWrittenIntoDevices) {
  const TempDir dir;
  const std::string full = dir / "full";
  if (mknod(full.c_str(), S_IFCHR | 0600, makedev(1, 7)) != 0 || access(full.c_str(), W_OK) != 0) {
    GTEST_SKIP() << "takes the right to make devices";
  }
  EXPECT_THAT(runtime_error_of([&] { write_file_atomically(full, "x"); }),
              testing::AnyOf(HasSubstr("full: writing failed after 0 bytes: No space left"),
                             HasSubstr("full: cannot write this file: Permission denied")));
  EXPECT_TRUE(std::filesystem::is_character_file(full));
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicFile, OfAnOpenFileIsAppendedToIt) {
  const TempDir dir;
  const int file = open((dir / "a").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_GE(file, 0);
  ASSERT_EQ(write(file, "one ", 4), 4);
  write_file_atomically("/dev/fd/" + std::to_string(file), "two");
  close(file);
  EXPECT_EQ(read_file(dir / "a"), "one two");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicFile, BeginningOfAFifoCannotBeWrittenLast) {
  const TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  const int reader = open((dir / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  AtomicFile file(dir / "pipe");
  file.write("abc");
  EXPECT_THAT(input_error_of([&] { file.overwrite(0, std::as_bytes(std::span("X", 1))); }),
              HasSubstr("pipe: is not a regular file"));
  close(reader);
}

TEST(AtomicFile, KeepsOwnerAndModeOfTheFileItReplaces) {
  const TempDir dir;
  write_file(dir / "a", "old");
  const bool root = geteuid() == 0;
  EXPECT_EQ(root ? chown((dir / "a").c_str(), 1234, 2345) : 0, 0);
  std::filesystem::permissions(dir / "a", std::filesystem::perms(root ? 02640 : 0640));
  struct stat before {
  }, after{};
  ASSERT_EQ(stat((dir / "a").c_str(), &before), 0);
  write_file_atomically(dir / "a", "new");
  ASSERT_EQ(stat((dir / "a").c_str(), &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_gid, before.st_gid);
}

TEST(AtomicFile, DirectoryIsRefusedBeforeAnythingIsWritten) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "a");
  EXPECT_THAT(input_error_of([&] { AtomicFile(dir / "a"); }), HasSubstr("a: is a directory"));
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicFile, CanBeAskedForBeforeLongWork) {
  const TempDir dir;
  write_file(dir / "a", "old");
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  require_writable_file(dir / "a");
  require_writable_file(dir / "new");
  require_writable_file(dir / "pipe");  // without waiting for its reader
  EXPECT_EQ(dir.count(), 2);
  EXPECT_EQ(read_file(dir / "a"), "old");
  EXPECT_THAT(input_error_of([&] { require_writable_file(dir.path()); }),
              HasSubstr("is a directory"));
  EXPECT_THAT(runtime_error_of([&] { require_writable_file(dir / "absent/a"); }),
              HasSubstr("cannot write this file: No such file or directory"));
}

TEST(AtomicFile, ThatCannotBeRenamedLeavesTheOldFile) {
  const TempDir dir;
  write_file(dir / "a", "old");
  RecordedCalls recorded(dir.path());
  recorded.on_call = [](const std::string& call) { return call == "rename a.tmp a" ? EIO : 0; };
  EXPECT_EQ(runtime_error_of([&] { write_file_atomically(dir / "a", "new"); }),
            (dir / "a") + ": cannot give the finished file this name: Input/output error");
  EXPECT_EQ(read_file(dir / "a"), "old");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicFile, MovesWithWhatWasWritten) {
  const TempDir dir;
  {
    AtomicFile file(dir / "a");
    file.write("one ");
    AtomicFile moved(std::move(file));
    moved.write("two");
    moved.overwrite(0, std::as_bytes(std::span("ONE", 3)));
    EXPECT_EQ(moved.size(), 7u);
    moved.commit();
  }
  EXPECT_EQ(read_file(dir / "a"), "ONE two");
  { AtomicFile moved(AtomicFile(dir / "b")); }
  EXPECT_EQ(dir.count(), 1);
}

// Another user's file in a directory that all may write: it becomes the writer's own, and so must
// not run with the rights of its new owner.
TEST(AtomicFile, OfAnotherUserLosesTheBitsThatGiveHisRights) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root, to become another user";
  const TempDir dir;
  for (const char* name : {"a", "locked"}) write_file(dir / name, "old");
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0777));
  ASSERT_EQ(chmod((dir / "a").c_str(), 06776), 0);
  ASSERT_EQ(chmod((dir / "locked").c_str(), 0644), 0);
  ASSERT_EQ(seteuid(65534), 0);
  struct stat status {};
  const bool reached = stat((dir / "a").c_str(), &status) == 0;
  std::string error, locked;
  if (reached) {
    error = runtime_error_of([&] { write_file_atomically(dir / "a", "new"); });
    locked = runtime_error_of([&] { write_file_atomically(dir / "locked", "new"); });
  }
  ASSERT_EQ(seteuid(0), 0);
  if (!reached) GTEST_SKIP() << "the directory of temporary files is closed to others";
  EXPECT_EQ(error, "no error");
  ASSERT_EQ(stat((dir / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0776u);
  EXPECT_EQ(status.st_uid, 65534u);
  EXPECT_EQ(locked, (dir / "locked") + ": cannot write this file: Permission denied");
  EXPECT_EQ(read_file(dir / "locked"), "old");
}

// A file of one part is left to fsync().
TEST(FileWriter, FlushesAFileOfOnePartAtOnce) {
  const TempDir dir;
  for (const std::size_t more : {0, 1}) {
    FileWriter file(dir / "a");
    file.write(std::string(16 * mebi + more, 'x'));
    RecordedCalls recorded(dir.path());
    file.close();
    EXPECT_EQ(recorded.calls().size(), more == 0 ? 1u : 5u);
  }
}

TEST(FileWriter, NamesADirectoryThatCannotBeFlushed) {
  const TempDir dir;
  EXPECT_EQ(
      runtime_error_of([&] { fsync_directory(dir / "none"); }),
      (dir / "none") + ": cannot flush this directory to the disk: No such file or directory");
  RecordedCalls recorded(dir.path());
  recorded.on_call = [](const std::string&) { return EIO; };
  EXPECT_EQ(runtime_error_of([&] { fsync_directory(dir.path()); }),
            dir.path() + ": cannot flush this directory to the disk: Input/output error");
}

TEST(OwnFiles, AreRemovedWithTheDirectoriesThatTheyLeaveEmpty) {
  const TempDir dir;
  const OwnFiles own = {"a", "train/*.tokens"};
  const auto fill = [&] {
    for (const char* name : {"out/a", "out/train/x.tokens"}) write_file(dir / name, "own");
    std::filesystem::create_directories(dir / "out/empty/deep");
  };
  fill();
  require_own_files(dir / "out", own);
  EXPECT_TRUE(remove_own_files(dir / "out", own));
  EXPECT_FALSE(std::filesystem::exists(dir / "out"));
  require_own_files(dir / "out", own);  // which is not there
  fill();
  const std::vector<std::string> others = {"out/train/x.token", "out/train/deep/y.tokens", "out/b",
                                           "out/deep/a"};
  for (const std::string& other : others) write_file(dir / other, "mine");
  std::filesystem::create_symlink("b", dir / "out/train/link.tokens");
  EXPECT_FALSE(remove_own_files(dir / "out", own));
  for (const std::string& other : others) EXPECT_EQ(read_file(dir / other), "mine") << other;
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "out/train/link.tokens"));
  for (const char* gone : {"out/a", "out/train/x.tokens", "out/empty"}) {
    EXPECT_FALSE(std::filesystem::exists(dir / gone)) << gone;
  }
}

TEST(OwnFiles, TheFirstOfOthersIsNamedWithWhatToDo) {
  const TempDir dir;
  write_file(dir / "out/notes", "mine");
  EXPECT_EQ(input_error_of([&] { require_own_files(dir / "out", {"a"}); }),
            (dir / "out") +
                ": holds notes, which Fathom did not make, so this directory is not replaced; move "
                "that file away or choose another directory");
  EXPECT_EQ(input_error_of([&] { require_own_files(dir / "out/notes", {"a"}); }),
            (dir / "out/notes") + ": is a file; name a directory to make");
  std::filesystem::create_symlink("out", dir / "link");
  require_own_files(dir / "link", {"notes"});
}

TEST(TemporaryName, TellsWhatItIsOf) {
  const std::string one = name_beside("d/a", temporary_mark), two = name_beside("d/a", old_mark);
  EXPECT_THAT(one, StartsWith(fmt::format("d/a.tmp-{}-", getpid())));
  EXPECT_THAT(two, StartsWith(fmt::format("d/a.old-{}-", getpid())));
  EXPECT_NE(one, name_beside("d/a", temporary_mark));
  EXPECT_TRUE(has_mark(one.substr(2), temporary_mark));
  EXPECT_FALSE(has_mark(one.substr(2), kept_mark));
  EXPECT_TRUE(has_mark("a.tmp-1-2", temporary_mark));
  EXPECT_TRUE(has_mark("a.tmp-1-2.tmp-03-4", temporary_mark));
  for (const char* other : {"a", "a.tmp-", "a.tmp-1", "a.tmp-1-", "a.tmp--2", "a.tmp-1-2x",
                            "a.tmp-x-2", ".tmp-1-2", "a.tmp-1-2.tmp-"}) {
    EXPECT_FALSE(has_mark(other, temporary_mark)) << other;
  }
  EXPECT_EQ(parent_of("a"), ".");
  EXPECT_EQ(parent_of("d/a"), "d");
  EXPECT_EQ(parent_of("/a"), "/");
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
  EXPECT_EQ(checksum_text(0x1f), "000000000000001f");
}

TEST(Checksum, WideOnesAreThePublishedOnes) {
  EXPECT_EQ(wide_checksum_of(""), (WideChecksum{0x99aa06d3014798d8u, 0x6001c324468d497fu}));
  EXPECT_NE(wide_checksum_of("a"), wide_checksum_of("b"));
}

}  // namespace
}  // namespace fathom
