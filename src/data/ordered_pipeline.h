// Work on many threads whose results arrive in the order of the input, with a
// bounded number of pieces in memory: what comes out does not depend on timing.
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

// Calls produce(input) on a thread of its own until it returns false, work(input)
// on `threads` threads, and consume(output) on the calling thread in the order of
// production. At most 4 * threads pieces exist at once. An exception of any of them
// is thrown here, at the turn of its piece: the pieces before it are consumed.
template <class Input, class Output, class Produce, class Work, class Consume>
void run_ordered(int threads, Produce produce, Work work, Consume consume) {
  struct Piece {
    std::optional<Input> input;
    std::optional<Output> output;
    std::exception_ptr error;
    bool done = false;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Piece>> in_order, waiting;
  bool ended = false, stopping = false;
  const std::size_t limit = 4 * static_cast<std::size_t>(threads);

  const auto reader = [&] {
    for (bool more = true; more;) {
      auto piece = std::make_shared<Piece>();
      try {
        more = produce(piece->input.emplace());
      } catch (...) {
        piece->error = std::current_exception();
        piece->done = true;
      }
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || in_order.size() < limit; });
      if (more) in_order.push_back(piece);
      if (more && !piece->error) waiting.push_back(piece);
      more = more && !piece->error && !stopping;
      ended = !more;
      changed.notify_all();
    }
  };
  const auto worker = [&] {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stopping || ended || !waiting.empty(); });
      if (stopping || waiting.empty()) return;
      const auto piece = waiting.front();
      waiting.pop_front();
      lock.unlock();
      try {
        piece->output = work(std::move(*piece->input));
      } catch (...) {
        piece->error = std::current_exception();
      }
      piece->input.reset();
      lock.lock();
      piece->done = true;
      changed.notify_all();
    }
  };

  std::vector<std::thread> pool;
  pool.emplace_back(reader);
  for (int i = 0; i < threads; ++i) pool.emplace_back(worker);
  std::exception_ptr error;
  for (;;) {
    std::shared_ptr<Piece> piece;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return in_order.empty() ? ended : in_order.front()->done; });
      if (in_order.empty()) break;
      piece = std::move(in_order.front());
      in_order.pop_front();
      changed.notify_all();
    }
    error = piece->error;
    try {
      if (!error) consume(std::move(*piece->output));
    } catch (...) {
      error = std::current_exception();
    }
    if (error) break;
  }
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    changed.notify_all();
  }
  for (std::thread& thread : pool) thread.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace fathom
