#include "io/atomic_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "io/atomic_file.h"
#include "io/recorded_calls.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using test::input_error_of;
using test::read_file;
using test::RecordedCalls;
using test::TempDir;
using test::write_file;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const OwnFiles own = {"a", "b", "train/*.tokens"};

// A file system without RENAME_EXCHANGE, such as NFS.
int no_exchange(const std::string& call) {
  return call.starts_with("exchange") ? EINVAL : 0;
}

// Runs f in a process of its own, which f kills.
template <class F>
void in_killed_process(F&& f) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    f();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "was not killed";
}

void replace(const std::string& path, const std::string& content) {
  AtomicDirectory out(path, own);
  write_file(out.file("a"), content);
  out.commit();
}

TEST(AtomicDirectory, AppearsWholeByOneRename) {
  const TempDir dir;
  {
    AtomicDirectory out(dir / "out/");
    write_file(out.file("sub/a"), "1");
    EXPECT_FALSE(fs::exists(dir / "out"));
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

TEST(AtomicDirectory, IsFlushedWithAllInItBeforeItsRename) {
  const TempDir dir;
  AtomicDirectory out(dir / "new/parent/out");
  write_file(out.file("sub/a"), "1");
  RecordedCalls recorded(dir.path());
  out.commit();
  EXPECT_THAT(recorded.calls(),
              ElementsAre("fsync new/parent/out.tmp/sub", "fsync new/parent/out.tmp/sub/a",
                          "fsync new/parent/out.tmp", "rename new/parent/out.tmp new/parent/out",
                          "fsync new/parent", "fsync new", "fsync ."));
}

TEST(AtomicDirectory, FlushesWhatItsFilesLeaveToIt) {
  const TempDir dir;
  AtomicDirectory out(dir / "out");
  RecordedCalls recorded(dir.path());
  write_file_atomically(out.file("a"), "1", Flush::by_directory);
  EXPECT_THAT(recorded.calls(), ElementsAre("rename out.tmp/a.tmp out.tmp/a"));
  out.commit();
  EXPECT_THAT(recorded.calls(), ElementsAre("rename out.tmp/a.tmp out.tmp/a", "fsync out.tmp/a",
                                            "fsync out.tmp", "rename out.tmp out", "fsync ."));
}

TEST(AtomicDirectory, ExistingOneIsRefused) {
  const TempDir dir;
  write_file(dir / "out/a", "1");
  EXPECT_EQ(input_error_of([&] { AtomicDirectory(dir / "out"); }),
            (dir / "out") + ": this directory exists already; choose another one or remove it");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, ReplacesWhatFathomMade) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  fs::permissions(dir / "out", fs::perms(0750));
  {
    AtomicDirectory given_up(dir / "out", own);
    write_file(given_up.file("a"), "2");
  }
  EXPECT_EQ(read_file(dir / "out/b"), "1");
  EXPECT_EQ(dir.count(), 1);
  RecordedCalls recorded(dir.path());
  replace(dir / "out", "2");
  EXPECT_THAT(recorded.calls(),
              ElementsAre("rename out out.tmp",  // the test whether it can be renamed
                          "fsync out.tmp/a", "fsync out.tmp", "exchange out.tmp out", "fsync ."));
  EXPECT_EQ(read_file(dir / "out/a"), "2");
  EXPECT_FALSE(fs::exists(dir / "out/b"));
  EXPECT_EQ(fs::status(dir / "out").permissions(), fs::perms(0750));
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, WithFilesOfOthersIsNotReplaced) {
  const TempDir dir;
  write_file(dir / "out/a", "1");
  write_file(dir / "out/train/en-00000.tokens", "1");
  require_replaceable(dir / "out", own);
  for (const std::string name : {"notes.txt", "train/notes.txt", "sub/a", "train/sub/x.tokens"}) {
    write_file(dir / ("out/" + name), "mine");
    const std::string expected =
        fmt::format("{}: holds {}, which Fathom did not make", dir / "out", name);
    EXPECT_THAT(input_error_of([&] { require_replaceable(dir / "out", own); }),
                StartsWith(expected));
    EXPECT_THAT(input_error_of([&] { AtomicDirectory(dir / "out", own); }), StartsWith(expected));
    EXPECT_EQ(read_file(dir / ("out/" + name)), "mine");
    fs::remove(dir / ("out/" + name));
  }
  // A link is not Fathom's, whatever its name.
  fs::create_symlink(dir / "out/a", dir / "out/b");
  EXPECT_THAT(input_error_of([&] { require_replaceable(dir / "out", own); }),
              HasSubstr("holds b, which"));
  write_file(dir / "file", "mine");
  EXPECT_THAT(input_error_of([&] { require_replaceable(dir / "file", own); }),
              HasSubstr("file: is a file"));
  EXPECT_EQ(dir.count(), 2);
}

TEST(AtomicDirectory, FilesOfOthersThatComeMeanwhileAreKept) {
  for (const bool exchange : {true, false}) {
    const TempDir dir;
    write_file(dir / "out/b", "1");
    AtomicDirectory out(dir / "out", own);
    write_file(out.file("a"), "2");
    write_file(dir / "out/sub/notes.txt", "mine");
    RecordedCalls recorded(dir.path());
    if (!exchange) recorded.on_call = no_exchange;
    out.commit();
    EXPECT_EQ(read_file(dir / "out/a"), "2");
    ASSERT_EQ(dir.count(), 2);
    for (const auto& entry : fs::directory_iterator(dir.path())) {
      if (entry.path().filename() == "out") continue;
      EXPECT_THAT(entry.path().string(), StartsWith(dir / "out.kept-"));
      EXPECT_EQ(read_file(entry.path() / "sub/notes.txt"), "mine");
      EXPECT_FALSE(fs::exists(entry.path() / "b"));
    }
  }
}

TEST(AtomicDirectory, ThatComesMeanwhileIsKept) {
  const TempDir dir;
  AtomicDirectory out(dir / "out");
  write_file(dir / "out/a", "theirs");
  EXPECT_THAT(input_error_of([&] { out.commit(); }), HasSubstr("File exists"));
  EXPECT_EQ(read_file(dir / "out/a"), "theirs");
}

TEST(AtomicDirectory, LinksAreWrittenThrough) {
  const TempDir dir;
  write_file(dir / "disk/old/a", "1");
  fs::create_symlink("disk/old", dir / "link");
  fs::create_symlink("disk/new", dir / "dangling");
  replace(dir / "link/", "2");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "disk/old/a"), "2");
  replace(dir / "dangling", "3");
  EXPECT_EQ(read_file(dir / "disk/new/a"), "3");
  EXPECT_THAT(input_error_of([&] { AtomicDirectory(dir / "link"); }), HasSubstr("exists already"));
  EXPECT_EQ(dir.count(), 3);
}

