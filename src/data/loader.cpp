#include "data/loader.h"

#include <utility>

#include "core/error.h"

namespace fathom {

Loader::Loader(std::shared_ptr<const BatchSource> source, const LoaderOptions& options,
               std::int64_t first_sample)
    : source_(std::move(source)), options_(options), next_sample_(first_sample) {
  require(options.batch_size >= 1 && options.prefetch >= 1 && options.rank >= 0 &&
              options.rank < options.ranks,
          "a loader with batch size {}, prefetch {}, rank {} of {}", options.batch_size,
          options.prefetch, options.rank, options.ranks);
  const std::int64_t first = next_sample_ + options_.rank * options_.batch_size;
  thread_ = std::thread([this, first] { produce(first); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

Batch Loader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty() || failure_; });
  if (ready_.empty()) std::rethrow_exception(failure_);
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  next_sample_ += options_.batch_size * options_.ranks;
  changed_.notify_all();
  return batch;
}

void Loader::produce(std::int64_t first) {
  try {
    for (;; first += options_.batch_size * options_.ranks) {
      Batch batch;
      source_->fill(first, options_.batch_size, batch);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] {
        return stopping_ || ready_.size() < static_cast<std::size_t>(options_.prefetch);
      });
      if (stopping_) return;
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    changed_.notify_all();
  }
}

}  // namespace fathom
