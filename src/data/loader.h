// Training batches, made ahead of time by a thread of its own.
//
// The samples are dealt to the data-parallel ranks in blocks of a micro-batch:
// micro-batch m of rank r holds samples [g, g + B) with g = (m * ranks + r) * B,
// counted from where the run stands. All ranks together so take the same samples in
// the same order however many they are, as long as a step's batch is the same.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "data/sampler.h"

namespace fathom {

struct LoaderOptions {
  std::int64_t batch_size = 1;       // sequences a micro-batch of one rank
  std::int64_t rank = 0, ranks = 1;  // data-parallel
  std::int64_t prefetch = 4;         // batches made ahead, at least 1
};

// All that a checkpoint keeps of the loader; the same on every rank.
struct LoaderState {
  std::int64_t next_sample = 0;   // global index
  std::uint64_t fingerprint = 0;  // Sampler::fingerprint()
};

class Loader {
 public:
  Loader(std::shared_ptr<const Sampler> sampler, const LoaderOptions& options,
         std::int64_t first_sample = 0);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next micro-batch of this rank. Rethrows what went wrong while it was made.
  Batch next();
  // Where the run stands after the batches that next() gave (not those made ahead).
  LoaderState state() const;
  // Goes on from there. The fingerprint is not compared: that is the caller's.
  void seek(std::int64_t next_sample);

 private:
  void start();
  void stop();
  void produce(std::int64_t first);

  std::shared_ptr<const Sampler> sampler_;
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
