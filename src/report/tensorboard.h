// Writes TensorBoard's event files: records of one protobuf message each, framed with
// lengths and masked CRC-32C checksums (the TFRecord format).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "report/metrics.h"

namespace fathom {

class TensorBoardWriter {
 public:
  // Starts a new event file in `directory` (created when absent). With `resumed_step`,
  // TensorBoard is told to ignore later steps in earlier files.
  explicit TensorBoardWriter(const std::string& directory, std::int64_t resumed_step = 0);
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;

  // Adds a point to the curve of each value, written to the operating system at once. The
  // first failure (a full disk) is logged as a warning.
  void write(const MetricsRecord& record);
  // A text (Markdown) that TensorBoard shows under its Text tab.
  void write_text(std::int64_t step, std::string_view tag, std::string_view text);

  const std::string& path() const { return path_; }

 private:
  void append(std::string_view event);

  std::string path_;
  int file_ = -1;
  bool failed_ = false;
};

// CRC-32C (Castagnoli), and the mask that TFRecord applies to it.
std::uint32_t crc32c(std::span<const std::byte> bytes);
std::uint32_t masked_crc32c(std::span<const std::byte> bytes);
// length (u64), its masked CRC, the message, its masked CRC; little endian.
std::string framed_record(std::string_view message);

}  // namespace fathom
