// metrics.jsonl: one JSON object a step, the record that plots and reports are
// made from. Names are free; those below have a meaning to report.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom {

namespace metric {
inline constexpr std::string_view loss = "loss";
inline constexpr std::string_view gradient_norm = "gradient_norm";
inline constexpr std::string_view learning_rate = "learning_rate";
inline constexpr std::string_view tokens = "tokens";  // seen so far
inline constexpr std::string_view tokens_per_second = "tokens_per_second";
inline constexpr std::string_view share_of_peak = "share_of_peak";  // of the measured GEMM peak
inline constexpr std::string_view seconds = "seconds";              // of the run so far
inline constexpr std::string_view validation_loss = "validation_loss";
inline constexpr std::string_view bits_per_byte = "bits_per_byte";
// A source's own: "bits_per_byte/wikipedia".
inline std::string of_source(std::string_view name, std::string_view source) {
  return std::string(name) + "/" + std::string(source);
}
}  // namespace metric

// What was measured at a step, in the order in which it is written.
struct MetricsRecord {
  std::int64_t step = 0;
  std::vector<std::pair<std::string, double>> values;

  void add(std::string_view name, double value) { values.emplace_back(name, value); }
  const double* find(std::string_view name) const;  // null when absent
};

class MetricsLog {
 public:
  // Opens `path` for appending. `resumed_step`: the last step that counts; records
  // after it, and a line that a killed process left half-written, are cut off (0:
  // a fresh run, everything is). Throws a runtime Error that names the file.
  explicit MetricsLog(std::string path, std::int64_t resumed_step = 0);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // One line, handed to the operating system at once: it survives the process's
  // death. Not finite values are written as null. A failure (a full disk) is a
  // warning, once: training goes on.
  void write(const MetricsRecord& record);
  // Flushes to the disk: survives the machine's. Call it when a checkpoint starts.
  void sync();

 private:
  std::string path_;
  int file_ = -1;
  bool failed_ = false;
};

// All whole records of a file, null read as NaN. A line that is no record is left
// out. Throws an input Error when the file cannot be read.
std::vector<MetricsRecord> read_metrics(const std::string& path);

}  // namespace fathom