TEST(AtomicDirectory, IsReplacedByTwoRenamesWhereNoneExchanges) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  RecordedCalls recorded(dir.path());
  recorded.on_call = no_exchange;
  replace(dir / "out", "2");
  EXPECT_THAT(recorded.calls(), ElementsAre("rename out out.tmp", "fsync out.tmp/a",
                                            "fsync out.tmp", "exchange out.tmp out",
                                            "rename out out.old", "rename out.tmp out", "fsync ."));
  EXPECT_EQ(read_file(dir / "out/a"), "2");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, OldOneIsBackWhenTheSecondRenameFails) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  RecordedCalls recorded(dir.path());
  recorded.on_call = [](const std::string& call) {
    return call == "rename out.tmp out" ? EIO : no_exchange(call);
  };
  EXPECT_THAT(input_error_of([&] { replace(dir / "out", "2"); }),
              HasSubstr("out: this directory cannot be replaced: Input/output error"));
  EXPECT_EQ(read_file(dir / "out/b"), "1");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, KilledBetweenTheTwoRenamesLosesNothing) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  in_killed_process([&] {
    RecordedCalls recorded(dir.path());
    recorded.on_call = [](const std::string& call) {
      if (call == "rename out.tmp out") kill(getpid(), SIGKILL);
      return no_exchange(call);
    };
    replace(dir / "out", "2");
  });
  EXPECT_FALSE(fs::exists(dir / "out"));
  require_replaceable(dir / "out", own);
  EXPECT_EQ(read_file(dir / "out/b"), "1");
  replace(dir / "out", "3");
  EXPECT_EQ(read_file(dir / "out/a"), "3");
  EXPECT_EQ(dir.count(), 1) << "nothing is left of the killed process";
}

