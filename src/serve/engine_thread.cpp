#include "serve/engine_thread.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"

namespace fathom::serve {
namespace {

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string_view reason_of(infer::FinishReason finish) {
  return finish == infer::FinishReason::length ? "length" : "stop";
}

std::size_t bytes_of(const std::vector<infer::DrawnToken>& tokens) {
  std::size_t bytes = tokens.capacity() * sizeof(infer::DrawnToken);
  for (const infer::DrawnToken& token : tokens) {
    bytes += token.likeliest.capacity() * sizeof(infer::TokenLogProbability);
  }
  return bytes;
}

}  // namespace

std::size_t bytes_of(const JobUpdate& update) {
  std::size_t bytes = sizeof(JobUpdate) + update.error.size();
  for (const JobEvent& each : update.events) {
    bytes += sizeof(JobEvent) + each.event.text.capacity() + bytes_of(each.event.tokens) +
             bytes_of(each.event.prompt_scores);
  }
  return bytes;
}

EngineThread::EngineThread(const infer::LoadedModel& model, Context& context, Metrics& metrics,
                           EngineThreadOptions options)
    : engine_(model, context, options.engine),
      metrics_(metrics),
      options_(std::move(options)),
      capacity_(options_.engine.limits.max_sequences + options_.max_waiting),
      batch_invariance_(context.batch_invariance),
      training_step_(model.step) {
  // The last token of a sequence is never read, and needs no place in the cache.
  const infer::BlockManager& blocks = engine_.engine().scheduler().blocks();
  max_length_ =
      std::min(engine_.engine().max_length(), blocks.total_pages() * blocks.page_size() + 1);
  update_gauges();
  // A thread has its own number of threads for parallel loops.
  thread_ = std::thread([this, threads = num_threads()] {
    set_num_threads(threads);
    run();
  });
}

EngineThread::~EngineThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::optional<EngineThread::JobId> EngineThread::submit(std::vector<infer::TextRequest> requests,
                                                        Notify notify) {
  auto job = std::make_unique<Job>();
  job->requests = std::move(requests);
  job->notify = std::move(notify);
  job->arrived = Clock::now();
  const auto count = std::ssize(job->requests);
  const std::lock_guard lock(mutex_);
  if (!failure_.empty() || outstanding_ + count > capacity_) return std::nullopt;
  outstanding_ += count;
  job->id = next_id_++;
  const JobId id = job->id;
  incoming_.push_back(std::move(job));
  wake_.notify_one();
  return id;
}

void EngineThread::cancel(JobId id) {
  const std::lock_guard lock(mutex_);
  cancelled_.push_back(id);
  wake_.notify_one();
}

bool EngineThread::change_weights(std::function<void()> change, std::int64_t step,
                                  std::chrono::milliseconds patience) {
  auto wanted = std::make_unique<WeightChange>();
  wanted->change = std::move(change);
  wanted->step = step;
  wanted->deadline = Clock::now() + patience;
  std::future<bool> done = wanted->done.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || !failure_.empty()) return false;
    change_ = std::move(wanted);
  }
  wake_.notify_one();
  return done.get();
}

bool EngineThread::changes_weights() const {
  const std::lock_guard lock(mutex_);
  return change_ != nullptr;
}

std::optional<std::int64_t> EngineThread::training_step() const {
  const std::lock_guard lock(mutex_);
  return training_step_;
}

bool EngineThread::healthy() const {
  if (!failure().empty()) return false;
  const std::int64_t began = step_began_;
  if (began == 0) return true;
  const Clock::duration since = Clock::now().time_since_epoch() - std::chrono::nanoseconds(began);
  return since < options_.stall;
}

std::string EngineThread::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::int64_t EngineThread::outstanding() const {
  const std::lock_guard lock(mutex_);
  return outstanding_;
}

void EngineThread::run() {
  try {
    while (take_orders()) {
      apply_change();
      step();
    }
  } catch (const std::exception& error) {
    fail_all(error.what());
  }
  const std::lock_guard lock(mutex_);
  if (change_) change_->done.set_value(false);
}

void EngineThread::apply_change() {
  WeightChange* wanted = nullptr;
  {
    const std::lock_guard lock(mutex_);
    wanted = change_.get();
  }
  if (!wanted) return;
  engine_.hold_admission(true);
  const bool idle = engine_.engine().scheduler().num_running() == 0;
  if (!idle && Clock::now() < wanted->deadline) return;
  wanted->change();
  engine_.restart_sequences();
  engine_.hold_admission(false);
  const std::lock_guard lock(mutex_);
  training_step_ = wanted->step;
  std::exchange(change_, nullptr)->done.set_value(true);
}

