// The stages of data on text that is damaged, lies about its lengths, or unpacks to gigabytes, and
// on disks that are full or may not be written: what is wrong is counted or refused by name, no
// process dies of it, and nothing that was finished is lost.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "cli/tiny_run.h"
#include "io/checksum.h"
#include "io/packed.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Arguments = std::vector<std::string>;

const std::vector<std::string> writing_stages = {"clean", "dedup", "prepare"};
const std::vector<std::string> all_stages_of_text = {"clean", "dedup", "prepare", "stats",
                                                     "sample"};
const std::string good_row = "{\"text\": \"a good text\"}\n";

class HostileText : public testing::Test {
 protected:
  void SetUp() override {
    write_file(dir_ / "words.txt", "one two three\n");
    must(run_fathom(dir_, {"tokenizer", "train", dir_ / "words.txt", "--vocab-size", "260", "--out",
                           dir_ / "t.json"}));
  }

  // The command that reads the folder `in`; its output is dir/out.
  Arguments stage(const std::string& name, bool skip = false) {
    Arguments words{"data", name};
    if (name == "stats" || name == "sample") {
      words.push_back(dir_ / "in");
      if (skip) words.emplace_back("--skip-broken-lines");
      return words;
    }
    const std::string own =
        name == "clean"   ? "[[filters]]\nrule = \"words\"\nmin = 1\n"
        : name == "dedup" ? ""
                          : "tokenizer = \"" + (dir_ / "t.json") + "\"\nheld_out_fraction = 0.0\n";
    const std::string top = fmt::format("output = \"{}\"\n", dir_ / "out");
    const std::string source = fmt::format(
        "[[sources]]\nname = \"s\"\npaths = [\"{}\"]\nskip_broken_lines = {}\n", dir_ / "in", skip);
    write_file(dir_ / "stage.toml", name == "clean" ? top + source + own : top + own + source);
    words.push_back(dir_ / "stage.toml");
    return words;
  }
  Outcome run(const std::string& name, bool skip = false) {
    fs::remove_all(dir_ / "out");
    return run_fathom(dir_, stage(name, skip));
  }
  void put(const std::string& name, const std::string& content) {
    fs::remove_all(dir_ / "in");
    write_file(dir_ / ("in/" + name), content);
  }

  // Every stage refuses what is in the folder, with words that name the file.
  void expect_refused(const std::string& message) {
    for (const std::string& name : all_stages_of_text) {
      const Outcome outcome = run(name);
      EXPECT_EQ(outcome.code, 2) << name << outcome.err;
      EXPECT_THAT(outcome.err, HasSubstr((dir_ / "in/") + message)) << name;
      EXPECT_THAT(outcome.out, "") << name;
    }
  }
  // Every stage reads it, and says so many words about it.
  void expect_told(const std::string& message, bool skip) {
    for (const std::string& name : all_stages_of_text) {
      const Outcome outcome = run(name, skip);
      EXPECT_EQ(outcome.code, 0) << name << outcome.err;
      EXPECT_THAT(outcome.out + outcome.err, HasSubstr(message)) << name;
    }
  }

  std::map<std::string, std::uint64_t> files_of(const std::string& folder) const {
    std::map<std::string, std::uint64_t> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string name = entry.path().lexically_relative(folder);
      if (entry.is_regular_file() && !name.ends_with(".lock")) {
        files[name] = checksum_of_file(entry.path());
      }
    }
    return files;
  }

  TempDir dir_;
};

// Rows of which a tool that looks far back makes little, and one that does not much.
std::string repeated_rows(int times) {
  std::string block, rows;
  for (int i = 0; block.size() < 1'200'000; ++i) {
    block += fmt::format("{} {:x} ", i * 7919 % 104729, static_cast<unsigned>(i) * 2654435761u);
  }
  for (int i = 0; i < times; ++i) {
    for (std::size_t at = 0; at < block.size(); at += 3000) {
      rows += fmt::format("{{\"text\": \"{} {} {}\"}}\n", i, at, block.substr(at, 3000));
    }
  }
  return rows;
}

