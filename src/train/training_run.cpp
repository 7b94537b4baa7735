#include "train/training_run.h"

#include <algorithm>
#include <optional>

#include "checkpoint/model.h"
#include "checkpoint/ranks.h"
#include "core/error.h"
#include "core/log.h"
#include "model/hugging_face.h"
#include "train/branch.h"
#include "train/machine.h"
#include "train/rank_options.h"
#include "train/warm_up.h"

namespace fathom {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TrainingRun::TrainingRun(Runtime& runtime, RunParts parts, const TrainPlan& plan,
                         const RankGroups& ranks, RunObserver& observer)
    : runtime_(runtime),
      parts_(std::move(parts)),
      plan_(plan),
      ranks_(ranks),
      observer_(observer),
      learner_(learner_options(plan, ranks)),
      guard_(plan.config.guard),
      uploads_(plan.device),
      benchmarks_(std::move(parts_.benchmarks), plan.config.eval) {
  for (std::int64_t i = 0; i < plan_.micro_batches; ++i) {
    batches_.emplace_back(uploads_, plan_.micro_tokens);
  }
}

double TrainingRun::elapsed() const {
  return position_.seconds + seconds_since(start_);
}

RunPosition TrainingRun::at(double elapsed_seconds) const {
  RunPosition position = position_;
  position.seconds = elapsed_seconds;
  return position;
}

void TrainingRun::load(const Checkpoint& checkpoint, void (Learner::*part)(const Checkpoint&)) {
  const TransferRate rate;
  const std::uint64_t before = checkpoint.bytes_read();
  (learner_.*part)(checkpoint);
  const std::string text = rate.text("checkpoint", world(), checkpoint.bytes_read() - before);
  if (first()) log::info("read {}", text);
}

void TrainingRun::restore(const Checkpoint& checkpoint) {
  require_same_run(checkpoint, parts_.identity, plan_.config.model);
  const TrainingState& saved = checkpoint.state();
  load(checkpoint, &Learner::load);
  guard_.restore(guard_in(saved));
  position_ = position_in(saved);
  if (first() && !knows_content(checkpoint)) {
    log::warning(
        "{}: an older checkpoint, without checksums of its data: only the counts of tokens and "
        "documents could be compared",
        checkpoint.directory());
  }
  if (first()) log::info("resuming {} at step {}", checkpoint.directory(), position_.steps);
}

void TrainingRun::branch_off(const Checkpoint& checkpoint) {
  require_continuable(checkpoint, parts_.identity, plan_);
  load(checkpoint, &Learner::load);
  guard_.restore(guard_after(checkpoint.state(), parts_.identity));
  position_ = position_in(checkpoint.state());
  if (first()) log_branch(checkpoint.state(), parts_.identity, plan_);
}

void TrainingRun::begin() {
  if (plan_.branch) {
    use_checkpoint("", plan_.branch->checkpoint, ranks_,
                   [this](const Checkpoint& checkpoint) { branch_off(checkpoint); });
    return;
  }
  const std::string& from = plan_.config.init_from;
  if (from.empty()) {
    learner_.initialize_weights(static_cast<std::uint64_t>(plan_.config.seed));
    return;
  }
  if (is_model_directory(from)) return begin_with_directory(from);
  use_checkpoint("", from, ranks_, [&](const Checkpoint& checkpoint) {
    require_model(checkpoint, plan_.config.model);
    load(checkpoint, &Learner::load_weights);
    if (first()) log::info("beginning with the weights of {}", checkpoint.directory());
  });
}

void TrainingRun::begin_with_directory(const std::string& directory) {
  const TransferRate rate;
  std::optional<DirectoryWeights> weights;
  read_together(world(), [&] {
    weights.emplace(directory);
    require_same_model(weights->config(), plan_.config.model, directory);
  });
  const std::string text = rate.text("weights", world(), learner_.load_weights(*weights));
  if (first()) log::info("read {}", text);
  if (first()) log::info("beginning with the weights of {}", directory);
}

void TrainingRun::start(const RunOptions& options) {
  const auto resume = [this](const Checkpoint& checkpoint) { restore(checkpoint); };
  if (!use_checkpoint(path("checkpoints"), options.resume, ranks_, resume)) begin();

  if (plan_.device.type != DeviceType::cpu) {
    warm_up(learner_, parts_.source, loader_options(plan_, ranks_), position_.next_sample,
            *parts_.objective, batches_);
    if (parts_.samples) parts_.samples->warm_up(learner_, batches_.front());
  }
  if (parts_.repetition) parts_.repetition->start(learner_, batches_.front());
  benchmarks_.start(learner_, batches_.front());
  parts_.objective->begin(unless_stopped(evaluate_batch()), position_.steps);
  // Nothing of the directory changes before every rank has found the run possible.
  world().barrier();
  checkpoints_ = std::make_unique<CheckpointWriter>(path("checkpoints"), plan_.config.checkpoint,
                                                    learner_.checkpoint_tensors(), position_.steps,
                                                    world().split(0, "checkpoint"));
  loader_ =
      std::make_unique<Loader>(parts_.source, loader_options(plan_, ranks_), position_.next_sample);
  if (options.trace) trace_ = std::make_unique<RunTrace>(plan_, ranks_, path("trace"));
  observer_.begin(position_);
  wait_for_disks(world());  // the first rank has read the run's records
  benchmarks_.resume(position_.steps, path("metrics.jsonl"), ranks_, plan_.last_step(position_));
  agreed_ = position_;
  start_ = Clock::now();
}

bool TrainingRun::phase_begins_in(std::int64_t first, std::int64_t end) const {
  return std::ranges::any_of(parts_.identity.data.phases, [&](const PhaseState& phase) {
    return first <= phase.first_sample && phase.first_sample < end;
  });
}

// Where other data could follow. Within a step: the one that has come to it.
bool TrainingRun::ends_data_phase(const RunPosition& before) const {
  const CheckpointConfig& saves = plan_.config.checkpoint;
  return saves.enabled && saves.keep_phase_ends &&
         phase_begins_in(before.next_sample + 1, position_.next_sample + 1);
}

TrainingRun::Agreement TrainingRun::agree() {
  if (const auto saved = checkpoints_->poll()) observer_.saved(*saved);
  Agreement now{elapsed(), runtime_.stop_signal(), checkpoints_->due(position_.steps)};
  now.keep = plan_.keeps(agreed_, at(now.elapsed)) || ends_data_phase(agreed_);
  const std::vector<Agreement> all = gather_values(world(), now);
  now = all.front();
  for (const Agreement& other : all) {
    if (now.signal == 0) now.signal = other.signal;
  }
  agreed_ = at(now.elapsed);
  keep_ = now.keep ? Keep::for_good : Keep::by_rule;
  return now;
}

TrainingRun::QueuedStep TrainingRun::queue_step(double elapsed_seconds) {
  QueuedStep step;
  step.begin = Clock::now();
  step.first_sample = position_.next_sample;
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < batches_.size(); ++i) batches.push_back(loader_->next());
  Objective& objective = *parts_.objective;
  StepTerms terms = objective.prepare(batches);
  observer_.batches(batches);
  std::vector<MicroBatch> micro_batches;
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    micro_batches.push_back(batches_[i].upload(learner_.context(), batches[i]));
  }
  step.learning_rate = plan_.learning_rate(at(elapsed_seconds));
  WeighMicroBatch weigh;
  if (objective.weighs_losses()) {
    weigh = [&](std::size_t i, std::span<const float> losses, std::span<float> weights) {
      objective.weigh(batches[i], losses, weights);
    };
  }
  learner_.queue_gradients(micro_batches, terms.normaliser, weigh);
  objective.conclude(terms);
  step.figures = figures_of(terms, ranks_);
  position_.next_sample = loader_->next_sample();
  ++position_.steps;
  position_.tokens += plan_.tokens_per_step;
  step.after = position_;
  return step;
}

