// Pipeline schedules: what each stage does in which order, as pure functions. The
// runner performs the lists, the simulator times them, check_schedule() proves that
// they end.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class PipelineSchedule {
  gpipe,        // all forwards, then all backwards (Huang et al., 2019)
  one_f_one_b,  // a backward as soon as one can be (Narayanan et al., PipeDream-Flush, 2021)
  interleaved,  // the same with several parts of the model a stage (Narayanan et al., 2021)
};
inline std::span<const std::string_view> enum_names(PipelineSchedule) {
  static constexpr std::string_view names[] = {"gpipe", "1f1b", "interleaved"};
  return names;
}

// Forward or backward of one micro-batch through one of the stage's parts. A forward
// begins by receiving its input from the part before and ends by sending its output
// on; a backward the other way round. Sending never waits.
struct Action {
  enum class Kind : std::uint8_t { forward, backward };
  Kind kind = Kind::forward;
  int micro_batch = 0;
  int chunk = 0;  // which of the stage's parts; the part's place in the model is
                  // chunk · stages + stage
  bool operator==(const Action&) const = default;
};

struct PipelineShape {
  int stages = 1, micro_batches = 1, virtual_stages = 1;
};

// The actions of one stage. Interleaved: micro_batches is a multiple of stages.
std::vector<Action> schedule(PipelineSchedule kind, int stage, const PipelineShape& shape);

// The largest number of (micro-batch, part) pairs that a list has between their
// forward and their backward: how many activations the stage keeps.
int in_flight(std::span<const Action> actions);

// Runs the lists of all stages against each other: empty when every part of every
// micro-batch has its forward and its backward once, in an order in which nobody
// waits for ever; otherwise what is wrong.
std::string check_schedule(std::span<const std::vector<Action>> stages, const PipelineShape& shape);

}  // namespace fathom
