// The report page of a training run: which charts it has and what their axes are.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/metrics.h"
#include "report/page.h"
#include "report/samples.h"
#include "train/loss_forecast.h"

namespace fathom {

struct RunSummary {
  std::string name;
  std::vector<std::pair<std::string, std::string>> figures;  // "parameters" and "25.1M"
  std::string config_toml;
  std::string memory_table;  // as printed at start
  std::string reading = {};  // RunParts'
  std::optional<LossForecast> forecast = {};
};

// Loss and validation loss in one chart, bits per byte (all and by source), in one of them the
// loss that laws predict, benchmarks with 95 % intervals, gradient norm, learning rate, tokens/s,
// step time and repetition, as far as the records have them, with marks where phases of the data
// began. Then the samples and some of the repetition meter's answers, newest first: of many points
// the first, the last, and some between.
Page run_page(const RunSummary& run, const std::vector<MetricsRecord>& records,
              std::vector<SamplePoint> samples, std::vector<SamplePoint> answers = {});

}  // namespace fathom
