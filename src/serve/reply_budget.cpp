#include "serve/reply_budget.h"

#include <algorithm>
#include <utility>

namespace fathom::serve {

ReplyBudget::Share::Share(ReplyBudget& budget, std::function<void()> drop)
    : budget_(budget), drop_(std::move(drop)) {
  budget_.shares_.insert(this);
}

ReplyBudget::Share::~Share() {
  budget_.count(*this, 0);
  budget_.shares_.erase(this);
}

void ReplyBudget::Share::set(std::size_t bytes) {
  if (dropped_) return;
  budget_.count(*this, bytes);
  while (budget_.bytes_ > budget_.limit_) budget_.drop_largest();
}

void ReplyBudget::count(Share& share, std::size_t bytes) {
  bytes_ += bytes - share.bytes_;
  share.bytes_ = bytes;
  metrics_.set_unsent_bytes(bytes_);
}

void ReplyBudget::drop_largest() {
  Share& largest = **std::ranges::max_element(shares_, {}, [](const Share* s) { return s->bytes_; });
  count(largest, 0);
  largest.dropped_ = true;
  metrics_.count_dropped_answer();
  largest.drop_();
}

}  // namespace fathom::serve
