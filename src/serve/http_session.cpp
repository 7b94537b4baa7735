#include "serve/http_session.h"

#include <boost/asio/detached.hpp>
#include <utility>

#include "core/log.h"
#include "serve/header_checks.h"

namespace fathom::serve {
namespace {

// When the server ends: for the error to reach a client whose answer is given up.
constexpr std::chrono::seconds time_to_say_so{1};

}  // namespace

Session::Session(SessionHost& host, std::unique_ptr<ByteStream> stream)
    : host_(host),
      connection_(std::make_shared<Connection>(std::move(stream), host.options.limits)),
      reader_(host, *connection_) {
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
    if (co_await connection_->begin()) {
      while (co_await serve_request()) {
      }
      co_await connection_->end();
    }
  } catch (const std::exception& error) {
    log::warning("a connection failed: {}", error.what());
  }
  connection_->clear_deadline();
  connection_->close();
}

void Session::drain() {
  if (waiting_) connection_->cancel();
}

void Session::give_up() {
  using Clock = asio::steady_timer::clock_type;
  if (!close_at_) close_at_ = Clock::now() + time_to_say_so;
  // A client that reads slowly would hold the server up.
  if (!relay_ || Clock::now() >= *close_at_) return connection_->close();
  relay_->give_up();
}

asio::awaitable<bool> Session::serve_request() {
  if (host_.draining && connection_->received().size() == 0) co_return false;
  waiting_ = true;
  const bool came = co_await reader_.wait();
  waiting_ = false;
  if (!came) co_return false;
  form_ = {};
  if (auto failure = co_await reader_.read_header()) {
    co_await tell(std::move(*failure));
    co_return false;
  }
  form_ = reader_.response_form();
  if (auto reply = answer_by_header(reader_, host_, form_)) {
    // An unread body would be taken for the next request.
    form_.keep_alive = form_.keep_alive && reader_.is_done();
    co_return co_await send(std::move(*reply));
  }
  auto answer = co_await find_answer();
  if (!answer) co_return false;
  if (auto* reply = std::get_if<Reply>(&*answer)) co_return co_await send(std::move(*reply));
  co_return co_await generate(std::move(std::get<Generation>(*answer)));
}

asio::awaitable<std::optional<std::variant<Reply, Generation>>> Session::find_answer() {
  std::optional<std::variant<Reply, Generation>> answer;
  auto failure = co_await reader_.read_body();
  if (failure) {
    reader_.release_body();  // others wait for its room
    co_await tell(std::move(*failure));
  } else if (Service::answers_at_once(reader_.request())) {
    answer = host_.service.answer(reader_.request());
  } else {
    auto work = [this] { return host_.service.answer(reader_.request()); };
    answer = co_await on_worker(host_.workers, std::move(work));
  }
  reader_.release_body();
  co_return answer;
}

asio::awaitable<void> Session::tell(ReadFailure failure) {
  if (!failure.error) co_return;
  form_.keep_alive = false;
  Reply reply = error_reply(*failure.error);
  co_await send(std::move(reply));
}

asio::awaitable<bool> Session::send(Reply reply) {
  const bool sent = co_await send_reply(host_, *connection_, form_, std::move(reply));
  if (sent && !form_.keep_alive) co_await connection_->linger();
  co_return sent && form_.keep_alive;
}

asio::awaitable<bool> Session::generate(Generation generation) {
  AnswerRelay relay(host_, connection_, form_, std::move(generation));
  relay_ = &relay;
  const bool sent = co_await relay.run();
  relay_ = nullptr;
  co_return sent && form_.keep_alive;
}

}  // namespace fathom::serve