TEST_F(HostileText, CutAndDamagedMembersAreRefusedByName) {
  std::string rows;
  for (int i = 0; i < 5000; ++i) rows += fmt::format("{{\"text\": \"row {}\"}}\n", i * i);
  for (const std::string& packed : {gzip(rows), zstd(rows), xz(rows), bzip2(rows)}) {
    put("a.jsonl", packed.substr(0, packed.size() / 2));
    expect_refused("a.jsonl: the compressed data end too early");
    put("a.jsonl", packed + packed.substr(0, packed.size() / 2));  // the second of two members
    expect_refused("a.jsonl: the compressed data end too early");
    std::string damaged = packed;
    for (std::size_t i = packed.size() / 2; i < packed.size() / 2 + 64; ++i) damaged[i] ^= 0x55;
    put("a.jsonl", damaged);
    expect_refused("a.jsonl: the compressed data cannot be unpacked");
  }
}

TEST_F(HostileText, LengthsThatLieAreCounted) {
  const auto record = [](const std::string& length) {
    return "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: " + length +
           "\r\n\r\nthe text\r\n\r\n";
  };
  for (const std::string length :
       {"7", "9", "18446744073709551615", "99999999999999999999999", "-1", "", "33554433", "0x8"}) {
    put("a.wet", record("8") + record(length) + record("8"));
    expect_refused("a.wet: record 2:");
    expect_told("1 broken lines are left out", true);
  }
}