TEST(AtomicDirectory, KilledAfterTheTwoRenamesKeepsTheNewOne) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  in_killed_process([&] {
    RecordedCalls recorded(dir.path());
    recorded.on_call = [](const std::string& call) {
      if (call == "fsync .") kill(getpid(), SIGKILL);
      return no_exchange(call);
    };
    replace(dir / "out", "2");
  });
  EXPECT_EQ(dir.count(), 2);
  require_replaceable(dir / "out", own);
  EXPECT_EQ(read_file(dir / "out/a"), "2");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, ThatCannotBeRenamedIsRefusedBeforeTheWork) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  RecordedCalls recorded(dir.path());
  recorded.on_call = [](const std::string&) { return EBUSY; };  // a mount point
  EXPECT_THAT(
      input_error_of([&] { AtomicDirectory(dir / "out", own); }),
      AllOf(HasSubstr("cannot be replaced: Device or resource busy"), HasSubstr("mount point")));
  EXPECT_EQ(read_file(dir / "out/b"), "1");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, RemovesWhatAKilledProcessLeftButNoLivingOnes) {
  const TempDir dir;
  in_killed_process([&] {
    write_file((new AtomicDirectory(dir / "out"))->file("a"), "1");
    kill(getpid(), SIGKILL);
  });
  EXPECT_EQ(dir.count(), 1);
  write_file(dir / "other.tmp-1-0/a", "1");
  const AtomicDirectory living(dir / "out");
  EXPECT_EQ(dir.count(), 2) << "the killed one's is gone, the other output's stays";
  AtomicDirectory second(dir / "out");
  EXPECT_EQ(dir.count(), 3);
  second.commit();
  EXPECT_TRUE(fs::exists(living.temporary()));
}

TEST(AtomicDirectory, ErrorsNameTheDirectoryAndWhatToDo) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  for (const int problem : {EIO, EBUSY}) {
    RecordedCalls recorded(dir.path());
    recorded.on_call = [&](const std::string& call) {
      return call == "rename out.tmp out" ? problem : no_exchange(call);
    };
    EXPECT_EQ(input_error_of([&] { replace(dir / "out", "2"); }),
              (dir / "out") + ": this directory cannot be replaced: " +
                  (problem == EIO ? "Input/output error; choose another one"
                                  : "Device or resource busy; choose another one, such as one "
                                    "inside it, if it is a mount point"));
  }
  RecordedCalls recorded(dir.path());
  recorded.on_call = [](const std::string& call) { return call.starts_with("rename") ? EIO : 0; };
  AtomicDirectory fresh(dir / "new");
  EXPECT_EQ(test::runtime_error_of([&] { fresh.commit(); }),
            (dir / "new") + ": cannot give the finished directory this name: Input/output error");
}

