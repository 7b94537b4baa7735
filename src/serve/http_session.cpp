#include "serve/http_session.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <utility>

#include "core/log.h"

namespace fathom::serve {

namespace http = boost::beast::http;
using boost::system::error_code;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

// What a coroutine is given is made before the call: g++ 12 destroys twice what a conditional
// expression makes inside one with co_await.

namespace {

// When the server ends: for the error to reach a client whose answer is given up.
constexpr std::chrono::seconds time_to_say_so{1};

// Runs f on the pool's threads and comes back to the network's.
template <class F>
asio::awaitable<std::invoke_result_t<F>> on_worker(asio::thread_pool& pool, F f) {
  using Result = std::invoke_result_t<F>;
  auto task = [](F work) -> asio::awaitable<Result> { co_return work(); };
  co_return co_await asio::co_spawn(pool, task(std::move(f)), asio::use_awaitable);
}

// Why a request could not be read; none for a connection that simply ended.
std::optional<ApiError> read_failure(error_code error, const HttpLimits& limits, bool timed_out) {
  if (timed_out) return ApiError(408, "the request came too slowly");
  if (error == http::error::header_limit) {
    return ApiError(
        431, fmt::format("the request's header is larger than {} bytes", limits.header_bytes));
  }
  if (error == http::error::body_limit) {
    return ApiError(413,
                    fmt::format("the request's body is larger than {} bytes", limits.body_bytes));
  }
  const bool ended = error == http::error::end_of_stream || error == http::error::partial_message;
  if (ended || error.category() != make_error_code(http::error::bad_method).category()) {
    return std::nullopt;
  }
  return ApiError(400, "the request is not HTTP: " + error.message());
}

}  // namespace

struct Session::Exchange {
  explicit Exchange(asio::io_context& network) : wake(network) {}
  void notify() { wake.cancel(); }
  // False when the client takes too little: nothing more is kept for it then.
  bool push(JobUpdate update, std::size_t max_events) {
    if (gone) return false;
    events += update.events.size();
    updates.push_back(std::move(update));
    if (events > max_events) {
      gone = true;
      updates.clear();
      events = 0;
    }
    notify();
    return !gone;
  }
  JobUpdate pop() {
    JobUpdate update = std::move(updates.front());
    updates.pop_front();
    events -= update.events.size();
    return update;
  }

  asio::steady_timer wake;
  std::deque<JobUpdate> updates;
  std::size_t events = 0;
  bool gone = false;      // the client left, or takes nothing
  bool given_up = false;  // the server ends
  bool watching = false, stop_watching = false;
};

// Memory of a body, from its header until it is parsed.
struct Session::BodyBudget {
  BodyBudget(SessionHost& host, std::size_t bytes) : host_(host), bytes_(bytes) {
    host_.body_bytes += bytes_;
  }
  ~BodyBudget() { host_.body_bytes -= bytes_; }
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

 private:
  SessionHost& host_;
  std::size_t bytes_;
};

Session::Session(SessionHost& host, asio::ip::tcp::socket socket)
    : host_(host),
      limits_(host.options.limits),
      socket_(std::move(socket)),
      deadline_(*host.network),
      buffer_(host.options.limits.header_bytes + (std::size_t{64} << 10)) {
  host_.sessions.insert(this);
}

Session::~Session() {
  host_.sessions.erase(this);
}

void Session::start() {
  auto run = [](std::shared_ptr<Session> self) -> asio::awaitable<void> { co_await self->serve(); };
  asio::co_spawn(*host_.network, run(shared_from_this()), asio::detached);
}

asio::awaitable<void> Session::serve() {
  try {
    while (co_await serve_request()) {
    }
  } catch (const std::exception& error) {
    log::warning("a connection failed: {}", error.what());
  }
  clear_deadline();
  close();
}

void Session::drain() {
  if (phase_ == Phase::waiting) close();
}

void Session::give_up() {
  using Clock = asio::steady_timer::clock_type;
  if (!close_at_) close_at_ = Clock::now() + time_to_say_so;
  // A client that reads slowly would hold the server up.
  if (!exchange_ || Clock::now() >= *close_at_) return close();
  exchange_->given_up = true;
  exchange_->notify();
}

void Session::close() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

void Session::set_deadline(std::chrono::milliseconds after, bool writing) {
  writing_ = writing;
  timed_out_ = false;
  if (writing) ioctl(socket_.native_handle(), SIOCOUTQ, &unsent_);
  deadline_.expires_after(after);
  deadline_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    // A deadline that passed just before it was set anew is none.
    if (!error && self && self->deadline_.expiry() <= asio::steady_timer::clock_type::now()) {
      self->deadline_passed();
    }
  });
}

