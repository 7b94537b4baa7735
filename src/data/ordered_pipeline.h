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

template <class Input, class Output, class Produce, class Work, class Consume, class Weigh>
class OrderedPipeline {
 public:
  OrderedPipeline(int threads, Produce& produce, Work& work, Consume& consume, Weigh& weigh,
                  std::size_t max_weight)
      : limit_(4 * static_cast<std::size_t>(threads)),
        max_weight_(max_weight),
        produce_(produce),
        work_(work),
        consume_(consume),
        weigh_(weigh) {}

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
    std::size_t weight = 0;
    bool done = false;
  };

  void produce_all() {
    for (bool more = true; more;) {
      auto piece = std::make_shared<Piece>();
      try {
        more = produce_(piece->input.emplace());
        piece->weight = more ? weigh_(*piece->input) : 0;
      } catch (...) {
        piece->error = std::current_exception();
        piece->done = true;
      }
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || has_room(*piece); });
      if (more) {
        in_order_.push_back(piece);
        weight_ += piece->weight;
      }
      if (more && !piece->error) waiting_.push_back(piece);
      more = more && !piece->error && !stopping_;
      ended_ = !more;
      changed_.notify_all();
    }
  }

  bool has_room(const Piece& piece) const {
    return in_order_.size() < limit_ && (weight_ == 0 || weight_ + piece.weight <= max_weight_);
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
      release(*piece);
    }
    return nullptr;
  }

  void release(const Piece& piece) {
    const std::lock_guard lock(mutex_);
    weight_ -= piece.weight;
    changed_.notify_all();
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

  const std::size_t limit_, max_weight_;
  Produce& produce_;
  Work& work_;
  Consume& consume_;
  Weigh& weigh_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Piece>> in_order_, waiting_;
  std::size_t weight_ = 0;  // of the pieces that are not consumed yet
  bool ended_ = false, stopping_ = false;
};

struct NoWeight {
  std::size_t operator()(const auto&) const { return 0; }
};

}  // namespace detail

// Calls produce(input) on a thread of its own until it returns false, work(input)
// on `threads` threads, and consume(output) on the calling thread in the order of
// production. At most 4 * threads pieces exist at once. An exception of any of the three
// is rethrown here at its piece's turn, after the pieces before it were consumed.
// weigh(input): a piece's weight; pieces that weigh more than `max_weight` together do not exist at
// once, besides the one that is being produced, but a single one may weigh more.
template <class Input, class Output, class Produce, class Work, class Consume,
          class Weigh = detail::NoWeight>
void run_ordered(int threads, Produce produce, Work work, Consume consume, Weigh weigh = {},
                 std::size_t max_weight = 0) {
  detail::OrderedPipeline<Input, Output, Produce, Work, Consume, Weigh>(threads, produce, work,
                                                                        consume, weigh, max_weight)
      .run(threads);
}

}  // namespace fathom