TEST(AtomicDirectory, AFileThatComesMeanwhileIsKept) {
  const TempDir dir;
  {
    AtomicDirectory out(dir / "out", own);
    write_file(dir / "out", "mine");
    EXPECT_EQ(input_error_of([&] { out.commit(); }),
              (dir / "out") +
                  ": this directory cannot be replaced: Not a directory; choose another "
                  "one");
  }
  EXPECT_EQ(read_file(dir / "out"), "mine");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, MovesWithItsTemporary) {
  const TempDir dir;
  {
    AtomicDirectory out(dir / "out");
    AtomicDirectory moved(std::move(out));
    write_file(moved.file("a"), "1");
    moved.commit();
  }
  EXPECT_EQ(read_file(dir / "out/a"), "1");
  { AtomicDirectory moved(AtomicDirectory(dir / "other")); }
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, KeepsTheModeOfWhatItReplaces) {
  for (const bool exchange : {true, false}) {
    const TempDir dir;
    write_file(dir / "out/a", "1");
    fs::permissions(dir / "out", fs::perms(02710));
    RecordedCalls recorded(dir.path());
    if (!exchange) recorded.on_call = no_exchange;
    replace(dir / "out", "2");
    EXPECT_EQ(fs::status(dir / "out").permissions(), fs::perms(02710));
  }
}

// Where it may not be replaced, an interrupted replacement is finished, too.
TEST(AtomicDirectory, RestoresAnInterruptedReplacementBeforeItRefusesTheName) {
  const TempDir dir;
  write_file(dir / "out.old-2000000000-0/a", "old");
  testing::internal::CaptureStderr();
  EXPECT_THAT(input_error_of([&] { AtomicDirectory(dir / "out"); }), HasSubstr("exists already"));
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      HasSubstr((dir / "out") + ": restored to the earlier directory, because its replacement was "
                                "interrupted"));
  EXPECT_EQ(read_file(dir / "out/a"), "old");
  EXPECT_EQ(dir.count(), 1);
}

TEST(AtomicDirectory, WarnsWhereFilesOfOthersWereKept) {
  const TempDir dir;
  write_file(dir / "out/b", "1");
  AtomicDirectory out(dir / "out", own);
  write_file(dir / "out/notes.txt", "mine");
  testing::internal::CaptureStderr();
  out.commit();
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      HasSubstr((dir / "out") +
                ": files that Fathom did not make were put here meanwhile; they are now in " +
                (dir / "out.kept-")));
}

TEST(AtomicDirectory, TemporariesOfOneFileAreRemovedAlone) {
  const TempDir dir;
  for (const char* name : {"a.tmp-1-0", "a.tmp-2-5", "ab.tmp-1-0", "a.old-1-0", "a.tmp-x", "a"}) {
    write_file(dir / name, "1");
  }
  remove_stale_temporaries_of(dir / "a");
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    left.push_back(entry.path().filename());
  }
  EXPECT_THAT(left, testing::UnorderedElementsAre("ab.tmp-1-0", "a.old-1-0", "a.tmp-x", "a"));
  EXPECT_TRUE(is_temporary("a.tmp-1-0"));
  EXPECT_FALSE(is_temporary("a.old-1-0"));
  EXPECT_FALSE(is_temporary("a"));
}

TEST(AtomicDirectory, LookingForFilesOfOtherHostsLeavesNothing) {
  const TempDir dir;
  see_files_of_other_hosts(dir.path());
  EXPECT_EQ(dir.count(), 0);
  EXPECT_THAT(test::runtime_error_of([&] { see_files_of_other_hosts(dir / "none"); }),
              HasSubstr("cannot write this file: No such file or directory"));
}

TEST(AtomicDirectory, StaleTemporariesAreFoundByName) {
  const TempDir dir;
  write_file(dir / "step-10.tmp-123-4/a", "1");
  write_file(dir / "b.tmp-99-0", "1");
  for (const char* other :
       {"notes.tmp-keep", "notes.tmp-7", "c.tmp-1-2-3", ".tmp-1-2", "x.tmp-1-"}) {
    write_file(dir / other, "1");
  }
  write_file(dir / "step-9/a", "1");
  EXPECT_EQ(remove_stale_temporaries(dir.path()), 2);
  EXPECT_EQ(dir.count(), 6);
}

}  // namespace
}  // namespace fathom