// A wait that has ended already, and whose handler is queued, then finds no deadline either.
void Session::clear_deadline() {
  deadline_.expires_at(asio::steady_timer::time_point::max());
}

// A client may read slowly but steadily: the kernel then sends from a buffer that is full, and no
// write ends for long.
void Session::deadline_passed() {
  const int before = unsent_;
  if (writing_ && ioctl(socket_.native_handle(), SIOCOUTQ, &unsent_) == 0 && unsent_ < before) {
    set_deadline(limits_.progress, true);
    return;
  }
  timed_out_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

asio::awaitable<bool> Session::serve_request() {
  if (!co_await read_header()) co_return false;
  std::optional<Reply> refusal = check_header();
  if (refusal) {
    // An unread body would be taken for the next request.
    form_.keep_alive = form_.keep_alive && parser_->is_done();
    const bool sent = co_await send(std::move(*refusal));
    if (sent && !form_.keep_alive) co_await linger();
    co_return sent && form_.keep_alive;
  }
  std::variant<Reply, Generation> answer;
  {
    const BodyBudget budget(
        host_, parser_->content_length().value_or(parser_->is_done() ? 0 : limits_.body_bytes));
    if (!co_await read_body()) co_return false;
    if (Service::answers_at_once(request_)) {
      answer = host_.service.answer(request_);
    } else {
      auto work = [this] { return host_.service.answer(request_); };
      answer = co_await on_worker(host_.workers, std::move(work));
    }
    request_.body = {};
  }
  if (auto* reply = std::get_if<Reply>(&answer)) {
    const bool sent = co_await send(std::move(*reply));
    co_return sent && form_.keep_alive;
  }
  co_return co_await generate(std::move(std::get<Generation>(answer)));
}

asio::awaitable<bool> Session::read_header() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  parser_->body_limit(limits_.body_bytes);
  if (buffer_.size() == 0) {
    phase_ = Phase::waiting;
    if (host_.draining) co_return false;
    set_deadline(limits_.idle);
    const auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(4096), no_throw);
    if (error) co_return false;
    buffer_.commit(bytes);
  }
  phase_ = Phase::reading;
  form_ = {};
  set_deadline(limits_.header);
  const auto [error, bytes] =
      co_await http::async_read_header(socket_, buffer_, *parser_, no_throw);
  clear_deadline();
  if (error) {
    form_.keep_alive = false;
    const std::optional<ApiError> failure = read_failure(error, limits_, timed_out_);
    if (failure) co_await refuse(*failure);
    co_return false;
  }
  const auto& header = parser_->get();
  const std::string_view target(header.target().data(), header.target().size());
  request_.method = std::string(header.method_string());
  request_.path = target.substr(0, target.find('?'));
  request_.authorization = std::string(header[http::field::authorization]);
  request_.if_none_match = std::string(header[http::field::if_none_match]);
  form_.http_version = header.version() >= 11 ? 11 : 10;
  form_.keep_alive = header.keep_alive() && !host_.draining;
  form_.head_only = header.method() == http::verb::head;
  co_return true;
}

