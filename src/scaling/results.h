// Results of the runs of a scaling study, as JSON lines, one run each:
//
//   {"name": "c3e14-m2e7", "dataset": "wikipedia", "layers": 8, "width": 512,
//    "model_flops": 3.52e8, "tokens": 8.5e8, "compute": 2.992e17, "batch_tokens": 131072,
//    "learning_rate": 0.002, "loss": 3.41, "bits_per_byte": 1.13, "unique_tokens": 1e9, "seed": 1}
//
// name, model_flops (M, FLOPs a token), tokens (D) and loss are needed; the others may be missing
// in results from elsewhere.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::scaling {

struct RunResult {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

  std::string name;                    // of one run of its data set
  std::string dataset;                 // empty: there is only one
  std::int64_t layers = 0, width = 0;  // 0: not known
  double model_flops = 0;              // M
  double tokens = 0;                   // D
  double compute = 0;                  // C = M · D
  double batch_tokens = unknown;       // tokens of a step
  double learning_rate = unknown;      // peak
  double loss = unknown;               // nats per token; not finite, in the file null: it diverged
  double bits_per_byte = unknown;      // of held-out text
  double unique_tokens = unknown;      // of the data; fewer than `tokens`: it was repeated
  std::int64_t seed = 0;

  bool diverged() const;
};

// The line of a run, without "\n". Numbers that are not finite become null.
std::string result_line(const RunResult& run);

// The run of a line. Throws an input Error that begins with `where` ("results.jsonl:7") for
// anything but such an object: an unknown key, a missing one, a number out of its range, or a
// compute that is not model_flops · tokens (to 0.1 %).
RunResult parse_result(std::string_view line, const std::string& where);

struct Results {
  std::vector<RunResult> runs;
  std::vector<std::string> notes;  // about lines that are left out
};

// The runs of all files. A run that is there twice with the same values counts once, and a note
// says so. Throws an input Error that names file and line for a line that is no result, and for a
// run that is there twice with different values.
Results read_results(const std::vector<std::string>& paths);

}  // namespace fathom::scaling
