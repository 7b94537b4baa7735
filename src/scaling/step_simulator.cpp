#include "scaling/step_simulator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <tuple>

#include "core/error.h"
#include "parallel/pipeline_schedule.h"
#include "scaling/rank_clock.h"

namespace fathom::scaling {
namespace {

// What makes two stages alike: the sizes of their parts, and which has embedding and head.
using StageKind = std::vector<std::tuple<std::int64_t, bool, bool>>;

StageKind kind_of(const TrainPlan& plan, int stage) {
  StageKind kind;
  for (int chunk = 0; chunk < plan.parallel.virtual_stages; ++chunk) {
    const StageRange range = plan.parallel.part(stage, chunk);
    kind.emplace_back(range.last_layer - range.first_layer, range.has_embedding(plan.config.model),
                      range.has_head(plan.config.model));
  }
  return kind;
}

// An action between two moments at which nothing is exchanged beside the computing.
struct Duration {
  double seconds = 0, exposed = 0, computing = 0;
};

// One stage on its way through its actions.
class StageRun {
 public:
  StageRun(const RankStep& step, std::vector<Action> actions, double product_speed, Picture picture)
      : step_(step),
        actions_(std::move(actions)),
        product_speed_(product_speed),
        picture_(picture),
        clock_(product_speed) {
    if (picture_ == Picture::everything) {
      clock_.tell([this](const RankClock::Stretch& s) { draw(s); });
    }
    clock_.run(step_.gather);
    last_backward_.resize(step_.parts.size());
    forwards_.resize(step_.parts.size());
    backwards_.resize(step_.parts.size());
    for (const Action& action : actions_) {
      if (action.kind == Action::Kind::backward) {
        last_backward_[static_cast<std::size_t>(action.chunk)] = action.micro_batch;
      }
    }
  }

  bool done() const { return next_ == actions_.size(); }
  const Action& next() const { return actions_[next_]; }
  const RankClock& clock() const { return clock_; }
  double busy() const { return busy_; }
  std::vector<Trace::Span> spans() const { return spans_; }

  // Runs the next action, whose input is here at `ready`; returns when its output has left.
  double run(double ready, bool sends) {
    const Action action = actions_[next_++];
    clock_.idle_until(std::max(ready, clock_.now()));
    const double begin = clock_.now();
    perform(action);
    busy_ += clock_.now() - begin;
    if (picture_ != Picture::none) {
      const bool forward = action.kind == Action::Kind::forward;
      spans_.push_back({TraceLane::compute, forward ? TraceKind::forward : TraceKind::backward,
                        forward ? "F" : "B", action.micro_batch, begin, clock_.now()});
    }
    if (sends) clock_.idle_until(clock_.now() + step_.send_seconds);
    return clock_.now();
  }

  void finish() { clock_.run(step_.finish); }
  // All ranks know the gradients' norm at `time`.
  void update(double time) {
    clock_.exchange_until(time);
    const double begin = clock_.now();
    clock_.run(step_.update);
    update_ = clock_.now() - begin;
    if (picture_ != Picture::none) {
      spans_.push_back({TraceLane::compute, TraceKind::update, "update", -1, begin, clock_.now()});
    }
  }
  double update_seconds() const { return update_; }

 private:
  void perform(const Action& action) {
    const auto chunk = static_cast<std::size_t>(action.chunk);
    const PartStep& part = step_.parts[chunk];
    if (action.kind == Action::Kind::forward) {
      const bool first = action.micro_batch == 0;
      return first ? clock_.run(part.first_forward) : repeat(part.forward, forwards_[chunk]);
    }
    const bool last = action.micro_batch == last_backward_[chunk];
    return last ? clock_.run(part.last_backward) : repeat(part.backward, backwards_[chunk]);
  }

  // Events that, alone, always take the same time.
  void repeat(const StepEvents& events, std::optional<Duration>& alone) {
    if (!clock_.queues_are_empty() || picture_ == Picture::everything) return clock_.run(events);
    if (!alone) {
      RankClock clock(product_speed_);
      clock.run(events);
      alone = {clock.now(), clock.exposed(), clock.computing()};
    }
    clock_.skip(alone->seconds, alone->exposed, alone->computing);
  }

  void draw(const RankClock::Stretch& s) {
    const bool queue = s.kind == RankClock::Stretch::Kind::queue;
    const bool wait = s.kind == RankClock::Stretch::Kind::wait;
    spans_.push_back({queue ? TraceLane::communication : TraceLane::compute,
                      wait ? TraceKind::join : TraceKind::communication, wait ? "wait" : "exchange",
                      -1, s.begin, s.end});
  }

  const RankStep& step_;
  std::vector<Action> actions_;
  double product_speed_;
  Picture picture_;
  std::size_t next_ = 0;
  RankClock clock_;
  double busy_ = 0, update_ = 0;
  std::vector<int> last_backward_;
  std::vector<std::optional<Duration>> forwards_, backwards_;  // of each part
  std::vector<Trace::Span> spans_;
};

// When each part's message about each micro-batch has arrived at its neighbour.
class Messages {
 public:
  Messages(int parts, int micro_batches, double seconds)
      : parts_(parts), micro_batches_(micro_batches), seconds_(seconds) {
    arrivals_.resize(static_cast<std::size_t>(2 * parts) * static_cast<std::size_t>(micro_batches));
  }