std::optional<Reply> Session::check_header() {
  const auto& header = parser_->get();
  const std::string host(header[http::field::host]), origin(header[http::field::origin]);
  if (host_.options.check_host && !is_local_host(host)) {
    return error_reply(ApiError(403,
                                "the header Host does not name this machine: without an API "
                                "key the server answers to localhost alone"));
  }
  const auto allowed = allowed_origin(origin, host, host_.options.origins);
  if (!allowed) {
    return error_reply(ApiError(403,
                                "requests from web pages of other origins are refused: start "
                                "the server with --cors ORIGIN"));
  }
  form_.allowed_origin = *allowed;
  if (header.method() == http::verb::options && !allowed->empty()) {
    // Clients send headers of their own, such as the language and version they are written in.
    std::string headers(header[http::field::access_control_request_headers]);
    if (headers.empty()) headers = "Authorization, Content-Type";
    Reply preflight{204, "", "text/plain", {}};
    preflight.headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                         {"Access-Control-Allow-Headers", std::move(headers)},
                         {"Access-Control-Max-Age", "600"}};
    return preflight;
  }
  if (auto refusal = host_.service.refuse_early(request_)) return refusal;
  if (host_.draining) return error_reply(ApiError(503, "the server is stopping"));
  if (!header[http::field::content_encoding].empty()) {
    return error_reply(ApiError(415, "compressed bodies are not supported"));
  }
  if (!parser_->is_done() && host_.body_bytes + limits_.body_bytes > limits_.all_bodies_bytes) {
    return error_reply(ApiError(429, "the server reads too many requests at once: try again"));
  }
  return std::nullopt;
}

asio::awaitable<bool> Session::read_body() {
  if (!parser_->is_done()) {
    if (boost::beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
      std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      if (!co_await write(std::move(go_on))) co_return false;
    }
    set_deadline(limits_.body);
    const auto [error, bytes] = co_await http::async_read(socket_, buffer_, *parser_, no_throw);
    clear_deadline();
    if (error) {
      form_.keep_alive = false;
      const std::optional<ApiError> failure = read_failure(error, limits_, timed_out_);
      if (failure) co_await refuse(*failure);
      co_return false;
    }
  }
  phase_ = Phase::answering;
  request_.body = std::move(parser_->get().body());
  co_return true;
}

asio::awaitable<bool> Session::refuse(ApiError error) {
  Reply reply = error_reply(error);
  const bool sent = co_await send(std::move(reply));
  if (sent && !form_.keep_alive) co_await linger();
  co_return sent && form_.keep_alive;
}

asio::awaitable<bool> Session::send(Reply reply) {
  host_.metrics.count_response(reply.status);
  form_.keep_alive = form_.keep_alive && !host_.draining;
  std::string text = response_text(reply, form_);
  co_return co_await write(std::move(text));
}

asio::awaitable<bool> Session::write(std::string text) {
  asio::const_buffer rest = asio::buffer(text);
  while (rest.size() > 0) {
    set_deadline(limits_.progress, true);
    const auto [error, bytes] = co_await socket_.async_write_some(rest, no_throw);
    if (error) {
      clear_deadline();
      co_return false;
    }
    rest += bytes;
  }
  clear_deadline();
  co_return true;
}

// Closing with unread input would reset the connection, and the client might not see the answer.
asio::awaitable<void> Session::linger() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  set_deadline(limits_.linger);
  std::vector<char> scratch(std::size_t{64} << 10);
  for (int reads = 0; reads < 1024; ++reads) {
    const auto [error, bytes] = co_await socket_.async_read_some(asio::buffer(scratch), no_throw);
    if (error) break;
  }
  clear_deadline();
}

asio::awaitable<bool> Session::generate(Generation generation) {
  const auto exchange = std::make_shared<Exchange>(*host_.network);
  auto notify = [network = host_.network, session = weak_from_this(),
                 weak = std::weak_ptr<Exchange>(exchange),
                 most = limits_.max_queued_events](JobUpdate update) {
    asio::post(*network, [session, weak, most, update = std::move(update)]() mutable {
      const auto target = weak.lock();
      if (!target || target->push(std::move(update), most)) return;
      // Ends the write that waits for the client.
      if (const auto self = session.lock()) self->close();
    });
  };
  const auto job = host_.engine.submit(std::move(generation.requests), std::move(notify));
  if (!job) {
    ApiError error(429, "the queue is full: try again later");
    if (!host_.engine.failure().empty()) error = ApiError(503, "the engine has failed");
    co_return co_await refuse(error);
  }
  // Also when the coroutine ends by an exception.
  struct Cancel {
    EngineThread& engine;
    EngineThread::JobId job;
    bool needed = true;
    ~Cancel() {
      if (needed) engine.cancel(job);
    }
  } cancel{host_.engine, *job};
  exchange_ = exchange;
  watch(exchange);
  bool sent = true;
  if (generation.stream) {
    host_.metrics.count_response(200);
    // Without chunks the end of the connection ends the answer.
    if (form_.http_version < 11) form_.keep_alive = false;
    std::string begin = stream_head(form_) + chunk_text(generation.response->begin(), form_);
    sent = co_await write(std::move(begin));
  }
  if (sent) sent = co_await relay(generation, exchange);
  cancel.needed = !sent;
  exchange_.reset();
  co_await stop_watching(exchange);
  co_return sent && form_.keep_alive;
}

