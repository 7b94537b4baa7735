#include "scaling/rank_step.h"

#include <algorithm>
#include <utility>

#include "comm/planned_group.h"
#include "core/trace.h"
#include "learn/optimizer.h"
#include "model/stage.h"
#include "parallel/gradient_sync.h"
#include "parallel/pipeline.h"

namespace fathom::scaling {
namespace {

class StepRecorder final : public OperationObserver, public ExchangeObserver {
 public:
  StepRecorder(const Cluster& cluster, const OperationTime& time, const TrainPlan& plan)
      : cluster_(cluster),
        time_(time),
        model_(plan.config.model),
        way_(cluster.way(plan.config.parallel.peer_memory)),
        overlap_(plan.parallel.overlap) {}

  // What was recorded since the last call.
  StepEvents take() { return std::exchange(events_, {}); }

  void observe(Context&, const Operation& operation) override {
    compute(time_.seconds(operation, model_), OperationTime::is_product(operation));
  }

  void exchange(Context& context, const Exchange& e) override {
    if (e.kind == Exchange::Kind::add_parts) {
      // The others' parts and this rank's are read, their sum is written.
      const double part = static_cast<double>(e.bytes) / e.ranks;
      return compute(time_.seconds_moving(part * (e.ranks + 1)), false);
    }
    const ExchangeTime t = cluster_.time_of(e, way_);
    if (overlap_ && context.lane == TraceLane::communication) {
      StepEvent& work = events_.back();  // its submit
      work.seconds += t.seconds;
      work.link = std::max(work.link, t.link);
      work.contention = std::max(work.contention, t.contention);
      return;
    }
    StepEvent event;
    event.kind = StepEvent::Kind::exchange;
    event.seconds = t.seconds;
    event.link = t.link;
    events_.push_back(event);
  }

  void submit(const void* queue, std::int64_t ticket) override {
    if (overlap_) add(StepEvent::Kind::submit, queue, ticket);
  }
  void wait(const void* queue, std::int64_t ticket) override {
    if (overlap_) add(StepEvent::Kind::wait, queue, ticket);
  }

 private:
  void compute(double seconds, bool is_product) {
    seconds *= cluster_.slowest();
    if (events_.empty() || events_.back().kind != StepEvent::Kind::compute) {
      events_.emplace_back();
    }
    events_.back().seconds += seconds;
    if (is_product) events_.back().products += seconds;
  }
  void add(StepEvent::Kind kind, const void* queue, std::int64_t ticket) {
    StepEvent event;
    event.kind = kind;
    event.queue = number_of(queue);
    event.ticket = ticket;
    events_.push_back(event);
  }
  int number_of(const void* queue) {
    const auto found = std::ranges::find(queues_, queue);
    if (found != queues_.end()) return static_cast<int>(found - queues_.begin());
    queues_.push_back(queue);
    return static_cast<int>(queues_.size()) - 1;
  }

  const Cluster& cluster_;
  const OperationTime& time_;
  const ModelConfig& model_;
  ExchangeWay way_;
  bool overlap_;  // otherwise a queue's work is done where it is submitted
  std::vector<const void*> queues_;
  StepEvents events_;
};

Tensor planned_tensor(DType dtype, Shape shape) {
  return Tensor(nullptr, dtype, shape, meta_device);
}

// The learner's parts that a step goes through, on the meta device.
class PlannedLearner {
 public:
  PlannedLearner(const TrainPlan& plan, const RankGroups& groups)
      : plan_(plan),
        groups_(groups),
        options_(pipeline_options(plan, groups)),
        parameters_(pipeline_parameters(options_), plan.dtype, Gradients::f32, meta_device,
                    groups.shard(), plan.parallel.zero ? plan.parallel.layout.dp : 1),
        sync_(parameters_, groups, meta_device),
        optimizer_(parameters_, sync_.owned(), plan.config.optimizer, meta_device) {
    for (const StageRange& range : pipeline_parts(options_)) {
      parts_.emplace_back(plan.config.model, range, parameters_, options_.stage, meta_device,
                          groups.boundary());
    }
  }

