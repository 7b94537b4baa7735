// metrics.jsonl: one JSON object a step, the record that plots and reports are
// made from. Names are the writer's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom {

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
