// Memory of answers that clients have not taken yet, over all connections. Internal to src/serve.
#pragma once

#include <cstddef>
#include <functional>
#include <set>

#include "serve/metrics.h"

namespace fathom::serve {

// When all answers together pass the limit, the largest is dropped: its client takes it too slowly,
// or asked for the most. Of the network's thread alone.
class ReplyBudget {
 public:
  ReplyBudget(std::size_t limit, Metrics& metrics) : limit_(limit), metrics_(metrics) {}
  ReplyBudget(const ReplyBudget&) = delete;
  ReplyBudget& operator=(const ReplyBudget&) = delete;

  // The memory of one answer.
  class Share {
   public:
    // `drop` is called once, when this answer is the one to go. The budget outlives the share.
    Share(ReplyBudget& budget, std::function<void()> drop);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // The answer takes so many bytes now. A dropped one counts no more.
    void set(std::size_t bytes);
    bool dropped() const { return dropped_; }

   private:
    friend class ReplyBudget;
    ReplyBudget& budget_;
    std::function<void()> drop_;
    std::size_t bytes_ = 0;
    bool dropped_ = false;
  };

  std::size_t bytes() const { return bytes_; }

 private:
  void count(Share& share, std::size_t bytes);
  void drop_largest();

  std::size_t limit_;
  Metrics& metrics_;
  std::size_t bytes_ = 0;
  std::set<Share*> shares_;
};

}  // namespace fathom::serve
