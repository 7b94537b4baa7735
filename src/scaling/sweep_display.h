// The progress table of a sweep: runs done, running with step and loss, waiting, and the estimated
// end. On a terminal it is rewritten in place; elsewhere its lines are written from time to time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "scaling/sweep_queue.h"

namespace fathom::scaling {

class SweepDisplay {
 public:
  // `own`: the runs of this process; the plan outlives it.
  SweepDisplay(const SweepPlan& plan, std::vector<bool> own);
  ~SweepDisplay();
  SweepDisplay(const SweepDisplay&) = delete;
  SweepDisplay& operator=(const SweepDisplay&) = delete;

  // From the threads of the runs. A run goes on after `steps`, which may be those of its trunk.
  void begin(std::size_t run, std::int64_t steps);
  void step(std::size_t run, std::int64_t steps, double loss);
  void end(std::size_t run);
  // A line to be written above the table.
  void tell(const std::string& line);

  // Writes what there is to tell, and the table when it is due. The thread that calls it must not
  // be one of a run, whose lines go elsewhere.
  void draw(const SweepQueue& queue);
  // The table, as it stands.
  std::vector<std::string> lines(const SweepQueue& queue);

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    std::int64_t from = 0, steps = 0;
    double loss = 0;
  };
  double seconds_left(const SweepQueue& queue) const;

  const SweepPlan& plan_;
  std::vector<bool> own_;
  std::mutex mutex_;
  std::map<std::size_t, Running> running_;
  std::vector<std::string> told_;
  double trained_flops_ = 0;  // by runs that ended, in this process
  Clock::time_point start_ = Clock::now(), next_draw_{};
};

}  // namespace fathom::scaling