  RankStep record(StepRecorder& recorder) {
    Context context(meta_device, 0);
    context.observer = &recorder;
    RankStep step;
    step.parts.resize(parts_.size());
    sync_.gather_weights(context);
    step.gather = recorder.take();
    parameters_.begin_gradients(context);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      step.parts[i].layers = parts_[i].range().last_layer - parts_[i].range().first_layer;
      forward(context, parts_[i], &sync_);
      step.parts[i].first_forward = recorder.take();
    }
    for (std::size_t i = parts_.size(); i-- > 0;) {
      forward(context, parts_[i], nullptr);
      step.parts[i].forward = recorder.take();
      backward(context, parts_[i], nullptr);
      step.parts[i].backward = recorder.take();
      forward(context, parts_[i], nullptr);
      recorder.take();
      backward(context, parts_[i], &sync_);
      step.parts[i].last_backward = recorder.take();
    }
    sync_.reduce(context);
    optimizer_.measure_gradients(context, planned_tensor(DType::f32, {1}), groups_.world());
    step.finish = recorder.take();
    optimizer_.set_step(context, 0, 1);
    optimizer_.update(context);
    step.update = recorder.take();
    return step;
  }

  Tensor stream() const {
    const Boundary* const boundary = groups_.boundary();
    const std::int64_t tokens =
        boundary ? boundary->held_tokens(plan_.micro_tokens) : plan_.micro_tokens;
    return planned_tensor(plan_.dtype, {tokens, plan_.config.model.hidden_size});
  }

 private:
  static PipelineOptions pipeline_options(const TrainPlan& plan, const RankGroups& groups) {
    PipelineOptions options(groups);
    options.model = plan.config.model;
    options.stage = plan.stage_options();
    options.dtype = plan.dtype;
    options.device = meta_device;
    options.micro_tokens = plan.micro_tokens;
    options.micro_batches = plan.micro_batches;
    return options;
  }

  MicroBatch batch(LayerObserver* observer) const {
    const std::int64_t tokens = plan_.micro_tokens, length = plan_.config.train.sequence_length;
    MicroBatch batch;
    batch.ids = batch.targets = batch.tokens.positions = planned_tensor(DType::i32, {tokens});
    batch.tokens.segments = {planned_tensor(DType::i32, {tokens / length + 1}), length, length};
    batch.observer = observer;
    return batch;
  }
  bool is_first(const Stage& part) const { return part.range().has_embedding(part.config()); }
  bool is_last(const Stage& part) const { return part.range().has_head(part.config()); }

  void forward(Context& context, const Stage& part, LayerObserver* observer) {
    part.forward(context, batch(observer), is_first(part) ? Tensor{} : stream(), activations_,
                 is_last(part) ? Tensor{} : stream(), 1,
                 planned_tensor(DType::f32, {plan_.micro_tokens}));
  }
  void backward(Context& context, const Stage& part, LayerObserver* observer) {
    part.backward(context, batch(observer), activations_, is_last(part) ? Tensor{} : stream(),
                  is_first(part) ? Tensor{} : stream());
  }

  const TrainPlan& plan_;
  const RankGroups& groups_;
  PipelineOptions options_;
  ParameterStore parameters_;
  GradientSync sync_;
  Optimizer optimizer_;
  std::vector<Stage> parts_;
  Activations activations_{Arena::measuring()};
};

}  // namespace

RankStep record_step(const TrainPlan& plan, int stage, const Cluster& cluster,
                     const OperationTime& time) {
  const RankLayout& layout = plan.parallel.layout;
  PlannedGroup world({layout.rank_of({stage, 0, 0}), layout.world(), 1},
                     cluster.way(plan.config.parallel.peer_memory));
  const RankGroups groups(world, plan.parallel, plan.config.model);
  PlannedLearner learner(plan, groups);
  StepRecorder recorder(cluster, time, plan);
  RankStep step = learner.record(recorder);
  if (layout.pp > 1) {
    step.message_bytes = learner.stream().bytes();
    step.send_seconds = time.seconds_moving(2 * static_cast<double>(step.message_bytes));
  }
  return step;
}

}  // namespace fathom::scaling
