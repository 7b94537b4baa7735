#include "parallel/pipeline_schedule.h"

#include <algorithm>

#include "core/error.h"

namespace fathom {
namespace {

std::vector<Action> gpipe(const PipelineShape& shape) {
  std::vector<Action> actions;
  for (const Action::Kind kind : {Action::Kind::forward, Action::Kind::backward}) {
    for (int m = 0; m < shape.micro_batches; ++m) actions.push_back({kind, m, 0});
  }
  return actions;
}

// `warmup` forwards, then a forward and a backward in turn, then the backwards that
// are left. forward(k) and backward(k) are the k-th of each.
template <class Forward, class Backward>
std::vector<Action> alternate(int total, int warmup, Forward&& forward, Backward&& backward) {
  std::vector<Action> actions;
  warmup = std::min(warmup, total);
  for (int k = 0; k < warmup; ++k) actions.push_back(forward(k));
  for (int k = warmup; k < total; ++k) {
    actions.push_back(forward(k));
    actions.push_back(backward(k - warmup));
  }
  for (int k = total - warmup; k < total; ++k) actions.push_back(backward(k));
  return actions;
}

std::vector<Action> one_f_one_b(int stage, const PipelineShape& shape) {
  return alternate(
      shape.micro_batches, shape.stages - 1 - stage,
      [](int k) {
        return Action{Action::Kind::forward, k, 0};
      },
      [](int k) {
        return Action{Action::Kind::backward, k, 0};
      });
}

// Micro-batches go in groups of `stages` through one part after another: the group's
// first comes back to stage 0 for its next part when the group's last has left it.
std::vector<Action> interleaved(int stage, const PipelineShape& shape) {
  const int group = shape.stages * shape.virtual_stages;
  const auto micro_batch = [=](int k) { return k / group * shape.stages + k % shape.stages; };
  const auto chunk = [=](int k) { return k % group / shape.stages; };
  const int warmup = 2 * (shape.stages - 1 - stage) + (shape.virtual_stages - 1) * shape.stages;
  return alternate(
      shape.micro_batches * shape.virtual_stages, warmup,
      [=](int k) {
        return Action{Action::Kind::forward, micro_batch(k), chunk(k)};
      },
      [=](int k) {
        return Action{Action::Kind::backward, micro_batch(k), shape.virtual_stages - 1 - chunk(k)};
      });
}

// Which forwards and backwards of which part are done.
class Progress {
 public:
  explicit Progress(const PipelineShape& shape)
      : shape_(shape),
        parts_(shape.stages * shape.virtual_stages),
        done_(static_cast<std::size_t>(2 * parts_ * shape.micro_batches)) {}

  bool in_range(const Action& a) const {
    return a.micro_batch >= 0 && a.micro_batch < shape_.micro_batches && a.chunk >= 0 &&
           a.chunk < shape_.virtual_stages;
  }
  bool done(const Action& a, int stage) const { return done_[at(a.kind, part(a, stage), a)]; }
  void finish(const Action& a, int stage) { done_[at(a.kind, part(a, stage), a)] = true; }

  // Whether all that the action waits for is done.
  bool ready(const Action& a, int stage) const {
    const int p = part(a, stage);
    if (a.kind == Action::Kind::forward) return p == 0 || done_[at(a.kind, p - 1, a)];
    return done_[at(Action::Kind::forward, p, a)] &&
           (p == parts_ - 1 || done_[at(a.kind, p + 1, a)]);
  }

 private:
  int part(const Action& a, int stage) const { return a.chunk * shape_.stages + stage; }
  std::size_t at(Action::Kind kind, int part, const Action& a) const {
    const int row = (kind == Action::Kind::forward ? 0 : parts_) + part;
    return static_cast<std::size_t>(row * shape_.micro_batches + a.micro_batch);
  }

  PipelineShape shape_;
  int parts_;
  std::vector<bool> done_;
};

std::string to_string(const Action& a) {
  return fmt::format("{} of micro-batch {}, part {}",
                     a.kind == Action::Kind::forward ? "forward" : "backward", a.micro_batch,
                     a.chunk);
}

}  // namespace

std::vector<Action> schedule(PipelineSchedule kind, int stage, const PipelineShape& shape) {
  require(stage >= 0 && stage < shape.stages && shape.micro_batches >= 1, "stage {} of {}", stage,
          shape.stages);
  const bool several = kind == PipelineSchedule::interleaved;
  require(several ? shape.micro_batches % shape.stages == 0 : shape.virtual_stages == 1,
          "a schedule of {} parts a stage for {} micro-batches on {} stages", shape.virtual_stages,
          shape.micro_batches, shape.stages);
  if (kind == PipelineSchedule::gpipe) return gpipe(shape);
  if (kind == PipelineSchedule::interleaved && shape.virtual_stages > 1) {
    return interleaved(stage, shape);
  }
  return one_f_one_b(stage, shape);
}

int in_flight(std::span<const Action> actions) {
  int now = 0, most = 0;
  for (const Action& action : actions) {
    now += action.kind == Action::Kind::forward ? 1 : -1;
    most = std::max(most, now);
  }
  return most;
}

std::string check_schedule(std::span<const std::vector<Action>> stages,
                           const PipelineShape& shape) {
  const auto expected =
      static_cast<std::size_t>(2 * shape.micro_batches) * std::size_t(shape.virtual_stages);
  Progress progress(shape);
  std::vector<std::size_t> next(stages.size());
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const int stage = static_cast<int>(s);
      for (; next[s] < stages[s].size(); ++next[s]) {
        const Action& action = stages[s][next[s]];
        if (!progress.in_range(action) || progress.done(action, stage)) {
          return fmt::format("stage {}: {} twice or out of range", s, to_string(action));
        }
        if (!progress.ready(action, stage)) break;
        progress.finish(action, stage);
        moved = true;
      }
    }
  }
  for (std::size_t s = 0; s < stages.size(); ++s) {
    if (next[s] < stages[s].size()) {
      return fmt::format("stage {} waits for ever before {}", s, to_string(stages[s][next[s]]));
    }
    if (stages[s].size() != expected) {
      return fmt::format("stage {} has {} actions instead of {}", s, stages[s].size(), expected);
    }
  }
  return {};
}

}  // namespace fathom
