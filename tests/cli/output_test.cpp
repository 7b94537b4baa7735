// Outputs of every command: a link is written through, a FIFO or a device is written
// into, nothing that Fathom did not make is removed, and a failure leaves the old file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

class Output : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(dir_);
    write_file(dir_ / "in.txt", "12 ships left\n");
    must(run_fathom(
        dir_, {"tokenizer", "encode", tokenizer_, dir_ / "in.txt", "--out", dir_ / "in.ids"}));
    ids_ = read_file(dir_ / "in.ids");
  }
  Outcome encode(const std::string& out) {
    return run_fathom(dir_, {"tokenizer", "encode", tokenizer_, dir_ / "in.txt", "--out", out});
  }
  Outcome decode(const std::string& out) {
    return run_fathom(dir_, {"tokenizer", "decode", tokenizer_, dir_ / "in.ids", "--out", out});
  }
  Outcome learn(const std::string& out) {
    return run_fathom(
        dir_, {"tokenizer", "train", dir_ / "text.txt", "--vocab-size", "300", "--out", out});
  }
  Outcome prepare(const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words{"/usr/bin/env"};
    words.insert(words.end(), environment.begin(), environment.end());
    words.insert(words.end(),
                 {FATHOM_BINARY, "data", "prepare", dir_ / "data.toml", "--overwrite"});
    return Process(dir_, words, Process::Program::any).wait();
  }

  TempDir dir_;
  const std::string tokenizer_ = dir_ / "tokenizer.json";
  std::string ids_;
};

TEST_F(Output, FilesAreWrittenThroughLinks) {
  const std::string target = dir_ / "disk/target";
  fs::create_directory(dir_ / "disk");
  fs::create_symlink("disk/target", dir_ / "link");
  must(encode(dir_ / "link"));  // which leads nowhere yet
  EXPECT_EQ(read_file(target), ids_);
  must(decode(dir_ / "link"));
  EXPECT_EQ(read_file(target), "12 ships left\n");
  must(learn(dir_ / "link"));
  EXPECT_EQ(read_file(target), read_file(tokenizer_));
  EXPECT_TRUE(fs::is_symlink(dir_ / "link"));
  EXPECT_TRUE(fs::is_regular_file(target));
}

TEST_F(Output, FifosAreWrittenInto) {
  const std::string pipe = dir_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  must(encode(pipe));
  std::string arrived(ids_.size() + 1, ' ');
  EXPECT_EQ(read(reader, arrived.data(), arrived.size()), std::ssize(ids_));
  EXPECT_THAT(arrived, StartsWith(ids_));
  must(decode(pipe));
  EXPECT_EQ(read(reader, arrived.data(), arrived.size()), 14);
  close(reader);
  EXPECT_TRUE(fs::is_fifo(pipe));
}

// On a device of the test's own: a defect here would replace the machine's.
TEST_F(Output, DevicesAreWrittenInto) {
  const std::string full = dir_ / "full";
  if (mknod(full.c_str(), S_IFCHR | 0600, makedev(1, 7)) != 0) {
    GTEST_SKIP() << "takes the right to make devices";
  }
  const Outcome outcome = encode(full);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(full));
  EXPECT_TRUE(fs::is_character_file(full));
}

TEST_F(Output, StandardOutputHasAFileNameToo) {
  const Outcome outcome = encode("/dev/stdout");
  must(outcome);
  EXPECT_EQ(outcome.out, ids_);
}

TEST_F(Output, ThatCannotBeWrittenIsToldBeforeTheWork) {
  for (const Outcome& outcome : {learn(dir_.path()), encode(dir_.path()), decode(dir_.path()),
                                 run_fathom(dir_, {"bench", "cpu", "--json", dir_.path()})}) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, "error: " + dir_.path() + ": is a directory; name a file to write\n");
  }
  const Outcome absent = learn(dir_ / "absent/tokenizer.json");
  EXPECT_EQ(absent.code, 1);
  EXPECT_THAT(absent.err, StartsWith("error: " + (dir_ / "absent/tokenizer.json.tmp-")));
  EXPECT_THAT(absent.err, testing::Not(HasSubstr("\nerror"))) << "nothing was learned first";
}

TEST_F(Output, AFullDiskLeavesTheOldFile) {
  const Outcome outcome = run_fathom(
      dir_, {"tokenizer", "encode", tokenizer_, dir_ / "text.txt", "--out", dir_ / "in.ids"}, 4096);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("writing failed after 4096 bytes"));
  EXPECT_EQ(read_file(dir_ / "in.ids"), ids_);
  EXPECT_EQ(prepare().code, 0);
  const std::string manifest = read_file(dir_ / "data/manifest.json");
  EXPECT_EQ(run_fathom(dir_, {"data", "prepare", dir_ / "data.toml", "--overwrite"}, 4096).code, 1);
  EXPECT_EQ(read_file(dir_ / "data/manifest.json"), manifest);
  for (const auto& entry : fs::directory_iterator(dir_.path())) {
    EXPECT_THAT(entry.path().string(), testing::Not(HasSubstr(".tmp-")));
  }
}

TEST_F(Output, PreparedDirectoryWithFilesOfOthersIsNotReplaced) {
  write_file(dir_ / "data/notes.txt", "mine");
  const Outcome outcome = prepare();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("data: holds notes.txt, which Fathom did not make"));
  EXPECT_EQ(read_file(dir_ / "data/notes.txt"), "mine");
}

TEST_F(Output, PreparedDirectoryIsReplacedWhereNoneExchanges) {
  const Outcome outcome = prepare({"LD_PRELOAD=" FATHOM_FAULT_SHIM, "FATHOM_FAULT=exchange -1 0",
                                   "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"});
  must(outcome);
  EXPECT_EQ(run_fathom(dir_, {"data", "check", dir_ / "data"}).code, 0);
  for (const auto& entry : fs::directory_iterator(dir_.path())) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(name == "data.toml" || !name.starts_with("data.")) << name << " is left";
  }
}

TEST_F(Output, ConvertedModelsAreMadeWhereALinkLeads) {
  must(run_fathom(dir_, {"train", make_tiny_config(dir_), "--set", "train.steps=2"}));
  fs::create_directory(dir_ / "disk");
  fs::create_symlink("disk/model", dir_ / "model");
  must(run_fathom(dir_, {"convert", dir_ / "run", dir_ / "model"}));
  EXPECT_TRUE(fs::is_symlink(dir_ / "model"));
  EXPECT_TRUE(fs::exists(dir_ / "disk/model/model.safetensors"));
  const Outcome again = run_fathom(dir_, {"convert", dir_ / "run", dir_ / "model"});
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("exists already"));
}

}  // namespace
}  // namespace fathom::test
