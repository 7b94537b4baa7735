// Event files that TensorBoard opens: records of one protobuf message each,
// framed with lengths and masked CRC-32C checksums (the TFRecord format).
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
  // Starts a new event file in `directory` (created when absent). With
  // `resumed_step`, TensorBoard is told to forget what earlier files hold of
  // later steps.
  explicit TensorBoardWriter(const std::string& directory, std::int64_t resumed_step = 0);
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;

  // A point of each of the record's curves. Handed to the operating system at
  // once. A failure (a full disk) is a warning, once.
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
