#include "comm/comm_queue.h"

#include "comm/exchange_observer.h"
#include "core/parallel.h"
#include "core/trace.h"

namespace fathom {

namespace {

// What the work exchanges, on the meta device, where nothing is done.
void plan(const Context& context, const CommQueue::Work& work) {
  Context beside(context.device, 0);
  beside.lane = TraceLane::communication;
  beside.observer = context.observer;
  work(beside);
}

}  // namespace

CommQueue::CommQueue(Device device, Overlap overlap) : stream_(device, StreamPriority::high) {
  if (overlap == Overlap::on && device.type != DeviceType::meta)
    thread_ = std::thread([this] { run(); });
}

CommQueue::~CommQueue() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

CommQueue::Ticket CommQueue::submit(Context& context, Work work) {
  ++submitted_;
  if (ExchangeObserver* const observer = exchange_observer(context)) {
    observer->submit(this, submitted_);
    plan(context, work);
    return submitted_;
  }
  if (!thread_.joinable()) {
    work(context);
    joined_ = submitted_;
    return submitted_;
  }
  Task task{std::move(work), Event(context.device), Event(context.device), context.trace};
  task.ready.record(context.stream);
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
  return submitted_;
}

void CommQueue::wait(Context& context, Ticket ticket, const char* name) {
  if (ticket <= joined_) return;
  if (ExchangeObserver* const observer = exchange_observer(context)) {
    observer->wait(this, ticket);
    joined_ = ticket;
    return;
  }
  const TraceSpan span(context, TraceKind::join, name);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ >= ticket || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  // Work runs in order: with the ticket's, all before it is done too.
  const auto not_before = static_cast<std::size_t>(done_ - ticket) + 1;
  while (events_.size() > not_before) events_.pop_front();
  events_.front().block(context.stream);
  joined_ = ticket;
}

void CommQueue::drain() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ >= submitted_ || failure_; });
    if (failure_) return;
  }
  try {
    synchronize(stream_.device(), stream_.get());
  } catch (const std::exception&) {
    // The GPU has failed and does no more work, as who uses it hears.
  }
}

void CommQueue::run() {
  set_num_threads(1);  // beside the threads that compute
  Context context(stream_.device(), 0);
  context.stream = stream_.get();
  context.lane = TraceLane::communication;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
    if (stopping_) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    std::exception_ptr failure;
    try {
      context.trace = task.trace;
      task.ready.block(context.stream);
      task.work(context);
      task.done.record(context.stream);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
    if (!failure) {
      ++done_;
      events_.push_back(std::move(task.done));
    }
    changed_.notify_all();
    if (failure) return;
  }
}

}  // namespace fathom
