// The thread that owns the engine. Requests come in by a bounded queue; what it generates leaves by
// functions that return at once, so that no client holds the engine up.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "infer/text_engine.h"
#include "serve/metrics.h"

namespace fathom::serve {

struct EngineThreadOptions {
  infer::EngineOptions engine;
  std::int64_t max_waiting = 1024;  // sequences in the queue, beside those that can run
  // The engine has stalled when a step takes longer than this.
  std::chrono::seconds stall{120};
};

// An event of a job's sequence.
struct JobEvent {
  std::size_t sequence;  // its place in the job
  infer::TextEvent event;
};

// What a step brought to a job. The last update has `done` set, or an error.
struct JobUpdate {
  std::vector<JobEvent> events;
  bool done = false;
  std::string error;  // empty: none
};

// Memory that an update takes.
std::size_t bytes_of(const JobUpdate& update);

class EngineThread {
 public:
  using JobId = std::uint64_t;
  // Called on the engine's thread; must neither block nor throw.
  using Notify = std::function<void(JobUpdate)>;

  // All outlive the thread. Makes the engine, with its errors, and starts the thread, which uses as
  // many CPU threads as the caller.
  EngineThread(const infer::LoadedModel& model, Context& context, Metrics& metrics,
               EngineThreadOptions options);
  // Cancels what is left, without an update.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Throws an input Error for a request that the engine would refuse.
  void check(const infer::TextRequest& request) const { engine_.check(request); }
  // Queues requests that passed check(), which start in order. None when the queue has no room for
  // all of them, or the engine has failed.
  std::optional<JobId> submit(std::vector<infer::TextRequest> requests, Notify notify);
  // Ends a job soon; until then updates may still come. Does nothing for a job that is over.
  void cancel(JobId id);

  // Calls `change`, which changes the model's weights, on the engine's thread between two steps,
  // and returns once it did. Sequences that run have `patience` to end; meanwhile none starts. Those
  // left go on with the new weights: their tokens so far stay, and are read again. False when the
  // thread ends or fails first. One thread at a time may call it.
  bool change_weights(std::function<void()> change, std::int64_t step,
                      std::chrono::milliseconds patience);
  // Whether a change of the weights waits for sequences to end.
  bool changes_weights() const;
  // The step of training whose weights are served, where the model is a checkpoint.
  std::optional<std::int64_t> training_step() const;

  // Whether steps go on; false after a failure, which says why.
  bool healthy() const;
  std::string failure() const;
  // Sequences that are queued or run.
  std::int64_t outstanding() const;
  // Length limit of a sequence in tokens, prompt included: the engine's, or what its cache holds.
  std::int64_t max_length() const { return max_length_; }
  // The engine's, whose context it is.
  BatchInvariance batch_invariance() const { return batch_invariance_; }
  // Most sequences that can be queued and run.
  std::int64_t capacity() const { return capacity_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    JobId id = 0;
    std::vector<infer::TextRequest> requests;
    Notify notify;
    Clock::time_point arrived;
    std::vector<infer::RequestId> running;  // its sequences in the engine
    JobUpdate update;                       // of this step
  };
  struct WeightChange {
    std::function<void()> change;
    std::int64_t step = 0;
    Clock::time_point deadline;
    std::promise<bool> done;
  };
  struct Sequence {
    Job* job = nullptr;
    std::size_t place = 0;  // in the job
    std::int64_t prompt_tokens = 0, generated = 0;
    Clock::time_point started;      // its first step
    Clock::time_point first, last;  // tokens
  };

  void run();
  // Takes what other threads asked for; false when the thread should end.
  bool take_orders();
  void start(Job& job);
  // Changes the weights when that is asked for, and may be done now.
  void apply_change();
  void step();
  void take(const infer::TextEvent& event, Clock::time_point now);
  void finish_sequence(infer::RequestId id, std::string_view reason, Clock::time_point now);
  void cancel_now(JobId id);
  // Passes on what the step brought.
  void notify_jobs();
  void fail_all(const std::string& message);
  void update_gauges();

  infer::TextEngine engine_;
  Metrics& metrics_;
  EngineThreadOptions options_;
  std::int64_t capacity_;  // sequences in the engine and its queue
  std::int64_t max_length_ = 0;
  const BatchInvariance& batch_invariance_;

  mutable std::mutex mutex_;  // of the members up to the next comment
  std::condition_variable wake_;
  bool ending_ = false;
  JobId next_id_ = 0;
  std::int64_t outstanding_ = 0;
  std::vector<std::unique_ptr<Job>> incoming_;
  std::vector<JobId> cancelled_;
  std::string failure_;
  std::unique_ptr<WeightChange> change_;
  std::optional<std::int64_t> training_step_;

  // Of the engine's thread alone.
  std::map<JobId, std::unique_ptr<Job>> jobs_;
  std::map<infer::RequestId, Sequence> sequences_;

  std::atomic<std::int64_t> step_began_{0};  // nanoseconds of Clock; 0: no step
  std::thread thread_;
};

}  // namespace fathom::serve
