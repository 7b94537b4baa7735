// Training batches, which a thread makes ahead of time.
//
// The samples are dealt to the data-parallel ranks in blocks of a micro-batch:
// micro-batch m of rank r holds samples [g, g + B) with g = (m * ranks + r) * B,
// counted from `first_sample`. So all ranks together take the same samples in the same
// order for any number of ranks, as long as a step's batch is the same.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "data/batch_source.h"

namespace fathom {

struct LoaderOptions {
  std::int64_t batch_size = 1;       // sequences per micro-batch of one rank
  std::int64_t rank = 0, ranks = 1;  // data-parallel
  std::int64_t prefetch = 4;         // batches made ahead, at least 1
};

class Loader {
 public:
  Loader(std::shared_ptr<const BatchSource> source, const LoaderOptions& options,
         std::int64_t first_sample = 0);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next micro-batch of this rank. Rethrows an exception of the thread that made it.
  Batch next();
  // Global index of the first sample that next() has not returned yet on any rank. A
  // checkpoint stores it as the next run's `first_sample`. Batches made ahead do not count.
  std::int64_t next_sample() const { return next_sample_; }

 private:
  void produce(std::int64_t first);

  std::shared_ptr<const BatchSource> source_;
  LoaderOptions options_;
  std::int64_t next_sample_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_;
  std::exception_ptr failure_;  // after the last of ready_
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fathom