asio::awaitable<bool> Session::relay(Generation& generation, std::shared_ptr<Exchange> exchange) {
  while (true) {
    while (exchange->updates.empty() && !exchange->gone && !exchange->given_up) {
      exchange->wake.expires_after(limits_.comment);
      const auto [error] = co_await exchange->wake.async_wait(no_throw);
      if (error || !generation.stream) continue;
      std::string comment = chunk_text(": waiting\n\n", form_);
      if (!co_await write(std::move(comment))) co_return false;
    }
    if (exchange->gone) co_return false;
    if (exchange->given_up) {
      std::string reason = "the server is stopping";
      co_return co_await fail_generation(generation, std::move(reason), 503);
    }
    std::string text;
    bool done = false;
    while (!exchange->updates.empty()) {
      const JobUpdate update = exchange->pop();
      if (!update.error.empty()) co_return co_await fail_generation(generation, update.error, 500);
      for (const JobEvent& event : update.events) {
        text += generation.response->take(event.sequence, event.event);
      }
      done = update.done;
    }
    if (!text.empty()) {
      std::string chunk = chunk_text(text, form_);
      if (!co_await write(std::move(chunk))) co_return false;
    }
    if (done) co_return co_await end_generation(generation);
  }
}

asio::awaitable<bool> Session::end_generation(Generation& generation) {
  if (generation.stream) {
    std::string end = chunk_text(generation.response->finish(), form_) + last_chunk(form_);
    co_return co_await write(std::move(end));
  }
  auto work = [&generation] { return generation.response->finish(); };
  Reply reply;
  reply.body = co_await on_worker(host_.workers, std::move(work));
  co_return co_await send(std::move(reply));
}

asio::awaitable<bool> Session::fail_generation(const Generation& generation, std::string message,
                                               int status) {
  const ApiError error(status, message);
  form_.keep_alive = false;
  if (generation.stream) {
    const std::string events = stream_event(error_body(error)) + stream_event("[DONE]");
    std::string end = chunk_text(events, form_) + last_chunk(form_);
    co_await write(std::move(end));
  } else {
    Reply reply = error_reply(error);
    co_await send(std::move(reply));
  }
  co_return false;
}

void Session::watch(std::shared_ptr<Exchange> exchange) {
  const std::size_t room = std::min<std::size_t>(4096, buffer_.max_size() - buffer_.size());
  exchange->watching = room > 0;
  if (room == 0) return;  // the client sends on and on: it is there
  socket_.async_read_some(buffer_.prepare(room), [self = shared_from_this(), exchange](
                                                     error_code error, std::size_t bytes) {
    exchange->watching = false;
    if (!error) {
      self->buffer_.commit(bytes);
      if (!exchange->stop_watching) return self->watch(exchange);
    } else if (!exchange->stop_watching) {
      exchange->gone = true;
      self->close();  // ends a write that waits for the client
    }
    exchange->notify();
  });
}

asio::awaitable<void> Session::stop_watching(std::shared_ptr<Exchange> exchange) {
  exchange->stop_watching = true;
  while (exchange->watching) {
    error_code ignored;
    socket_.cancel(ignored);
    exchange->wake.expires_at(asio::steady_timer::time_point::max());
    co_await exchange->wake.async_wait(no_throw);
  }
}

}  // namespace fathom::serve
