#include "report/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "io/open_files.h"
#include "io/temp_dir.h"
#include "report/tensorboard.h"

namespace {
int fdatasync_problem = 0, fdatasync_calls = 0;
}

// Takes the place of the C library's function in this executable.
extern "C" int fdatasync(int file) {
  ++fdatasync_calls;
  errno = fdatasync_problem;
  return fdatasync_problem == 0 ? static_cast<int>(syscall(SYS_fdatasync, file)) : -1;
}

namespace fathom {
namespace {

using test::read_file;

std::string fresh_file(const std::string& name) {
  static const test::TempDir directory("metrics");
  return directory / name;
}

MetricsRecord record_of(std::int64_t step) {
  MetricsRecord record;
  record.step = step;
  record.add("loss", 1.0 / static_cast<double>(step));
  record.add("gradient_norm", std::nan(""));
  return record;
}

TEST(Metrics, ReadsBackWhatWasWritten) {
  const std::string path = fresh_file("back");
  MetricsLog log(path);
  for (int step = 1; step <= 3; ++step) log.write(record_of(step));
  log.sync();
  const auto records = read_metrics(path);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[2].step, 3);
  EXPECT_EQ(*records[2].find("loss"), 1.0 / 3);
  EXPECT_TRUE(std::isnan(*records[2].find("gradient_norm")));
  EXPECT_EQ(records[2].find("absent"), nullptr);
  EXPECT_TRUE(read_file(path).starts_with("{\"step\": 1, \"loss\": 1, \"gradient_norm\": null}\n"));
}

TEST(Metrics, ResumingCutsLaterStepsAndHalfLines) {
  const std::string path = fresh_file("resume");
  {
    MetricsLog log(path);
    for (int step = 1; step <= 5; ++step) log.write(record_of(step));
  }
  std::ofstream(path, std::ios::app) << "{\"step\": 6, \"lo";
  {
    MetricsLog log(path, 3);
    log.write(record_of(4));
  }
  const auto records = read_metrics(path);
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[3].step, 4);
  { MetricsLog fresh(path); }
  EXPECT_EQ(read_file(path), "");
}

// A run that resumed from earlier steps twice: records after the last kept step are cut off.
TEST(Metrics, ResumingCutsFromTheFirstLaterStep) {
  const std::string path = fresh_file("back_twice");
  {
    MetricsLog log(path);
    for (const int step : {1, 2, 2, 5, 3}) log.write(record_of(step));
  }
  { MetricsLog log(path, 3); }
  std::vector<std::int64_t> steps;
  for (const MetricsRecord& record : read_metrics(path)) steps.push_back(record.step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 2, 2})) << "with both records of step 2";
}

TEST(Metrics, WritesEveryDigitAndNullForWhatIsNoNumber) {
  const std::string path = fresh_file("digits");
  MetricsRecord record;
  record.step = 1234567890123;
  record.add("a", 0.1 + 0.2);
  record.add("b", HUGE_VAL);
  record.add("bits_per_byte/en\"x", 1e-300);
  MetricsLog(path).write(record);
  EXPECT_EQ(read_file(path),
            "{\"step\": 1234567890123, \"a\": 0.30000000000000004, \"b\": null, "
            "\"bits_per_byte/en\\\"x\": 1e-300}\n");
}

// A failed flush is told once, until a record is written again.
TEST(Metrics, FlushesToTheDisk) {
  const std::string path = fresh_file("flushed");
  MetricsLog log(path);
  log.write(record_of(1));
  const auto told = [&](int problem) {
    fdatasync_problem = problem;
    testing::internal::CaptureStderr();
    log.sync();
    fdatasync_problem = 0;
    return testing::internal::GetCapturedStderr();
  };
  const int calls = fdatasync_calls;
  EXPECT_EQ(told(0), "");
  EXPECT_EQ(fdatasync_calls, calls + 1);
  const std::string warning =
      "warning: " + path + ": cannot flush to the disk: Input/output error\n";
  EXPECT_EQ(told(EIO), warning);
  EXPECT_EQ(told(EIO), "");
  EXPECT_EQ(told(0), "");
  log.write(record_of(2));
  EXPECT_EQ(told(EIO), warning);
}

