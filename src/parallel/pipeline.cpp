#include "parallel/pipeline.h"

#include <algorithm>

#include "core/error.h"
#include "core/trace.h"
#include "ops/elementwise.h"

namespace fathom {
namespace {

// Messages of forwards and backwards keep apart, and so do those of each part, by the
// number of the part that sends.
int forward_tag(int part) {
  return 2 * part;
}
int backward_tag(int part) {
  return 2 * part + 1;
}

// Outputs go to the next stage and their gradients back; interleaved stages form a ring.
std::vector<Route> routes_of(const ParallelPlan& plan) {
  std::vector<Route> routes;
  const int stages = plan.layout.pp;
  for (int part = 0; part + 1 < static_cast<int>(plan.stages.size()); ++part) {
    const int stage = part % stages, next = (part + 1) % stages;
    routes.push_back({stage, next, forward_tag(part) % 2});
    routes.push_back({next, stage, backward_tag(part + 1) % 2});
  }
  return routes;
}

std::vector<Action> actions_of(const PipelineOptions& o, int stage, std::int64_t micro_batches) {
  PipelineShape shape;
  shape.micro_batches = static_cast<int>(micro_batches);
  const ParallelPlan& plan = o.ranks.plan();
  shape.stages = plan.layout.pp;
  shape.virtual_stages = plan.virtual_stages;
  return schedule(plan.schedule, stage, shape);
}

std::size_t arena_bytes(const PipelineOptions& o) {
  std::size_t most = 0;
  for (const StageRange& range : pipeline_parts(o)) {
    most = std::max({most,
                     Stage::activation_bytes(o.model, range, o.stage, o.dtype, o.micro_tokens,
                                             o.ranks.boundary()),
                     Stage::forward_bytes(o.model, range, o.stage, o.dtype, o.micro_tokens,
                                          o.ranks.boundary())});
    if (o.logit_rows == 0 || !range.has_head(o.model)) continue;
    most = std::max(most, Stage::logits_bytes(o.model, range, o.dtype, o.micro_tokens, o.logit_rows,
                                              o.ranks.boundary()));
  }
  return most;
}

// Bytes of the residual stream of a micro-batch; nothing travels on one stage.
std::size_t stream_bytes(const PipelineOptions& o) {
  if (o.ranks.plan().layout.pp == 1) return 0;
  Boundary* const boundary = o.ranks.boundary();
  const std::int64_t tokens = boundary ? boundary->held_tokens(o.micro_tokens) : o.micro_tokens;
  return static_cast<std::size_t>(tokens * o.model.hidden_size) * size_of(o.dtype);
}

std::size_t num_slots(const PipelineOptions& o) {
  return static_cast<std::size_t>(in_flight(actions_of(o, o.ranks.place().pp, o.micro_batches)));
}

// A micro-batch that a stage has in flight has one message on its way to the next stage at
// most, and one on its way back: with so many places no stage waits to send. The first stage
// has the most.
RouteCapacity capacity_of(const PipelineOptions& o) {
  return {stream_bytes(o), in_flight(actions_of(o, 0, o.micro_batches))};
}

}  // namespace

std::vector<StageRange> pipeline_parts(const PipelineOptions& o) {
  std::vector<StageRange> parts;
  for (int chunk = 0; chunk < o.ranks.plan().virtual_stages; ++chunk) {
    parts.push_back(o.ranks.plan().part(o.ranks.place().pp, chunk));
  }
  return parts;
}

std::vector<ParameterSpec> pipeline_parameters(const PipelineOptions& o) {
  std::vector<ParameterSpec> specs;
  for (const StageRange& range : pipeline_parts(o)) {
    for (ParameterSpec& spec : stage_parameters(o.model, range)) specs.push_back(std::move(spec));
  }
  return specs;
}

std::size_t Pipeline::bytes(const PipelineOptions& o) {
  return num_slots(o) * (arena_bytes(o) + stream_bytes(o)) + 2 * stream_bytes(o);
}

std::size_t Pipeline::exchange_bytes(const PipelineOptions& o) {
  std::vector<Route> routes = routes_of(o.ranks.plan());
  std::ranges::sort(routes);
  routes.erase(std::unique(routes.begin(), routes.end()), routes.end());
  const RouteCapacity capacity = capacity_of(o);
  const int stage = o.ranks.place().pp;
  std::size_t bytes = 0;
  for (const Route& route : routes) {
    const auto planned = [&](RouteEnd end) {
      return planned_bytes(o.ranks.pipeline(), o.device, end, capacity);
    };
    if (route.from == stage) bytes += planned(RouteEnd::sender);
    if (route.to == stage) bytes += planned(RouteEnd::receiver);
  }
  return bytes;
}

Pipeline::Pipeline(const PipelineOptions& o, ParameterStore& parameters)
    : options_(o),
      ranks_(o.ranks),
      stage_(o.ranks.place().pp),
      last_part_(static_cast<int>(o.ranks.plan().stages.size()) - 1),
      outgoing_(o.device, stream_bytes(o)),
      incoming_(o.device, stream_bytes(o)) {
  for (const StageRange& range : pipeline_parts(o)) {
    parts_.emplace_back(o.model, range, parameters, o.stage, o.device, o.ranks.boundary());
  }
  const std::size_t capacity = arena_bytes(o);
  for (std::size_t i = 0; i < num_slots(o); ++i) {
    slots_.push_back({Activations(Arena(o.device, capacity)), Buffer(o.device, stream_bytes(o))});
  }
  if (stages() > 1) {
    ranks_.pipeline().open(o.device, routes_of(ranks_.plan()), capacity_of(o));
  }
}

const Stage* Pipeline::whole_model() const {
  const RankLayout& layout = ranks_.plan().layout;
  return layout.tp == 1 && parts_.size() == 1 && stages() == 1 ? &parts_.front() : nullptr;
}

// The rank's tokens of the batch's residual stream, in `memory`.
Tensor Pipeline::stream(const Buffer& memory, const MicroBatch& batch) const {
  Boundary* const boundary = ranks_.boundary();
  const std::int64_t tokens = batch.tokens.positions.elements();
  const std::int64_t held = boundary ? boundary->held_tokens(tokens) : tokens;
  return memory.tensor(options_.dtype, {held, options_.model.hidden_size});
}

std::size_t Pipeline::take_slot() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].used) continue;
    slots_[i].used = true;
    return i;
  }
  fail_runtime("more micro-batches in flight than the {} that were planned", slots_.size());
}

