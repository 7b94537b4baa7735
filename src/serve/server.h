// The server as a whole: engine, service and network, put together from a loaded model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "serve/follower.h"
#include "serve/http_server.h"

namespace fathom::serve {

struct ServerOptions {
  EngineThreadOptions engine;
  ServiceOptions service;
  HttpOptions http;
  std::optional<FollowOptions> follow;  // none: the weights stay
};

// Serves until `stopping()`, which is asked many times a second; `ready` is told the port. Throws
// an input Error for options that cannot be used, and a run-time Error when the engine fails.
// `chat` null: no chat completions.
void serve(const infer::LoadedModel& model, const ChatTemplate* chat, Context& context,
           const ServerOptions& options, const std::function<bool()>& stopping,
           const std::function<void(std::uint16_t port)>& ready);

}  // namespace fathom::serve
