// A step as a picture: a row for each stage, forwards and backwards as boxes, for people.
#pragma once

#include <string>

#include "scaling/step_simulator.h"

namespace fathom::scaling {

// SVG that any browser shows. `time` has spans (Picture::actions or more).
std::string timeline_svg(const StepTime& time, const std::string& title);

// The same as Chrome's trace events, for https://ui.perfetto.dev.
std::string timeline_trace(const StepTime& time);

}  // namespace fathom::scaling
