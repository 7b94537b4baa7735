// samples.jsonl: texts that a model in training wrote, one JSON object a validation point:
//   {"step": 500, "samples": [{"prompt": "Once", "text": " upon a time"}]}
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "report/step_log.h"

namespace fathom {

// A prompt and how the model went on; both valid UTF-8.
struct TextSample {
  std::string prompt, text;
  bool operator==(const TextSample&) const = default;
};

// The samples of one step.
struct SamplePoint {
  std::int64_t step = 0;
  std::vector<TextSample> samples;
};

class SampleLog {
 public:
  // As StepLog's.
  explicit SampleLog(std::string path, std::int64_t resumed_step = 0)
      : log_(std::move(path), resumed_step) {}

  void write(const SamplePoint& point);
  void sync() { log_.sync(); }

 private:
  StepLog log_;
};

// All whole points of a file, in its order; a line that is none is left out. Throws an input
// Error when the file cannot be read.
std::vector<SamplePoint> read_samples(const std::string& path);

}  // namespace fathom
