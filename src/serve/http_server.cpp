#include "serve/http_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "core/open_files.h"
#include "serve/http_session.h"
#include "serve/tls.h"

namespace fathom::serve {
namespace {

using Tcp = asio::ip::tcp;

Tcp::endpoint endpoint_of(asio::io_context& network, const HttpOptions& options) {
  error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (!error) return {address, options.port};
  Tcp::resolver resolver(network);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), error);
  if (error || found.empty()) {
    fail_input("--host {}: {}", options.host, error ? error.message() : "it has no address");
  }
  return found.begin()->endpoint();
}

}  // namespace

struct HttpServer::Impl {
  HttpOptions options;
  std::optional<TlsContext> tls;
  asio::thread_pool workers;
  SessionHost host;
  Tcp::acceptor acceptor;
  asio::steady_timer poll;

  Impl(const Service& service, EngineThread& engine, Metrics& metrics, HttpOptions wanted)
      : options(std::move(wanted)),
        workers(static_cast<std::size_t>(options.workers)),
        host{service,
             engine,
             metrics,
             options,
             std::make_shared<asio::io_context>(1),
             workers,
             {options.limits.unsent_bytes, metrics}},
        acceptor(*host.network),
        poll(*host.network) {
    if (!options.tls_certificate.empty()) tls.emplace(options.tls_certificate, options.tls_key);
    allow_open_files(options.limits.max_connections);  // each connection is one
    listen();
  }
  ~Impl() { workers.join(); }

  void listen() {
    const Tcp::endpoint endpoint = endpoint_of(*host.network, options);
    try {
      acceptor.open(endpoint.protocol());
      acceptor.set_option(Tcp::acceptor::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen(asio::socket_base::max_listen_connections);
    } catch (const boost::system::system_error& error) {
      fail_input("cannot listen on {} port {}: {}: choose another with --host or --port",
                 options.host, options.port, error.code().message());
    }
  }

  asio::awaitable<void> accept() {
    while (acceptor.is_open()) {
      auto [error, socket] = co_await acceptor.async_accept(no_throw);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // No descriptor is free, say: connections that end make room.
        asio::steady_timer pause(*host.network, std::chrono::milliseconds(100));
        co_await pause.async_wait(no_throw);
        continue;
      }
      if (host.sessions.size() >= options.limits.max_connections) {
        refuse(std::move(socket));
        continue;
      }
      error_code ignored;
      socket.set_option(Tcp::no_delay(true), ignored);
      auto stream = tls ? tls->stream(std::move(socket)) : plain_stream(std::move(socket));
      std::make_shared<Session>(host, std::move(stream))->start();
    }
  }

  // One try, without waiting.
  void refuse(Tcp::socket socket) {
    host.metrics.count_response(503);
    if (tls) return;  // no word before the handshake
    ResponseForm form;
    form.keep_alive = false;
    const std::string text =
        response_text(error_reply(ApiError(503, "too many connections: try again later")), form);
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(text), ignored);
    socket.shutdown(Tcp::socket::shutdown_send, ignored);
  }

  // Sessions leave the set while it is walked.
  template <class F>
  void for_each_session(F&& f) {
    std::vector<std::shared_ptr<Session>> alive;
    for (Session* session : host.sessions) {
      if (auto one = session->weak_from_this().lock()) alive.push_back(std::move(one));
    }
    for (const auto& session : alive) f(*session);
  }

  asio::awaitable<void> run(const std::function<bool()>& stopping) {
    using Clock = asio::steady_timer::clock_type;
    const auto pause = std::chrono::milliseconds(10);
    while (!stopping() && host.engine.failure().empty()) {
      poll.expires_after(pause);
      co_await poll.async_wait(no_throw);
    }
    host.draining = true;
    acceptor.close();
    if (!host.sessions.empty()) log::info("stopping: answers under way may end");
    for_each_session([](Session& session) { session.drain(); });
    for (const auto end = Clock::now() + options.drain; !host.sessions.empty();) {
      poll.expires_after(pause);
      co_await poll.async_wait(no_throw);
      if (Clock::now() >= end) for_each_session([](Session& session) { session.give_up(); });
    }
  }
};

HttpServer::HttpServer(const Service& service, EngineThread& engine, Metrics& metrics,
                       HttpOptions options)
    : impl_(std::make_unique<Impl>(service, engine, metrics, std::move(options))) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const {
  return impl_->acceptor.local_endpoint().port();
}

void HttpServer::run(const std::function<bool()>& stopping) {
  asio::io_context& network = *impl_->host.network;
  asio::co_spawn(network, impl_->accept(), asio::detached);
  std::exception_ptr failure;
  asio::co_spawn(network, impl_->run(stopping), [&](std::exception_ptr error) {
    failure = error;
    network.stop();
  });
  network.run();
  if (failure) std::rethrow_exception(failure);
  const std::string reason = impl_->host.engine.failure();
  if (!reason.empty()) fail_runtime("the engine failed: {}", reason);
}

}  // namespace fathom::serve
