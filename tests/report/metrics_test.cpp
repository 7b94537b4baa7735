#include "report/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "report/tensorboard.h"

namespace fathom {
namespace {

std::string fresh_file(const std::string& name) {
  const std::string path = testing::TempDir() + "metrics_test_" + name;
  std::filesystem::remove_all(path);
  return path;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
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

std::uint32_t crc_of(std::string_view text) {
  return crc32c(std::as_bytes(std::span(text)));
}

// Vectors of RFC 3720, appendix B.4.
TEST(TensorBoard, ChecksumIsCastagnoli) {
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc_of(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc_of("123456789"), 0xe3069283u);
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
    if (records == 2) {
      EXPECT_THAT(std::string(message), testing::HasSubstr("loss"));
    }
    at += 16 + length;
    ++records;
  }
  EXPECT_EQ(records, 4);  // version, restart, scalars, text
}

}  // namespace
}  // namespace fathom