// Where the guard may hold an update back, the device waits for its verdict. Otherwise
// the update follows at once, and a device works on the next step while this one's
// figures travel.
void TrainingRun::step(double elapsed_seconds) {
  if (trace_) trace_->before_step(learner_.context());
  keep_ = Keep::by_rule;
  queued_.push_back(queue_step(elapsed_seconds));
  const QueuedStep now = queued_.back();
  if (guard_.decides_updates()) {
    queued_.clear();
    const Judged judged = judge(now);
    if (!judged.skipped) update(now);
    return report(now, judged);
  }
  update(now);
  settle_steps(plan_.device.type == DeviceType::cpu ? 0 : 1);
}

void TrainingRun::update(const QueuedStep& step) {
  checkpoints_->before_change(learner_.context());
  learner_.update(step.learning_rate, step.after.steps);
}

void TrainingRun::settle_steps(std::size_t outstanding) {
  while (queued_.size() > outstanding) {
    const QueuedStep step = queued_.front();
    queued_.pop_front();
    report(step, judge(step));
  }
}

TrainingRun::Judged TrainingRun::judge(const QueuedStep& step) {
  Judged judged;
  judged.result = learner_.next_result();
  judged.result.loss = step.figures.loss.value_or(judged.result.loss);
  if (phase_begins_in(step.first_sample, step.after.next_sample)) {
    guard_.restore(SpikeGuard::anew(guard_.state()));
  }
  const SpikeGuard::Verdict verdict =
      guard_.judge(step.after.steps, judged.result.loss, judged.result.gradient_norm,
                   fmt::format("samples {} to {}", step.first_sample, step.after.next_sample - 1));
  if (first() && !verdict.message.empty()) log::warning("{}", verdict.message);
  const bool fine = verdict.finding == SpikeGuard::Finding::fine;
  judged.skipped = !fine && verdict.action != GuardAction::ignore;
  if (verdict.action == GuardAction::stop) judged.stop = verdict.message;
  return judged;
}

