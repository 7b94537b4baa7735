// metrics.jsonl: one JSON object per step. Plots and reports are made from it. The caller
// chooses the names of the values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom {

// The values measured at a step, in the order in which they are written.
struct MetricsRecord {
  std::int64_t step = 0;
  std::vector<std::pair<std::string, double>> values;

  void add(std::string_view name, double value) { values.emplace_back(name, value); }
  const double* find(std::string_view name) const;  // null when absent
};

class MetricsLog {
 public:
  // Opens `path` for appending. `resumed_step`: the last step to keep; later records, and
  // a line that a killed process left half-written, are cut off (0: a fresh run, which keeps
  // none). Throws a runtime Error that names the file.
  explicit MetricsLog(std::string path, std::int64_t resumed_step = 0);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // Writes one line to the operating system at once, so that it survives the death of the
  // process. Values that are not finite are written as null. The first failure (a full
  // disk) is logged as a warning; training continues.
  void write(const MetricsRecord& record);
  // Flushes to the disk, so that the lines survive a crash of the machine. Call it when a
  // checkpoint starts.
  void sync();

 private:
  std::string path_;
  int file_ = -1;
  bool failed_ = false;
};

// All records of a file, with NaN for null. Lines that are not records are left out.
// Throws an input Error when the file cannot be read.
std::vector<MetricsRecord> read_metrics(const std::string& path);

}  // namespace fathom
