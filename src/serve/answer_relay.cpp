#include "serve/answer_relay.h"

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace fathom::serve {
namespace {

// Updates beyond this become text on a worker's thread: a millisecond of the network's.
constexpr std::size_t heavy_bytes = std::size_t{64} << 10;

// A body beyond this is not copied behind its head.
constexpr std::size_t large_body_bytes = std::size_t{64} << 10;

constexpr const char* dropped_message =
    "the server holds too much text that clients have not taken: ask for less at once, or read "
    "faster";

// Cancels a job that is left early, also by an exception.
struct Cancellation {
  EngineThread& engine;
  EngineThread::JobId job;
  bool needed = true;
  ~Cancellation() {
    if (needed) engine.cancel(job);
  }
};

}  // namespace

asio::awaitable<bool> send_reply(SessionHost& host, Connection& connection, ResponseForm& form,
                                 Reply reply) {
  host.metrics.count_response(reply.status);
  form.keep_alive = form.keep_alive && !host.draining;
  if (form.head_only || reply.body.size() < large_body_bytes) {
    std::string text = response_text(reply, form);
    co_return co_await connection.write(std::move(text));
  }
  std::string head = response_head(reply, form);
  if (!co_await connection.write(std::move(head))) co_return false;
  co_return co_await connection.write(std::move(reply.body));
}

AnswerRelay::AnswerRelay(SessionHost& host, std::shared_ptr<Connection> connection,
                         ResponseForm& form, Generation generation)
    : host_(host),
      connection_(std::move(connection)),
      form_(form),
      generation_(std::move(generation)),
      queue_(std::make_shared<AnswerQueue>(*host.network, host.replies, connection_)) {}

void AnswerRelay::give_up() {
  queue_->given_up = true;
  queue_->notify();
}

EngineThread::Notify AnswerRelay::notify() const {
  return [network = host_.network, weak = std::weak_ptr<AnswerQueue>(queue_)](JobUpdate update) {
    const std::size_t bytes = bytes_of(update);
    asio::post(*network, [weak, bytes, update = std::move(update)]() mutable {
      if (const auto queue = weak.lock()) queue->push(std::move(update), bytes);
    });
  };
}

asio::awaitable<bool> AnswerRelay::run() {
  const auto job = host_.engine.submit(std::move(generation_.requests), notify());
  if (!job) co_return co_await refuse_job();
  Cancellation cancellation{host_.engine, *job};
  watch();
  bool sent = true;
  if (generation_.stream) sent = co_await begin_stream();
  if (sent) sent = co_await relay();
  cancellation.needed = !sent;
  co_await stop_watching();
  co_return sent;
}

asio::awaitable<bool> AnswerRelay::refuse_job() {
  ApiError error(429, "the queue is full: try again later");
  if (!host_.engine.failure().empty()) error = ApiError(503, "the engine has failed");
  Reply reply = error_reply(error);
  co_return co_await send_reply(host_, *connection_, form_, std::move(reply));
}

asio::awaitable<bool> AnswerRelay::begin_stream() {
  host_.metrics.count_response(200);
  queue_->begun = true;
  // Without chunks the end of the connection ends the answer.
  if (form_.http_version < 11) form_.keep_alive = false;
  std::string begin = stream_head(form_) + chunk_text(generation_.response->begin(), form_);
  co_return co_await connection_->write(std::move(begin));
}

asio::awaitable<void> AnswerRelay::wait() {
  while (queue_->empty() && !queue_->gone && !queue_->given_up && !queue_->dropped()) {
    const bool silent = co_await queue_->wait(host_.options.limits.comment);
    if (!silent || !generation_.stream) continue;
    std::string comment = chunk_text(": waiting\n\n", form_);
    if (!co_await write(std::move(comment))) queue_->gone = true;
  }
}

asio::awaitable<bool> AnswerRelay::relay() {
  while (true) {
    co_await wait();
    if (queue_->gone) co_return false;
    if (queue_->given_up || queue_->dropped()) {
      std::string reason = queue_->given_up ? "the server is stopping" : dropped_message;
      co_return co_await fail(std::move(reason), 503);
    }
    Progress progress = co_await next_progress();
    if (queue_->dropped()) continue;
    if (!progress.error.empty()) co_return co_await fail(std::move(progress.error), 500);
    if (!co_await write(std::move(progress.text))) co_return false;
    if (progress.done) co_return co_await end();
  }
}

AnswerRelay::Progress AnswerRelay::progress_of(std::vector<JobUpdate> updates) {
  Progress progress;
  for (const JobUpdate& update : updates) {
    progress.error = update.error;
    if (!update.error.empty()) return progress;
    for (const JobEvent& event : update.events) {
      progress.text += generation_.response->take(event.sequence, event.event);
    }
    progress.done = update.done;
  }
  if (!progress.text.empty()) progress.text = chunk_text(progress.text, form_);
  return progress;
}

// The log-probabilities of a long prompt take long to write: the network does not wait for them.
asio::awaitable<AnswerRelay::Progress> AnswerRelay::next_progress() {
  const bool heavy = queue_->queued_bytes() > heavy_bytes;
  std::vector<JobUpdate> updates = queue_->take();
  Progress progress;
  if (heavy) {
    auto work = [this, &updates] { return progress_of(std::move(updates)); };
    progress = co_await on_worker(host_.workers, std::move(work));
  } else {
    progress = progress_of(std::move(updates));
  }
  queue_->keep(generation_.response->bytes() + progress.text.size());
  co_return progress;
}

asio::awaitable<bool> AnswerRelay::write(std::string text) {
  const bool sent = co_await connection_->write(std::move(text));
  queue_->keep(generation_.response->bytes());
  co_return sent;
}

asio::awaitable<bool> AnswerRelay::end() {
  if (generation_.stream) {
    std::string end = chunk_text(generation_.response->finish(), form_) + last_chunk(form_);
    co_return co_await write(std::move(end));
  }
  auto work = [this] { return generation_.response->finish(); };
  Reply reply;
  reply.body = co_await on_worker(host_.workers, std::move(work));
  generation_.response.reset();
  queue_->keep(reply.body.size());
  if (queue_->dropped()) reply = error_reply(ApiError(503, dropped_message));
  queue_->begun = true;
  co_return co_await send_reply(host_, *connection_, form_, std::move(reply));
}

asio::awaitable<bool> AnswerRelay::fail(std::string message, int status) {
  const ApiError error(status, message);
  form_.keep_alive = false;
  if (generation_.stream) {
    const std::string events = stream_event(error_body(error)) + stream_event("[DONE]");
    std::string end = chunk_text(events, form_) + last_chunk(form_);
    co_await connection_->write(std::move(end));
  } else {
    Reply reply = error_reply(error);
    co_await send_reply(host_, *connection_, form_, std::move(reply));
  }
  co_return false;
}

void AnswerRelay::watch() {
  auto run = [](std::shared_ptr<Connection> connection,
                std::shared_ptr<AnswerQueue> queue) -> asio::awaitable<void> {
    // A client that fills its room sends on and on: it is there.
    while (!queue->stop_watching && connection->has_room()) {
      const error_code error = co_await connection->receive();
      if (!error) continue;
      if (!queue->stop_watching) {
        queue->gone = true;
        connection->close();  // ends a write that waits for the client
      }
      break;
    }
    queue->watching = false;
    queue->notify();
  };
  queue_->watching = true;
  asio::co_spawn(*host_.network, run(connection_, queue_), asio::detached);
}

asio::awaitable<void> AnswerRelay::stop_watching() {
  queue_->stop_watching = true;
  while (queue_->watching) {
    connection_->cancel();
    co_await queue_->wait();
  }
}

}  // namespace fathom::serve