bool EngineThread::take_orders() {
  std::vector<std::unique_ptr<Job>> incoming;
  std::vector<JobId> cancelled;
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] {
      return ending_ || change_ || !incoming_.empty() || !cancelled_.empty() || !sequences_.empty();
    });
    if (ending_) return false;
    incoming.swap(incoming_);
    cancelled.swap(cancelled_);
  }
  // All are known before the first starts, so that a failure reaches every one.
  std::vector<Job*> started;
  for (std::unique_ptr<Job>& job : incoming) {
    started.push_back(job.get());
    jobs_.emplace(job->id, std::move(job));
  }
  for (Job* job : started) start(*job);
  for (const JobId id : cancelled) cancel_now(id);
  return true;
}

void EngineThread::start(Job& job) {
  for (std::size_t i = 0; i < job.requests.size(); ++i) {
    const infer::TextRequest& request = job.requests[i];
    const infer::RequestId id = engine_.submit(request);
    Sequence sequence;
    sequence.job = &job;
    sequence.place = i;
    sequence.prompt_tokens = std::ssize(std::get<std::vector<std::int32_t>>(request.prompt));
    sequences_.emplace(id, sequence);
    job.running.push_back(id);
  }
  job.requests.clear();
}

void EngineThread::step() {
  const Clock::time_point began = Clock::now();
  step_began_ = std::chrono::nanoseconds(began.time_since_epoch()).count();
  const std::span<const infer::TextEvent> events = engine_.step();
  step_began_ = 0;
  for (const infer::RequestId id : engine_.engine().scheduler().first_admitted()) {
    sequences_.at(id).started = began;
  }
  const Clock::time_point now = Clock::now();
  for (const infer::TextEvent& event : events) take(event, now);
  update_gauges();
  notify_jobs();
}

void EngineThread::take(const infer::TextEvent& event, Clock::time_point now) {
  Sequence& sequence = sequences_.at(event.request);
  if (sequence.generated == 0) {
    sequence.first = now;
    metrics_.first_token(seconds_between(sequence.job->arrived, now));
    metrics_.count_tokens(sequence.prompt_tokens, 0);
  } else {
    metrics_.next_token(seconds_between(sequence.last, now));
  }
  sequence.last = now;
  sequence.generated += std::ssize(event.tokens);
  metrics_.count_tokens(0, std::ssize(event.tokens));
  sequence.job->update.events.push_back({sequence.place, event});
  if (event.finish != infer::FinishReason::none) {
    finish_sequence(event.request, reason_of(event.finish), now);
  }
}

void EngineThread::finish_sequence(infer::RequestId id, std::string_view reason,
                                   Clock::time_point now) {
  const Sequence& sequence = sequences_.at(id);
  SequenceFigures figures{sequence.prompt_tokens, sequence.generated,
                          seconds_between(sequence.job->arrived, now)};
  if (sequence.generated > 0) {
    figures.queue_seconds = seconds_between(sequence.job->arrived, sequence.started);
    figures.prefill_seconds = seconds_between(sequence.started, sequence.first);
    figures.decode_seconds = seconds_between(sequence.first, now);
  }
  metrics_.finished(reason, figures);
  std::erase(sequence.job->running, id);
  sequences_.erase(id);
  const std::lock_guard lock(mutex_);
  --outstanding_;
}

void EngineThread::cancel_now(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  const std::vector<infer::RequestId> running = found->second->running;
  for (const infer::RequestId sequence : running) {
    engine_.cancel(sequence);
    finish_sequence(sequence, "abort", Clock::now());
  }
  jobs_.erase(found);
}

void EngineThread::notify_jobs() {
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    Job& job = *it->second;
    const bool done = job.running.empty();
    if (!job.update.events.empty() || done) {
      job.update.done = done;
      job.notify(std::exchange(job.update, {}));
    }
    it = done ? jobs_.erase(it) : std::next(it);
  }
}

void EngineThread::fail_all(const std::string& message) {
  log::write(log::Level::error, fmt::format("the engine failed: {}", message));
  step_began_ = 0;
  {
    const std::lock_guard lock(mutex_);
    failure_ = message;
    outstanding_ = 0;
    for (std::unique_ptr<Job>& job : incoming_) jobs_.emplace(job->id, std::move(job));
    incoming_.clear();
  }
  JobUpdate update;
  update.done = true;
  update.error = "the engine failed: " + message;
  for (const auto& [id, job] : jobs_) job->notify(update);
  jobs_.clear();
  sequences_.clear();
}

void EngineThread::update_gauges() {
  const infer::Scheduler& scheduler = engine_.engine().scheduler();
  const infer::BlockManager& blocks = scheduler.blocks();
  EngineGauges gauges;
  gauges.running = scheduler.num_running();
  gauges.waiting = scheduler.num_waiting();
  gauges.preemptions = scheduler.preemptions();
  gauges.cache_usage =
      1.0 - static_cast<double>(blocks.free_pages()) / static_cast<double>(blocks.total_pages());
  gauges.prefix_queries = scheduler.prefix_queries();
  gauges.prefix_hits = scheduler.prefix_hits();
  metrics_.set_gauges(gauges);
}

}  // namespace fathom::serve
