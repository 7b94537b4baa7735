// Processes pieces of work on many threads and delivers the results in the order of the
// input, with a bounded number of pieces in memory. The output does not depend on timing.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace fathom {

namespace detail {

template <class Input, class Output, class Produce, class Work, class Consume>
class OrderedPipeline {
 public:
  OrderedPipeline(int threads, Produce& produce, Work& work, Consume& consume)
      : limit_(4 * static_cast<std::size_t>(threads)),
        produce_(produce),
        work_(work),
        consume_(consume) {}

  void run(int threads) {
    std::vector<std::thread> pool;
    pool.emplace_back([this] { produce_all(); });
    for (int i = 0; i < threads; ++i) pool.emplace_back([this] { work_on_all(); });
    const std::exception_ptr error = consume_all();
    stop();
    for (std::thread& thread : pool) thread.join();
    if (error) std::rethrow_exception(error);
  }

 private:
  struct Piece {
    std::optional<Input> input;
    std::optional<Output> output;
    std::exception_ptr error;
    bool done = false;
  };

  void produce_all() {
    for (bool more = true; more;) {
      auto piece = std::make_shared<Piece>();
      try {
        more = produce_(piece->input.emplace());
      } catch (...) {
        piece->error = std::current_exception();
        piece->done = true;
      }
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || in_order_.size() < limit_; });
      if (more) in_order_.push_back(piece);
      if (more && !piece->error) waiting_.push_back(piece);
      more = more && !piece->error && !stopping_;
      ended_ = !more;
      changed_.notify_all();
    }
  }

  void work_on_all() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || ended_ || !waiting_.empty(); });
      if (stopping_ || waiting_.empty()) return;
      const auto piece = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      try {
        piece->output = work_(std::move(*piece->input));
      } catch (...) {
        piece->error = std::current_exception();
      }
      piece->input.reset();
      lock.lock();
      piece->done = true;
      changed_.notify_all();
    }
  }

  // Returns the error that ended it early; null when all pieces were consumed.
  std::exception_ptr consume_all() {
    while (const std::shared_ptr<Piece> piece = next_done()) {
      if (piece->error) return piece->error;
      try {
        consume_(std::move(*piece->output));
      } catch (...) {
        return std::current_exception();
      }
    }
    return nullptr;
  }

  // Null at the end.
  std::shared_ptr<Piece> next_done() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return in_order_.empty() ? ended_ : in_order_.front()->done; });
    if (in_order_.empty()) return nullptr;
    std::shared_ptr<Piece> piece = std::move(in_order_.front());
    in_order_.pop_front();
    changed_.notify_all();
    return piece;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }

  const std::size_t limit_;
  Produce& produce_;
  Work& work_;
  Consume& consume_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Piece>> in_order_, waiting_;
  bool ended_ = false, stopping_ = false;
};

}  // namespace detail

// Calls produce(input) on a thread of its own until it returns false, work(input)
// on `threads` threads, and consume(output) on the calling thread in the order of
// production. At most 4 * threads pieces exist at once. An exception of any of the three
// is rethrown here at its piece's turn, after the pieces before it were consumed.
template <class Input, class Output, class Produce, class Work, class Consume>
void run_ordered(int threads, Produce produce, Work work, Consume consume) {
  detail::OrderedPipeline<Input, Output, Produce, Work, Consume>(threads, produce, work, consume)
      .run(threads);
}

}  // namespace fathom