TEST(Metrics, SaysWhatItCannotWrite) {
  EXPECT_EQ(test::runtime_error_of([] { MetricsLog("/nonexistent/metrics.jsonl"); }),
            "/nonexistent/metrics.jsonl: cannot write this file: No such file or directory");
  const long before = test::open_files();
  const std::string fifo = fresh_file("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(test::runtime_error_of([&] { MetricsLog log(fifo); }),
            fifo + ": cannot cut off the records after step 0: Invalid argument");
  { const MetricsLog log(fresh_file("closed")); }
  EXPECT_EQ(test::open_files(), before);
}

// Lines that are no record are kept between records, and cut off behind the last.
TEST(Metrics, LinesThatAreNoRecordAreLeftOut) {
  const std::string path = fresh_file("strange");
  const std::string kept = "nothing\n{\"step\": 1, \"loss\": 2}\n{\"loss\": 1}\n{\"step\": 2}\n";
  std::ofstream(path) << kept << "{}\n{\"step\": 9}\n{\"step\": 1}\n";
  EXPECT_EQ(read_metrics(path).size(), 4u);
  { MetricsLog log(path, 2); }
  EXPECT_EQ(read_file(path), kept);
}

// A full disk, played by the limit on a file's size: one warning until a record is written again,
// and no part of a line stays.
TEST(Metrics, AFullDiskIsToldOnce) {
  const std::string path = fresh_file("full");
  MetricsLog log(path);
  for (int i = 0; i < 30; ++i) log.write(record_of(1));  // the captured warnings have to fit too
  const std::string before = read_file(path);
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  testing::internal::CaptureStderr();
  for (const rlim_t room : {rlim_t{0}, rlim_t{5}}) {
    const rlimit full{before.size() + room, old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
    for (int step = 2; step <= 4; ++step) log.write(record_of(step));
    setrlimit(RLIMIT_FSIZE, &old_limit);
    EXPECT_EQ(read_file(path), before) << room;
    if (room == 0) log.write(record_of(1));
    if (room == 0) std::filesystem::resize_file(path, before.size());
  }
  signal(SIGXFSZ, old_action);
  const std::string told = testing::internal::GetCapturedStderr();
  const std::string begin = "warning: " + path + ": step 2 is not recorded: ";
  EXPECT_THAT(told, testing::StartsWith(begin + "File too large; training continues\n"));
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 2) << told;
  EXPECT_THAT(told,
              testing::HasSubstr("\n" + begin + "No space left on device; training continues"));
}

std::uint32_t crc_of(std::string_view text) {
  return crc32c(std::as_bytes(std::span(text)));
}

// Vectors of RFC 3720, appendix B.4.
TEST(TensorBoard, ChecksumIsCastagnoli) {
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc_of(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc_of("123456789"), 0xe3069283u);
}

// The mask of TFRecord (a rotation by 15 bits, and a constant) on RFC 3720's last vector:
// 0xe3069283 turns to 0x2507c60d, and 0xc78ab0e5 with the constant.
TEST(TensorBoard, MaskedChecksumOfAKnownRecord) {
  const std::string_view text = "123456789";
  EXPECT_EQ(masked_crc32c(std::as_bytes(std::span(text))), 0xc78ab0e5u);
  const std::string record = framed_record(text);
  ASSERT_EQ(record.size(), 8u + 4 + 9 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x09\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 9), text);
  EXPECT_EQ(record.substr(21), "\xe5\xb0\x8a\xc7");
  const std::string length = record.substr(0, 8);
  const std::uint32_t crc = crc_of(length);
  const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  std::uint32_t stored = 0;
  std::memcpy(&stored, record.data() + 8, 4);
  EXPECT_EQ(stored, masked);
}

// A field of protobuf's encoding that holds bytes; all here are short.
std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}
// A field that holds a small number.
std::string field(int number, char value) {
  return {static_cast<char>(number << 3), value};
}

// The messages of a file's records, without the time that each begins with.
std::vector<std::string> messages_of(const std::string& path) {
  const std::string all = read_file(path);
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < all.size();) {
    std::uint64_t length = 0;
    if (at + 16 > all.size()) return {"cut off"};
    std::memcpy(&length, all.data() + at, 8);
    const std::string message = all.substr(at + 12, length);
    EXPECT_EQ(framed_record(message), all.substr(at, 16 + length));
    EXPECT_EQ(message[0], 1 << 3 | 1) << "field 1, of 8 bytes";
    messages.push_back(message.substr(9));
    at += 16 + length;
  }
  return messages;
}