void TrainingRun::report(const QueuedStep& step, const Judged& judged) {
  const double seconds = seconds_since(std::max(step.begin, reported_));
  reported_ = Clock::now();
  RunPosition position = step.after;
  position.seconds = elapsed();
  observer_.step(
      {position, judged.result, step.learning_rate, seconds, judged.skipped, step.figures});
  if (judged.stop.empty()) return;
  for (const QueuedStep& later : std::exchange(queued_, {})) judge(later);
  save_and_wait();
  throw StoppedByGuard(
      fmt::format("stopped by the guard at step {}: {}", step.after.steps, judged.stop));
}

void TrainingRun::evaluate() {
  settle_steps(0);
  if (evaluated_at_ == position_.steps) return;
  evaluated_at_ = position_.steps;
  if (parts_.validator) {
    MetricsRecord record{position_.steps, {}};
    parts_.validator->run(evaluate_batch(), record);
    observer_.validation(record);
  }
  if (!parts_.samples) return;
  const SamplePoint point{position_.steps, parts_.samples->draw(learner_, batches_.front())};
  if (!point.samples.empty()) observer_.samples(point);
}

// At a validation point too: choosing a checkpoint compares loss and repetition.
void TrainingRun::measure_repetition() {
  if (!parts_.repetition || repetition_at_ == position_.steps) return;
  repetition_at_ = position_.steps;
  evaluate();
  observer_.repetition(position_.steps, parts_.repetition->measure(learner_, batches_.front()));
}

bool TrainingRun::ask_benchmarks() {
  settle_steps(0);
  const Clock::time_point begin = Clock::now();
  const bool done = benchmarks_.run(
      position_.steps, learner_, batches_.front(), [this] { return runtime_.stop_signal() != 0; },
      observer_);
  start_ += Clock::now() - begin;
  return done;
}

// In the memory of the first of a step's micro-batches.
EvaluateBatch TrainingRun::evaluate_batch() {
  return [this](const Batch& batch) {
    return learner_.evaluate(batches_.front().upload(learner_.context(), batch));
  };
}

// Before the first step there is nothing to save on a signal.
EvaluateBatch TrainingRun::unless_stopped(EvaluateBatch evaluate) {
  return [this, evaluate = std::move(evaluate)](const Batch& batch) {
    if (runtime_.stop_signal() != 0) fail_runtime("stopped by a signal before the first step");
    return evaluate(batch);
  };
}

void TrainingRun::finish_trace() {
  settle_steps(0);
  // Work in background lanes records its spans until it ends.
  learner_.context().trace = nullptr;
  learner_.parameters();
  trace_->finish(learner_.context());
}

bool TrainingRun::finish() {
  if (trace_) finish_trace();
  evaluate();
  measure_repetition();
  const SaveResult saved = save_and_wait();
  if (!ask_benchmarks()) return false;
  observer_.sync();
  observer_.end({now(), saved, state().config_toml, learner_});
  return true;
}

void TrainingRun::save() {
  settle_steps(0);
  observer_.sync();
  // One that is kept is of this very step, so it waits for a save that still runs.
  if (keep_ == Keep::for_good) {
    if (const auto earlier = checkpoints_->finish()) observer_.saved(*earlier);
  }
  checkpoints_->save(learner_.context(), state(), keep_);
  wait_for_disks(world());  // for the first rank's sync()
}

SaveResult TrainingRun::save_and_wait() {
  settle_steps(0);
  observer_.sync();
  if (const auto earlier = checkpoints_->finish()) observer_.saved(*earlier);
  return checkpoints_->save_and_wait(learner_.context(), state(), keep_);
}

int TrainingRun::stop_for(int signal) {
  if (position_.steps == 0) fail_runtime("stopped by a signal before the first step");
  const SaveResult saved = save_and_wait();
  if (first() && saved.committed()) {
    log::info("stopped by a signal after step {}; the same command goes on from there",
              position_.steps);
  } else if (first()) {
    log::warning("stopped by a signal after step {}, which was not saved: {}", position_.steps,
                 saved.error);
  }
  return signal;
}

int TrainingRun::run(const RunOptions& options) {
  start(options);
  // A resumed run first finishes the evaluation that was interrupted.
  if (benchmarks_.due(position_.steps) && !ask_benchmarks()) return stop_for(agree().signal);
  const std::int64_t evaluations = plan_.config.validation.every_steps;
  const std::int64_t measurements = plan_.config.repetition.every_steps;
  const auto due = [this](std::int64_t every) { return every > 0 && position_.steps % every == 0; };
  Agreement now = agree();
  if (first() && position_.steps > 0 && plan_.finished(at(now.elapsed))) {
    log::info(
        "the run was at its end already; with a larger train.steps (tokens, epochs, "
        "max_minutes) it goes on");
  }
  while (!plan_.finished(at(now.elapsed))) {
    step(now.elapsed);
    if (due(evaluations)) evaluate();
    if (due(measurements)) measure_repetition();
    if (trace_ && trace_->complete()) finish_trace();
    now = agree();
    if (now.signal != 0) return stop_for(now.signal);
    if (now.save || now.keep) save();
    // After the save: a round that fails then costs no step.
    if (benchmarks_.due(position_.steps) && !ask_benchmarks()) return stop_for(agree().signal);
  }
  return finish() ? 0 : stop_for(agree().signal);
}

}  // namespace fathom