  // When the input of an action of `part` is here; none: not yet known.
  std::optional<double> input(const Action& a, int part) const {
    const bool forward = a.kind == Action::Kind::forward;
    const int from = forward ? part - 1 : part + 1;
    if (from < 0 || from == parts_) return 0;
    return arrivals_[at(a.kind, from, a.micro_batch)];
  }
  bool has_receiver(const Action& a, int part) const {
    return a.kind == Action::Kind::forward ? part + 1 < parts_ : part > 0;
  }
  void leaves(const Action& a, int part, double time) {
    arrivals_[at(a.kind, part, a.micro_batch)] = time + seconds_;
  }

 private:
  std::size_t at(Action::Kind kind, int part, int micro_batch) const {
    const int row = (kind == Action::Kind::forward ? 0 : parts_) + part;
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(micro_batches_) +
           static_cast<std::size_t>(micro_batch);
  }
  int parts_, micro_batches_;
  double seconds_;
  std::vector<std::optional<double>> arrivals_;
};

// Runs the stages' lists against each other.
void run_pipeline(std::vector<StageRun>& stages, Messages& messages) {
  const int count = static_cast<int>(stages.size());
  for (bool moved = true; moved;) {
    moved = false;
    for (int s = 0; s < count; ++s) {
      StageRun& stage = stages[static_cast<std::size_t>(s)];
      while (!stage.done()) {
        const Action action = stage.next();
        const int part = action.chunk * count + s;
        const std::optional<double> ready = messages.input(action, part);
        if (!ready) break;
        const double left = stage.run(*ready, messages.has_receiver(action, part));
        messages.leaves(action, part, left);
        moved = true;
      }
    }
  }
  for (const StageRun& stage : stages) {
    require(stage.done(), "a schedule in which stages wait for each other for ever");
  }
}

StepTime sum_up(std::vector<StageRun>& stages, double pipeline_end, Picture picture) {
  StepTime time;
  double exposed = 0, busy = 0, computing = 0, update = 0;
  for (const StageRun& stage : stages) {
    time.seconds = std::max(time.seconds, stage.clock().now());
    exposed += stage.clock().exposed();
    busy += stage.busy();
    computing += stage.clock().computing();
    update += stage.update_seconds();
    if (picture != Picture::none) time.spans.push_back(stage.spans());
  }
  const auto count = static_cast<double>(stages.size());
  time.exposed = exposed / count / time.seconds;
  time.waiting = std::max(0.0, 1 - computing / count / time.seconds);
  time.update = update / count / time.seconds;
  time.bubble = stages.size() == 1 ? 0 : 1 - busy / count / pipeline_end;
  return time;
}

}  // namespace

StageSteps::StageSteps(const TrainPlan& plan, const Cluster& cluster, const OperationTime& time) {
  std::map<StageKind, std::shared_ptr<const RankStep>> made;
  for (int stage = 0; stage < plan.parallel.layout.pp; ++stage) {
    std::shared_ptr<const RankStep>& step = made[kind_of(plan, stage)];
    if (!step) step = std::make_shared<RankStep>(record_step(plan, stage, cluster, time));
    steps_.push_back(step);
  }
}

StageSteps::StageSteps(const std::vector<RankStep>& steps) {
  for (const RankStep& step : steps) steps_.push_back(std::make_shared<RankStep>(step));
}

namespace {

StepTime simulate_at(double product_speed, const TrainPlan& plan, const StageSteps& steps,
                     const Cluster& cluster, Picture picture) {
  const RankLayout& layout = plan.parallel.layout;
  const PipelineShape shape{layout.pp, static_cast<int>(plan.micro_batches),
                            plan.parallel.virtual_stages};
  std::vector<StageRun> stages;
  stages.reserve(static_cast<std::size_t>(layout.pp));
  for (int s = 0; s < layout.pp; ++s) {
    stages.emplace_back(steps.of(s), schedule(plan.parallel.schedule, s, shape), product_speed,
                        picture);
  }
  const ExchangeTime message =
      cluster.time_of_message(steps.of(0).message_bytes, std::int64_t{layout.dp} * layout.tp,
                              cluster.way(plan.config.parallel.peer_memory));
  Messages messages(layout.pp * plan.parallel.virtual_stages, shape.micro_batches,
                    layout.pp > 1 ? message.seconds : 0);
  run_pipeline(stages, messages);
  double pipeline_end = 0, norm_known = 0;
  for (StageRun& stage : stages) {
    pipeline_end = std::max(pipeline_end, stage.clock().now());
    stage.finish();
    norm_known = std::max(norm_known, stage.clock().now());
  }
  for (StageRun& stage : stages) stage.update(norm_known);
  return sum_up(stages, pipeline_end, picture);
}

}  // namespace

// The faster the products, the longer a rank waits: the second pass is close enough, for the speed
// goes by a small power of the share that it computes.
StepTime simulate_step(const TrainPlan& plan, const StageSteps& steps, const Cluster& cluster,
                       Picture picture) {
  const ProductRates& products = cluster.card().products;
  const double waiting = simulate_at(1, plan, steps, cluster, Picture::none).waiting;
  const double speed = std::min(products.most_gain, std::pow(1 - waiting, -products.idle_gain));
  return simulate_at(speed, plan, steps, cluster, picture);
}

}  // namespace fathom::scaling
