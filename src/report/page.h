// report.html: one self-contained page about a run, with its curves drawn as
// inline SVG; no script and nothing loaded from elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/metrics.h"

namespace fathom {

struct ReportContent {
  struct Sample {
    std::string prompt, continuation;
  };

  std::string title;                                         // the run's name
  std::vector<std::pair<std::string, std::string>> figures;  // "parameters" -> "25.1M"
  std::string config_toml;
  std::string memory_table;  // as printed at start
  std::vector<Sample> samples;
};

// The page as text: curves of loss, bits per byte (all and by source), gradient
// norm, learning rate and tokens a second, as far as the records have them.
std::string report_html(const ReportContent& content, const std::vector<MetricsRecord>& records);

// Reads the run's metrics.jsonl and writes the page, atomically.
void write_report(const std::string& path, const std::string& metrics_path,
                  const ReportContent& content);

}  // namespace fathom