TEST(TensorBoard, WritesTheMessagesThatItReads) {
  const std::string path = fresh_file("events");
  std::string file;
  {
    TensorBoardWriter writer(path, 7);
    writer.write(record_of(8));
    writer.write_text(9, "sample", "some text");
    file = writer.path();
  }
  const std::string loss = "\x15" + std::string("\0\0\0\x3e", 4);  // field 2, the float 0.125
  const std::string no_number = "\x15" + std::string("\0\0\xc0\x7f", 4);
  const std::string scalars =
      field(1, field(1, "loss") + loss) + field(1, field(1, "gradient_norm") + no_number);
  const std::string tensor = field(1, 7) + field(2, field(2, field(1, 1))) + field(8, "some text");
  const std::string text =
      field(1, field(1, "sample") + field(8, tensor) + field(9, field(1, field(1, "text"))));
  EXPECT_EQ(messages_of(file),
            (std::vector<std::string>{
                field(3, "brain.Event:2"), field(2, 8) + field(7, field(1, 1)),  // of the restart
                field(2, 8) + field(5, scalars), field(2, 9) + field(5, text)}));
}

// A fresh run has nothing to ignore. Writers of the same second have files of their own, and
// close them.
TEST(TensorBoard, EachWriterHasAFile) {
  const std::string path = fresh_file("two");
  const long before = test::open_files();
  {
    const TensorBoardWriter one(path), two(path), three(path, 1);
    EXPECT_NE(one.path(), two.path());
    EXPECT_EQ(messages_of(one.path()).size(), 1u);
    EXPECT_EQ(messages_of(two.path()).size(), 1u);
    EXPECT_EQ(messages_of(three.path()).size(), 2u);
    EXPECT_EQ(test::open_files(), before + 3);
  }
  EXPECT_EQ(test::open_files(), before);
}

// Runs f while files cannot grow beyond `bytes`, and returns what it wrote to standard error.
template <class F>
std::string told_on_a_full_disk(rlim_t bytes, F&& f) {
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit full{bytes, old_limit.rlim_max};
  const int pipe_of_errors = dup(STDERR_FILENO);
  int ends[2] = {-1, -1};
  EXPECT_EQ(pipe(ends), 0);
  dup2(ends[1], STDERR_FILENO);  // a captured file would be full too
  setrlimit(RLIMIT_FSIZE, &full);
  f();
  setrlimit(RLIMIT_FSIZE, &old_limit);
  dup2(pipe_of_errors, STDERR_FILENO);
  for (const int file : {pipe_of_errors, ends[1]}) close(file);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(ends[0], text.data(), 4096))));
  close(ends[0]);
  signal(SIGXFSZ, old_action);
  return text;
}

// Readers stop at a broken record, so nothing follows it.
TEST(TensorBoard, AFullDiskIsToldOnceAndEndsTheFile) {
  for (const rlim_t room : {rlim_t{0}, rlim_t{5}}) {
    TensorBoardWriter writer(fresh_file(fmt::format("full_events_{}", room)));
    const std::string before = read_file(writer.path());
    const std::string told = told_on_a_full_disk(before.size() + room, [&] {
      for (int step = 1; step <= 3; ++step) writer.write(record_of(step));
    });
    writer.write(record_of(4));
    EXPECT_EQ(read_file(writer.path()).size(), before.size() + room);
    EXPECT_EQ(told,
              fmt::format("warning: {}: no longer written: {}; training continues\n", writer.path(),
                          room == 0 ? "File too large" : "No space left on device"));
  }
}

TEST(TensorBoard, SaysWhatItCannotWrite) {
  const std::string file = fresh_file("file");
  std::ofstream(file) << "x";
  EXPECT_EQ(test::runtime_error_of([&] { TensorBoardWriter(file + "/events"); }),
            file + "/events: cannot create this directory: Not a directory");
}

}  // namespace
}  // namespace fathom