// The part's input, in `memory`; absent on the first part.
Tensor Pipeline::receive_input(Context& context, const MicroBatch& batch, int part,
                               const Buffer& memory) {
  if (part == 0) return {};
  const Tensor input = stream(memory, batch);
  const TraceSpan span(context, TraceKind::wait, "wait for input");
  ranks_.pipeline().receive(context, input, previous(), forward_tag(part - 1));
  return input;
}

// Lets the message that the next action waits for travel while this action computes.
void Pipeline::expect_next() {
  if (rest_.empty() || stages() == 1) return;
  const Action& action = rest_.front();
  const MicroBatch& batch = micro_batches_[static_cast<std::size_t>(action.micro_batch)];
  const int part = part_of(action.chunk);
  if (action.kind == Action::Kind::forward && part > 0) {
    ranks_.pipeline().expect(stream(incoming_, batch), previous(), forward_tag(part - 1));
  }
  if (action.kind == Action::Kind::backward && part < last_part_) {
    ranks_.pipeline().expect(stream(incoming_, batch), next(), backward_tag(part + 1));
  }
}

void Pipeline::forward(Context& context, const MicroBatch& batch, int chunk, Slot& slot,
                       float grad_scale, Tensor losses, int micro_batch) {
  const int part = part_of(chunk);
  const Stage& stage = parts_[static_cast<std::size_t>(chunk)];
  const Tensor input = receive_input(context, batch, part, slot.input);
  const Tensor output = part == last_part_ ? Tensor{} : stream(outgoing_, batch);
  expect_next();
  {
    const TraceSpan span(context, TraceKind::forward, "F", micro_batch);
    stage.forward(context, batch, input, slot.activations, output, grad_scale, losses);
  }
  if (output) ranks_.pipeline().send(context, output, next(), forward_tag(part));
}

void Pipeline::backward(Context& context, const MicroBatch& batch, int chunk, Slot& slot,
                        int micro_batch) {
  const int part = part_of(chunk);
  const Stage& stage = parts_[static_cast<std::size_t>(chunk)];
  const Tensor d_output = part == last_part_ ? Tensor{} : stream(incoming_, batch);
  const Tensor d_input = part == 0 ? Tensor{} : stream(outgoing_, batch);
  if (d_output) {
    const TraceSpan span(context, TraceKind::wait, "wait for gradient");
    ranks_.pipeline().receive(context, d_output, next(), backward_tag(part + 1));
  }
  expect_next();
  {
    const TraceSpan span(context, TraceKind::backward, "B", micro_batch);
    stage.backward(context, batch, slot.activations, d_output, d_input);
  }
  if (d_input) ranks_.pipeline().send(context, d_input, previous(), backward_tag(part));
  slot.used = false;
}