TEST_F(HostileText, BrokenUtf8AndNulsAreCounted) {
  std::string rows;
  for (int i = 0; i < 50; ++i) rows += good_row;
  put("a.jsonl", rows + "{\"text\": \"a \xff\xfe b \xe4\xb8 c\"}\n");
  expect_told("4 bytes in 1 texts are not UTF-8", false);
  put("a.jsonl", rows + "{\"text\": \"a \\u0000 b\"}\n");  // a NUL as a character
  for (const std::string& name : all_stages_of_text) EXPECT_EQ(run(name).code, 0) << name;
  // As bytes: few and many at the beginning of a file, and far behind it.
  put("a.jsonl", rows + "{\"text\": \"a " + std::string(3, '\0') + " b\"}\n");
  expect_refused("a.jsonl:51: not valid JSON");
  expect_told("1 broken lines are left out", true);
  put("a.jsonl", rows + std::string(100'000, '\0') + "\n" + rows);
  expect_refused("a.jsonl: holds binary data");
  while (rows.size() < 200'000) rows += good_row;
  const auto lines = std::ranges::count(rows, '\n');
  for (const int nuls : {3, 100'000}) {
    put("a.jsonl", rows + std::string(nuls, '\0') + "\n" + rows);
    expect_refused(fmt::format("a.jsonl:{}: not valid JSON", lines + 1));
    expect_told("1 broken lines are left out", true);
  }
}

// Nearly a thousandfold and more.
TEST_F(HostileText, WhatUnpacksAThousandfoldIsRead) {
  const std::string row = "{\"text\": \"" + std::string(8 << 20, 'a') + "\"}\n";  // 8 MB
  for (const std::string& packed : {gzip(row), zstd(row), xz(row), bzip2(row)}) {
    EXPECT_LT(packed.size(), row.size() / 900);
    put("a.jsonl", packed);
    for (const std::string& name : all_stages_of_text) {
      const Outcome outcome = run(name);
      EXPECT_EQ(outcome.code, 0) << name << outcome.err;
      EXPECT_LT(outcome.peak_kb, 1 << 20) << name;
    }
  }
}

// Some kilobytes that hold more than a gigabyte in a line.
TEST_F(HostileText, ADocumentOfGigabytesIsRefusedByNameOrCounted) {
  std::string bomb = zstd("{\"text\": \"");
  const std::string letters = zstd(std::string(64 << 20, 'a'));
  for (int i = 0; i < 17; ++i) bomb += letters;
  put("a.jsonl", zstd(good_row) + bomb + zstd("\"}\n" + good_row));
  for (const std::string& name : all_stages_of_text) {
    const Outcome refused = run(name);
    EXPECT_EQ(refused.code, 2) << name << refused.err;
    EXPECT_THAT(refused.err, HasSubstr("a.jsonl:2: this document has more than 1073741824 bytes; "
                                       "mend the line or set skip_broken_lines"))
        << name;
    EXPECT_LT(refused.peak_kb, 4 << 20) << name;
  }
  for (const std::string name : {"clean", "prepare"}) {
    const Outcome counted = run(name, true);
    EXPECT_EQ(counted.code, 0) << name << counted.err;
    EXPECT_THAT(counted.out + counted.err, HasSubstr("1 broken lines are left out")) << name;
    EXPECT_LT(counted.peak_kb, 4 << 20) << name;
  }
}

// With a folder that may not be written, and with a disk of two megabytes; then with room.
class HostileDisk : public HostileText {
 protected:
  // A shell that has its own mounts.
  Outcome in_namespace(const std::string& script) {
    return Process(dir_, {"/usr/bin/unshare", "-rm", "/bin/sh", "-c", script},
                   Process::Program::any)
        .wait();
  }
  void SetUp() override {
    HostileText::SetUp();
    fs::create_directory(dir_ / "mount");
    if (in_namespace("mount -t tmpfs none '" + (dir_ / "mount") + "'").code != 0) {
      GTEST_SKIP() << "takes the right to mount in a namespace";
    }
  }
  // As a shell calls it, with output in a folder of the mount.
  std::string call(const std::string& name) {
    std::string line = "'" FATHOM_BINARY "'";
    for (const std::string& word : stage(name)) line += " '" + word + "'";
    return line + " --set output='" + (dir_ / "mount/out") + "'";
  }
};

TEST_F(HostileDisk, AFolderThatIsReadOnlyIsNamedAtOnce) {
  put("a.jsonl", good_row);
  const std::string mount = dir_ / "mount";
  for (const std::string& name : writing_stages) {
    const Outcome outcome = in_namespace(fmt::format(
        "mount -t tmpfs none '{0}' && mount -o remount,ro '{0}' && exec {1}", mount, call(name)));
    EXPECT_GT(outcome.code, 0) << name << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("error: " + mount)) << name;
    EXPECT_THAT(outcome.err, HasSubstr("Read-only file system")) << name;
  }
}

TEST_F(HostileDisk, AFullOneLosesNothing) {
  put("a.jsonl", xz(repeated_rows(8)));
  for (const std::string& name : writing_stages) {
    must(run(name));
    const auto files = files_of(dir_ / "out");
    const std::string script = fmt::format(
        "mount -t tmpfs -o size=2m none '{0}'; {1}; echo code $?; mount -o remount,size=1g '{0}'; "
        "{1} "
        "> /dev/null; echo code $?; cp -r '{0}/out' '{2}'",
        dir_ / "mount", call(name), dir_ / "copy");
    fs::remove_all(dir_ / "copy");
    const Outcome outcome = in_namespace(script);
    EXPECT_EQ(outcome.out, "code 1\ncode 0\n") << name << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("No space left on device")) << name;
    EXPECT_TRUE(files_of(dir_ / "copy") == files) << name;
  }
}

TEST_F(HostileDisk, OneThatIsClearlyTooSmallIsRefusedAtTheStart) {
  put("a.jsonl", repeated_rows(3));
  for (const std::string& name : writing_stages) {
    const Outcome outcome = in_namespace(
        fmt::format("mount -t tmpfs -o size=100k none '{}'; exec {}", dir_ / "mount", call(name)));
    EXPECT_EQ(outcome.code, 1) << name << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("bytes, but only")) << name;
  }
}

}  // namespace
}  // namespace fathom::test
