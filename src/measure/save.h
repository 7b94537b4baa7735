// What a save of a checkpoint costs training: `fathom bench save`.
#pragma once

#include <string>

#include "checkpoint/writer.h"
#include "measure/measure.h"

namespace fathom::measure {

struct SaveEffort {
  int steps = 5;            // without a save, before and again after
  double heat_seconds = 0;  // of steps before the first that counts
  std::string directory;    // gets the checkpoint, which is removed again; empty: it is discarded
};

struct SaveTimes {
  std::size_t host_bytes = 0;  // that the copy takes, page-locked for a GPU
  double step = 0;             // seconds of one without a save
  int steps_beside = 0;        // that ran while it was copied and written
  double seconds_beside = 0;   // that these took, the call of save() included
  SaveResult result;
  double exposed() const { return seconds_beside - steps_beside * step; }
};

// Trains, and saves once. Throws a runtime Error when the save failed.
SaveTimes measure_save(const StepShape& shape, const SaveEffort& effort);

std::string to_text(const SaveTimes& times);

}  // namespace fathom::measure