void Pipeline::run(Context& context, std::span<const MicroBatch> micro_batches, float grad_scale,
                   Tensor losses) {
  const TraceSpan span(context, TraceKind::pipeline, "step");
  std::vector<std::int64_t> first_token{0};
  for (const MicroBatch& batch : micro_batches) {
    first_token.push_back(first_token.back() + batch.tokens.positions.elements());
  }
  std::vector<std::size_t> slot_of(micro_batches.size() * parts_.size());
  const std::vector<Action> actions = actions_of(options_, stage_, std::ssize(micro_batches));
  std::vector<int> last_backward(parts_.size());
  for (const Action& action : actions) {
    if (action.kind == Action::Kind::forward) continue;
    last_backward[static_cast<std::size_t>(action.chunk)] = action.micro_batch;
  }
  micro_batches_ = micro_batches;
  rest_ = actions;
  for (Slot& slot : slots_) slot.used = false;  // by a step that failed
  for (const Action& action : actions) {
    rest_ = rest_.subspan(1);
    const auto m = static_cast<std::size_t>(action.micro_batch);
    MicroBatch batch = micro_batches[m];
    const bool last = action.micro_batch == last_backward[static_cast<std::size_t>(action.chunk)];
    if (action.kind == Action::Kind::forward || last) batch.observer = observer_;
    std::size_t& slot = slot_of[static_cast<std::size_t>(action.chunk) * micro_batches.size() + m];
    if (action.kind == Action::Kind::backward) {
      backward(context, batch, action.chunk, slots_[slot], action.micro_batch);
      continue;
    }
    slot = take_slot();
    const Tensor loss = losses.slice(first_token[m], first_token[m + 1] - first_token[m]);
    forward(context, batch, action.chunk, slots_[slot], grad_scale, loss, action.micro_batch);
  }
}

void Pipeline::forward_only(Context& context, MicroBatch batch, const LastPart& last_part,
                            Tensor result) {
  batch.observer = observer_;
  Arena& arena = slots_.front().activations.arena;
  for (int chunk = 0; chunk < static_cast<int>(parts_.size()); ++chunk) {
    const int part = part_of(chunk);
    const Stage& stage = parts_[static_cast<std::size_t>(chunk)];
    const Tensor input = receive_input(context, batch, part, incoming_);
    if (part == last_part_) {
      last_part(stage, batch, input, arena);
      continue;
    }
    const Tensor output = stream(outgoing_, batch);
    stage.forward_only(context, batch, input, arena, output, Tensor{});
    ranks_.pipeline().send(context, output, next(), forward_tag(part));
  }
  if (stages() > 1) ranks_.pipeline().broadcast(context, result, stages() - 1);
}

void Pipeline::evaluate(Context& context, const MicroBatch& evaluated, Tensor losses) {
  const auto last = [&](const Stage& stage, const MicroBatch& batch, Tensor input, Arena& arena) {
    stage.forward_only(context, batch, input, arena, Tensor{}, losses);
  };
  forward_only(context, evaluated, last, losses);
}

void Pipeline::next_logits(Context& context, const MicroBatch& read,
                           std::span<const std::int32_t> rows, Tensor logits) {
  const auto last = [&](const Stage& stage, const MicroBatch& batch, Tensor input, Arena& arena) {
    stage.forward_logits(context, batch, input, arena, rows, logits);
  };
  forward_only(context, read, last, logits);
}

// Normal random numbers in place of another stage's output: products of zeros would be faster than
// the products of a real step.
Tensor Pipeline::fill_stream(Context& context, const Buffer& memory,
                             const MicroBatch& batch) const {
  const Tensor x = stream(memory, batch);
  ops::NormalFill fill;
  fill.global_columns = x.cols();
  ops::fill_normal(context, x, fill);
  return x;
}

Stage Pipeline::part_alone(int chunk) const {
  return parts_[static_cast<std::size_t>(chunk)].with_boundary(ranks_.echo_boundary());
}

void Pipeline::warm_up(Context& context, std::span<const MicroBatch> micro_batches, Tensor losses) {
  Slot& slot = slots_.front();
  const Tensor none;
  for (int chunk = 0; chunk < static_cast<int>(parts_.size()); ++chunk) {
    const bool first = part_of(chunk) == 0, last = part_of(chunk) == last_part_;
    const Stage stage = part_alone(chunk);
    for (const MicroBatch& batch : micro_batches) {
      const Tensor loss = losses.slice(0, batch.ids.elements());
      const Tensor input = first ? none : fill_stream(context, slot.input, batch);
      const Tensor output = last ? none : stream(outgoing_, batch);
      stage.forward(context, batch, input, slot.activations, output, 1, loss);
      const Tensor d_output = last ? none : fill_stream(context, incoming_, batch);
      const Tensor d_input = first ? none : stream(outgoing_, batch);
      stage.backward(context, batch, slot.activations, d_output, d_input);
    }
    const MicroBatch& batch = micro_batches.front();
    const Tensor input = first ? none : fill_stream(context, incoming_, batch);
    const Tensor output = last ? none : stream(outgoing_, batch);
    stage.forward_only(context, batch, input, slot.activations.arena, output,
                       losses.slice(0, batch.ids.elements()));
  }
}

void Pipeline::warm_up_logits(Context& context, const MicroBatch& batch,
                              std::span<const std::int32_t> rows, Tensor logits) {
  Arena& arena = slots_.front().activations.arena;
  for (int chunk = 0; chunk < static_cast<int>(parts_.size()); ++chunk) {
    const Stage stage = part_alone(chunk);
    const Tensor input = part_of(chunk) == 0 ? Tensor{} : fill_stream(context, incoming_, batch);
    if (part_of(chunk) == last_part_) {
      stage.forward_logits(context, batch, input, arena, rows, logits);
    } else {
      stage.forward_only(context, batch, input, arena, stream(outgoing_, batch), Tensor{});
    }
  }
}

}  // namespace fathom
