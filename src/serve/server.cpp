#include "serve/server.h"

namespace fathom::serve {

void serve(const infer::LoadedModel& model, const ChatTemplate* chat, Context& context,
           const ServerOptions& options, const std::function<bool()>& stopping,
           const std::function<void(std::uint16_t port)>& ready) {
  Metrics metrics(options.service.model_name);
  EngineThread engine(model, context, metrics, options.engine);
  std::optional<Follower> follower;
  if (options.follow) follower.emplace(model, engine, *options.follow);
  const Service service(model, chat, engine, metrics, options.service);
  HttpServer server(service, engine, metrics, options.http);
  ready(server.port());
  server.run(stopping);
}

}  // namespace fathom::serve
