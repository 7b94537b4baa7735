// Runtime: the resources that a process has once for all its training runs, one after another or
// side by side on threads (under mpirun or srun it makes one). Whatever a run itself takes (memory,
// threads, files) ends with it; GPU libraries' handles go back to a pool (ops/cuda/libraries.h).
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "core/context.h"
#include "core/stop_signals.h"

namespace fathom {

// Whether SIGINT, SIGTERM and SIGHUP ask the runs to save and stop, or do what they did before.
enum class Signals { stop_runs, untouched };

class Runtime {
 public:
  // `gemm_peak`: FLOP/s of a rank's matrix products where they are known; 0: they are measured.
  // With Signals::stop_runs: at most one such Runtime at a time in a process, made before the
  // threads of the runs.
  explicit Runtime(Signals signals = Signals::stop_runs, double gemm_peak = 0);

  // The signal that asks all runs to save and stop, or 0.
  int stop_signal() const { return signals_ ? signals_->received() : 0; }

  // FLOP/s of a big matrix product, by as many threads as the calling one has. Measured when first
  // asked for, for a third of a second, one at a time. Any thread.
  double gemm_peak(Device device, DType dtype);

 private:
  using PeakKey = std::tuple<DeviceType, int, DType, int>;  // with the number of threads

  double known_peak_;
  std::optional<StopSignals> signals_;
  std::mutex mutex_;
  std::map<PeakKey, double> peaks_;
};

}  // namespace fathom
