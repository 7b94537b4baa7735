// metrics.jsonl: one JSON object per step. Plots and reports are made from it. The caller
// chooses the names of the values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/step_log.h"

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
  // As StepLog's.
  explicit MetricsLog(std::string path, std::int64_t resumed_step = 0)
      : log_(std::move(path), resumed_step) {}

  // One line; not finite values are written as null.
  void write(const MetricsRecord& record);
  void sync() { log_.sync(); }

 private:
  StepLog log_;
};

// All records of a file, with NaN for null. Lines that are not records are left out.
// Throws an input Error when the file cannot be read.
std::vector<MetricsRecord> read_metrics(const std::string& path);

}  // namespace fathom
