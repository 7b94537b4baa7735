// What the sessions of a server share. Internal to src/serve.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>
#include <set>
#include <type_traits>
#include <utility>

#include "serve/byte_stream.h"
#include "serve/http_options.h"
#include "serve/reply_budget.h"
#include "serve/service.h"

namespace fathom::serve {

class Session;

// Of the network's thread alone, but for `workers`.
struct SessionHost {
  const Service& service;
  EngineThread& engine;
  Metrics& metrics;
  const HttpOptions& options;
  std::shared_ptr<asio::io_context> network;  // the engine's updates keep it alive
  asio::thread_pool& workers;
  ReplyBudget replies;
  std::set<Session*> sessions = {};
  std::size_t body_bytes = 0;  // of requests that are being read and parsed
  bool draining = false;       // no further requests
};

// Runs f on the pool's threads and comes back to the network's.
//
// What a coroutine is given is made before the call, here and elsewhere: g++ 12 destroys twice what
// a conditional expression makes inside one with co_await.
template <class F>
asio::awaitable<std::invoke_result_t<F>> on_worker(asio::thread_pool& pool, F f) {
  using Result = std::invoke_result_t<F>;
  auto task = [](F work) -> asio::awaitable<Result> { co_return work(); };
  co_return co_await asio::co_spawn(pool, task(std::move(f)), asio::use_awaitable);
}

}  // namespace fathom::serve
