// Listens, and serves each connection: HTTP/1.1 with keep-alive, on one thread for the network and
// a few that parse and tokenize. Clients that leave are cancelled, and slow ones hold up nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "serve/http_options.h"
#include "serve/service.h"

namespace fathom::serve {

class HttpServer {
 public:
  // All outlive the server. Listens at once; throws an input Error when it cannot.
  HttpServer(const Service& service, EngineThread& engine, Metrics& metrics, HttpOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port that it listens on.
  std::uint16_t port() const;
  // Serves until `stopping` says so, which is asked many times a second, or the engine fails. Then
  // accepts nothing more, lets answers under way end for options.drain, and cancels the rest.
  void run(const std::function<bool()>& stopping);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::serve
