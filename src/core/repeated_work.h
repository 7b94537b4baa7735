// Work of a stream that comes again and again with the same addresses and sizes: from its second
// time on it is recorded, and launched as a whole.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/context.h"
#include "core/error.h"
#include "core/log.h"
#include "core/recorded_work.h"

namespace fathom {

enum class Recording { off, on };

// `Key` tells apart what is queued: equal keys queue the same. It has ==.
template <class Key>
class RepeatedWork {
 public:
  // At most `most` keys are known at a time. A new one takes the place of the oldest that was met
  // once only; while there is none, its work is not recorded.
  explicit RepeatedWork(std::size_t most, Recording recording = Recording::on)
      : most_(most), recording_(recording) {}

  // Queues `work` on the context's stream. The first time `work` is called as it is: libraries
  // choose their algorithms and a device loads its code then. The second time it is called to be
  // recorded, later not at all: what it changes on the host must be the same after every call.
  void run(Context& context, const Key& key, const std::function<void()>& work) {
    const bool observed = context.observer || context.trace;
    if (recording_ == Recording::off || observed) return work();
    Entry* const known = find(key);
    if (!known) {
      remember(key);
      return work();
    }
    if (!known->recorded && can_record_) record(context, *known, work);
    if (!known->recorded) return work();
    known->recorded->launch(context.stream);
    ++launches_;
  }

  // How often work was launched as a whole.
  std::int64_t launches() const { return launches_; }

 private:
  struct Entry {
    Key key;
    std::unique_ptr<RecordedWork> recorded;  // null: met once
  };

  Entry* find(const Key& key) {
    const auto found = std::ranges::find(entries_, key, &Entry::key);
    return found == entries_.end() ? nullptr : &*found;
  }

  void remember(const Key& key) {
    if (entries_.size() == most_) {
      const auto oldest = std::ranges::find_if(
          entries_, [](const Entry& entry) { return entry.recorded == nullptr; });
      if (oldest == entries_.end()) return;
      entries_.erase(oldest);
    }
    entries_.push_back({key, nullptr});
  }

  // A graph takes memory of the device that no plan can foresee: where there is none, the work goes
  // on unrecorded.
  void record(Context& context, Entry& entry, const std::function<void()>& work) {
    try {
      entry.recorded = std::make_unique<RecordedWork>(context.device, context.stream, work);
    } catch (const Error& error) {
      can_record_ = false;
      log::warning("further steps are launched operation by operation: {}", error.what());
    }
  }

  std::size_t most_;
  Recording recording_;
  bool can_record_ = true;  // until it failed once; what was recorded before stays in use
  std::int64_t launches_ = 0;
  std::vector<Entry> entries_;  // in the order in which they were met
};

}  // namespace fathom
