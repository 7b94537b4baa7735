#include "serve/answer_queue.h"

#include <utility>

#include "serve/session_host.h"

namespace fathom::serve {

AnswerQueue::AnswerQueue(asio::io_context& network, ReplyBudget& budget,
                         std::weak_ptr<Connection> client)
    : wake_(network), client_(std::move(client)), share_(budget, [this] { drop(); }) {}

void AnswerQueue::push(JobUpdate update, std::size_t bytes) {
  if (dropped()) return;
  queued_ += bytes;
  updates_.push_back(std::move(update));
  share_.set(queued_ + kept_);
  notify();
}

std::vector<JobUpdate> AnswerQueue::take() {
  kept_ += std::exchange(queued_, 0);
  return std::exchange(updates_, {});
}

void AnswerQueue::keep(std::size_t bytes) {
  kept_ = bytes;
  share_.set(queued_ + kept_);
}

void AnswerQueue::drop() {
  updates_.clear();
  notify();
  // It may be a write that waits for the client, and would go on waiting for it.
  const auto client = client_.lock();
  if (begun && client) client->close();
}

asio::awaitable<void> AnswerQueue::wait() {
  wake_.expires_at(asio::steady_timer::time_point::max());
  co_await wake_.async_wait(no_throw);
}

asio::awaitable<bool> AnswerQueue::wait(std::chrono::milliseconds longest) {
  wake_.expires_after(longest);
  const auto [error] = co_await wake_.async_wait(no_throw);
  co_return !error;
}

}  // namespace fathom::serve
