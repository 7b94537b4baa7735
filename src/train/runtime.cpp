#include "train/runtime.h"

#include "core/parallel.h"
#include "train/peak.h"

namespace fathom {

Runtime::Runtime(Signals signals, double gemm_peak) : known_peak_(gemm_peak) {
  if (signals == Signals::stop_runs) signals_.emplace();
}

double Runtime::gemm_peak(Device device, DType dtype) {
  if (known_peak_ > 0) return known_peak_;
  const int threads = device.type == DeviceType::cpu ? num_threads() : 0;
  const std::lock_guard lock(mutex_);
  double& peak = peaks_[{device.type, device.index, dtype, threads}];
  if (peak == 0) {
    Context context(device);
    peak = measure_gemm_peak(context, dtype);
  }
  return peak;
}

}  // namespace fathom
