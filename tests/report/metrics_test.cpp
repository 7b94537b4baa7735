#include "report/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "io/temp_dir.h"
#include "report/tensorboard.h"

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
  EXPECT_THAT(told, testing::HasSubstr("\n" + begin + "No space left on device; training continues"));
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

TEST(TensorBoard, RecordsAreFramed) {
  const std::string path = fresh_file("events");
  std::string file;
  {
    TensorBoardWriter writer(path, 7);
    writer.write(record_of(8));
    writer.write_text(8, "sample", "text");
    file = writer.path();
  }
  const std::string all = read_file(file);
  std::size_t at = 0;
  int records = 0;
  while (at < all.size()) {
    std::uint64_t length = 0;
    ASSERT_LE(at + 16, all.size());
    std::memcpy(&length, all.data() + at, 8);
    ASSERT_LE(at + 16 + length, all.size());
    const std::string_view message = std::string_view(all).substr(at + 12, length);
    EXPECT_EQ(framed_record(message), all.substr(at, 16 + length));
    if (records == 0) {
      EXPECT_THAT(std::string(message), testing::HasSubstr("brain.Event:2"));
    }
    // The message's fields in protobuf's encoding: step is field 2, a varint; the session log's
    // status (1: started) field 1 of field 7; a value has its tag as field 1, its float as field 2.
    if (records == 1) {
      EXPECT_THAT(std::string(message), testing::HasSubstr("\x10\x08"));
      EXPECT_THAT(std::string(message), testing::HasSubstr("\x3a\x02\x08\x01"));
    }
    if (records == 2) {
      EXPECT_THAT(std::string(message), testing::HasSubstr("\x10\x08"));
      const float loss = 0.125f;
      std::string value(4, 0);
      std::memcpy(value.data(), &loss, 4);
      EXPECT_THAT(std::string(message), testing::HasSubstr("\x0a\x04loss\x15" + value));
      EXPECT_THAT(std::string(message), testing::HasSubstr("gradient_norm"));
    }
    at += 16 + length;
    ++records;
  }
  EXPECT_EQ(records, 4);  // version, restart, scalars, text
}

}  // namespace
}  // namespace fathom
