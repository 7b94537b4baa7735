// LikelihoodWatch: notices when preference training makes both answers less likely, a known way in
// which it goes wrong: the loss falls, for it sees the difference alone.
#pragma once

#include <cstdint>
#include <string>

namespace fathom {

class LikelihoodWatch {
 public:
  static constexpr std::int64_t window = 20;  // steps over which the means forget
  static constexpr double fallen = 1;         // nats of an answer that are worth a warning

  // Takes a step's means over its pairs of log π − log π_ref. Returns the warning at the first step
  // at which the running means of both have fallen, else an empty text.
  std::string observe(double chosen, double rejected);

 private:
  std::int64_t steps_ = 0;
  double chosen_ = 0, rejected_ = 0;
  bool warned_ = false;
};

}  // namespace fathom
