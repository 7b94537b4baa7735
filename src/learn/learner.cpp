#include "learn/learner.h"

#include <algorithm>
#include <exception>
#include <numeric>

#include "checkpoint/master_weights.h"
#include "checkpoint/ranks.h"
#include "core/error.h"
#include "core/trace.h"
#include "ops/attention.h"
#include "ops/elementwise.h"
#include "parallel/step_capacity.h"

namespace fathom {
namespace {

std::vector<CheckpointTensor> list_tensors(const std::vector<OptimizerSlice>& slices) {
  std::vector<CheckpointTensor> tensors;
  for (const OptimizerSlice& s : slices) {
    if (!s.primary) continue;
    const auto add = [&](StateKind kind, Tensor values) {
      tensors.push_back({kind, s.name, s.global_shape, s.offset, values});
    };
    add(StateKind::weight, s.weight);
    if (s.remainder) add(StateKind::remainder, s.remainder);
    add(StateKind::first_moment, s.m);
    add(StateKind::second_moment, s.v);
  }
  return tensors;
}

constexpr int max_outstanding = 2;

// Of a step: losses, their weights, the norm.
std::size_t step_bytes(const LearnerOptions& options) {
  return static_cast<std::size_t>(2 * options.tokens_per_step + 1) * sizeof(float);
}

std::size_t result_bytes(const LearnerOptions& options) {
  const std::int64_t logits = options.logit_rows * options.model.vocab_size;
  return std::max(step_bytes(options), static_cast<std::size_t>(logits) * sizeof(float));
}

// Attention on a GPU, or over long segments, may need more than any other operation; the operands
// of a product in FP8 lie beside the product's own scratch.
std::size_t workspace_bytes(const LearnerOptions& o, const ParameterStore& parameters) {
  const int tp = o.ranks.plan().layout.tp;
  // Ranks that are more than the key heads have copies of one.
  const ops::HeadShape heads{o.model.num_heads / tp,
                             std::max<std::int64_t>(1, o.model.num_kv_heads / tp),
                             o.model.head_dim};
  const std::int64_t length = o.sequence_length > 0 ? o.sequence_length : o.micro_tokens;
  return std::max(
      Context::default_workspace + Linear::workspace_bytes(parameters, o.micro_tokens),
      ops::attention_workspace(o.device, o.dtype, heads,
                               {o.micro_tokens, length, o.uniform_segments}, o.determinism));
}

PipelineOptions pipeline_options(const LearnerOptions& o) {
  PipelineOptions p(o.ranks);
  p.model = o.model;
  p.stage = o.stage;
  p.dtype = o.dtype;
  p.device = o.device;
  p.micro_tokens = o.micro_tokens;
  p.micro_batches = std::max<std::int64_t>(1, o.tokens_per_step / o.micro_tokens);
  p.logit_rows = o.logit_rows;
  return p;
}

ParameterStore make_parameters(const LearnerOptions& o, Device device) {
  const ParallelPlan& plan = o.ranks.plan();
  const int sharing = plan.zero ? plan.layout.dp : 1;
  return {pipeline_parameters(pipeline_options(o)),
          o.dtype,
          Gradients::f32,
          device,
          o.ranks.shard(),
          sharing,
          o.products};
}

// What other ranks have a part in is not recorded: their collectives wait on the host.
Recording recording_of(const LearnerOptions& o) {
  if (!o.ranks.alone()) return Recording::off;
  return step_recording(o.device, o.model, o.micro_tokens, pipeline_options(o).micro_batches);
}

std::int64_t count_tokens(std::span<const MicroBatch> micro_batches) {
  std::int64_t tokens = 0;
  for (const MicroBatch& batch : micro_batches) tokens += batch.ids.elements();
  return tokens;
}

// Over the replicas.
double sum_of_losses(const RankGroups& ranks, double here) {
  const std::vector<double> all = gather_values(ranks.world(), ranks.tells_losses() ? here : 0.0);
  return std::accumulate(all.begin(), all.end(), 0.0);
}

}  // namespace

Learner::Bytes Learner::bytes(const LearnerOptions& o) {
  ParameterStore parameters = make_parameters(o, meta_device);
  const GradientSync sync(parameters, o.ranks, meta_device);
  const Optimizer optimizer(parameters, sync.owned(), o.optimizer, meta_device);
  Bytes b;
  b.weights = parameters.weight_bytes();
  b.fp8_weights = parameters.fp8_bytes();
  b.gradients = parameters.gradient_bytes();
  b.remainders = optimizer.bytes().remainders;
  b.moments = optimizer.bytes().moments;
  b.activations = Pipeline::bytes(pipeline_options(o));
  b.rope_table = static_cast<std::size_t>(o.model.max_position * o.model.head_dim) * sizeof(float) *
                 pipeline_parts(pipeline_options(o)).size();
  b.workspace = workspace_bytes(o, parameters);
  b.losses = result_bytes(o);
  b.exchanges = o.ranks.exchange_bytes(o.device, step_capacities(pipeline_options(o))) +
                sync.exchange_bytes(o.device) + Pipeline::exchange_bytes(pipeline_options(o));
  b.checkpoint = CheckpointWriter::host_bytes(list_tensors(optimizer.slices()));
  return b;
}

Learner::Learner(const LearnerOptions& o)
    : options_(o),
      stream_(o.device),
      context_(o.device, workspace_bytes(o, make_parameters(o, meta_device))),
      parameters_(make_parameters(o, o.device)),
      pipeline_(pipeline_options(o), parameters_),
      sync_(std::make_unique<GradientSync>(parameters_, o.ranks, o.device)),
      optimizer_(parameters_, sync_->owned(), o.optimizer, o.device),
      results_(o.device, result_bytes(o)),
      recorded_(recording_of(o)) {
  context_.stream = stream_.get();
  context_.determinism = o.determinism;
  context_.fp8_products = o.products == Products::fp8;
  pipeline_.observe(sync_.get());
  for (int i = 0; i < max_outstanding; ++i) {
    readbacks_.push_back({HostBuffer(o.device, step_bytes(o)), Event(o.device)});
  }
  readbacks_.push_back({HostBuffer(o.device, result_bytes(o)), Event(o.device)});
  o.ranks.connect(o.device, step_capacities(pipeline_options(o)));
}

// A GPU that still waits for other ranks would keep its memory from being freed, and what
// runs beside the computing uses it.
Learner::~Learner() {
  if (std::uncaught_exceptions() > 0) {
    sync_->cancel();
    options_.ranks.cancel();
  }
  sync_.reset();
}

void Learner::initialize_weights(std::uint64_t seed) {
  for (Parameter& parameter : parameters_.all()) {
    initialize(context_, parameter, parameters_.shard(), options_.model.init_std, seed);
  }
  parameters_.weights_changed();
}

void Learner::warm_up(std::span<const MicroBatch> micro_batches) {
  context_.outputs = Outputs::discarded;
  parameters_.begin_gradients(context_);
  pipeline_.warm_up(context_, micro_batches, results_.tensor(DType::f32, {options_.micro_tokens}));
  const MicroBatch& first = micro_batches.front();
  if (first.loss_weights) {
    collect_weights({&first, 1}, results_.tensor(DType::f32, {first.ids.elements()}));
  }
  optimizer_.warm_up(context_, results_.tensor(DType::f32, {1}));
  synchronize(options_.device, context_.stream);
  context_.outputs = Outputs::kept;
}

void Learner::read_back(Readback& into, Tensor values) {
  copy_bytes(into.memory.data(), cpu_device, values.data, values.device, values.bytes(),
             context_.stream);
  into.arrived.record(context_.stream);
}

void Learner::queue_gradients(std::span<const MicroBatch> micro_batches, double normaliser,
                              const WeighMicroBatch& weigh) {
  require(outstanding_ < max_outstanding, "the results of {} steps were not fetched", outstanding_);
  const std::int64_t tokens = count_tokens(micro_batches);
  require(tokens <= options_.tokens_per_step, "a step of {} tokens, planned for {}", tokens,
          options_.tokens_per_step);
  Readback& readback =
      readbacks_[static_cast<std::size_t>((next_ + outstanding_++) % max_outstanding)];
  readback.tokens = tokens;
  readback.weighted = std::ranges::any_of(
      micro_batches, [](const MicroBatch& batch) { return bool(batch.loss_weights); });
  const std::vector<double> normalisers = gather_values(options_.ranks.data(), normaliser);
  readback.normaliser = std::accumulate(normalisers.begin(), normalisers.end(), 0.0);
  const auto scale =
      readback.normaliser > 0 ? 1.0f / static_cast<float>(readback.normaliser) : 0.0f;
  const Tensor results =
      results_.tensor(DType::f32, {(readback.weighted ? 2 * tokens : tokens) + 1});
  if (weigh) {
    run_gradients(weighed_by(weigh, micro_batches), scale, results);
  } else {
    recorded_.gradients(context_, micro_batches, scale,
                        [&] { run_gradients(micro_batches, scale, results); });
  }
  read_back(readback, results);
}

void Learner::run_gradients(std::span<const MicroBatch> micro_batches, float scale,
                            Tensor results) {
  const std::int64_t before_norm = results.elements() - 1, tokens = count_tokens(micro_batches);
  parameters_.begin_gradients(context_);
  pipeline_.run(context_, micro_batches, scale, results.slice(0, tokens));
  if (before_norm > tokens) collect_weights(micro_batches, results.slice(tokens, tokens));
  sync_->reduce(context_);
  optimizer_.measure_gradients(context_, results.slice(before_norm, 1), options_.ranks.world());
}

// Losses and weights travel through the host memory of a forward alone.
std::vector<MicroBatch> Learner::weighed_by(const WeighMicroBatch& weigh,
                                            std::span<const MicroBatch> micro_batches) {
  std::vector<MicroBatch> weighed(micro_batches.begin(), micro_batches.end());
  for (std::size_t i = 0; i < weighed.size(); ++i) {
    const Tensor weights = weighed[i].loss_weights;
    require(bool(weights), "micro-batch {} has no room for its loss weights", i);
    weighed[i].weigh = [this, &weigh, i, weights](Tensor losses) {
      Readback& readback = readbacks_.back();
      readback.tokens = losses.elements();
      read_back(readback, losses);
      const Tensor host = readback.memory.tensor(DType::f32, weights.shape, losses.bytes());
      readback.arrived.wait();
      weigh(i, readback.losses(),
            {host.as<float>(), static_cast<std::size_t>(host.elements())});
      copy_bytes(weights.data, weights.device, host.data, cpu_device, weights.bytes(),
                 context_.stream);
    };
  }
  return weighed;
}

// The weights of the step's tokens [tokens], 1 where a micro-batch has none.
void Learner::collect_weights(std::span<const MicroBatch> micro_batches, Tensor weights) {
  std::int64_t first = 0;
  for (const MicroBatch& batch : micro_batches) {
    const Tensor part = weights.slice(first, batch.ids.elements());
    if (batch.loss_weights) {
      ops::convert(context_, batch.loss_weights, part);
    } else {
      ops::fill(context_, part, 1.0f);
    }
    first += batch.ids.elements();
  }
}

Learner::Result Learner::next_result() {
  require(outstanding_ > 0, "next_result() was called without an outstanding step");
  const Readback& readback = readbacks_[static_cast<std::size_t>(next_)];
  next_ = (next_ + 1) % max_outstanding;
  --outstanding_;
  readback.arrived.wait();
  const std::span<const float> losses = readback.losses(), weights = readback.weights();
  const double here = readback.weighted
                          ? std::inner_product(losses.begin(), losses.end(), weights.begin(), 0.0)
                          : std::accumulate(losses.begin(), losses.end(), 0.0);
  const double sum = sum_of_losses(options_.ranks, here);
  return {readback.normaliser > 0 ? sum / readback.normaliser : 0.0, double{readback.norm()}};
}

void Learner::update(double learning_rate, std::int64_t step) {
  {
    const TraceSpan span(context_, TraceKind::update, "update");
    optimizer_.set_step(context_, learning_rate, step);
    recorded_.update(context_, [this] { optimizer_.update(context_); });
  }
  sync_->gather_weights(context_);
  parameters_.weights_changed();
}

std::span<const float> Learner::evaluate(const MicroBatch& batch) {
  const std::int64_t tokens = batch.ids.elements();
  require(tokens <= options_.micro_tokens, "an evaluation of {} tokens, planned for {}", tokens,
          options_.micro_tokens);
  const Tensor losses = results_.tensor(DType::f32, {tokens});
  pipeline_.evaluate(context_, batch, losses);
  Readback& readback = readbacks_.back();
  readback.tokens = tokens;
  read_back(readback, losses);
  readback.arrived.wait();
  return readback.losses();
}

std::span<const float> Learner::next_logits(const MicroBatch& batch,
                                            std::span<const std::int32_t> rows) {
  const std::int64_t tokens = batch.ids.elements();
  require(tokens <= options_.micro_tokens && std::ssize(rows) <= options_.logit_rows,
          "logits of {} of {} tokens, planned for {} of {}", rows.size(), tokens,
          options_.logit_rows, options_.micro_tokens);
  const Tensor logits = results_.tensor(DType::f32, {std::ssize(rows), options_.model.vocab_size});
  pipeline_.next_logits(context_, batch, rows, logits);
  Readback& readback = readbacks_.back();
  read_back(readback, logits);
  readback.arrived.wait();
  return readback.values(0, logits.elements());
}

void Learner::warm_up_logits(const MicroBatch& batch, std::span<const std::int32_t> rows) {
  context_.outputs = Outputs::discarded;
  const Tensor logits = results_.tensor(DType::f32, {std::ssize(rows), options_.model.vocab_size});
  pipeline_.warm_up_logits(context_, batch, rows, logits);
  synchronize(options_.device, context_.stream);
  context_.outputs = Outputs::kept;
}

const ParameterStore& Learner::parameters() {
  sync_->wait_for_weights(context_);
  return parameters_;
}

std::vector<CheckpointTensor> Learner::checkpoint_tensors() const {
  return list_tensors(optimizer_.slices());
}

void Learner::load(const Checkpoint& checkpoint) {
  load_slices([&](const OptimizerSlice& s) {
    checkpoint.load_slice(context_, StateKind::first_moment, s.name, s.offset, s.m);
    checkpoint.load_slice(context_, StateKind::second_moment, s.name, s.offset, s.v);
    checkpoint.load_weights(context_, s.name, s.offset, s.weight, s.remainder);
  });
}

void Learner::load_weights(const Checkpoint& checkpoint) {
  load_slices([&](const OptimizerSlice& s) {
    checkpoint.load_weights(context_, s.name, s.offset, s.weight, s.remainder);
  });
}

std::uint64_t Learner::load_weights(const DirectoryWeights& directory) {
  std::uint64_t bytes = 0;
  load_slices([&](const OptimizerSlice& s) {
    if (s.weight.elements() == 0) return;
    const Buffer memory(cpu_device, static_cast<std::size_t>(s.weight.elements()) * sizeof(float));
    const Tensor masters = memory.tensor(DType::f32, s.weight.shape);
    bytes += directory.load_slice(s.name, s.offset, masters);
    set_master_weights(context_, masters, s.weight, s.remainder);
  });
  return bytes;
}

void Learner::load_slices(const std::function<void(const OptimizerSlice&)>& load) {
  Communicator& world = options_.ranks.world();
  // Nobody waits on a GPU for one that is still loading.
  read_together(world, [&] {
    for (const OptimizerSlice& slice : optimizer_.slices()) {
      world.throw_if_failed();
      load(slice);
    }
  });
  sync_->gather_weights(context_);
  sync_->wait_for_weights(context_);
  parameters_.weights_changed();
  synchronize(options_.device, context_.stream);
}

}  // namespace fathom
