// A server in this process, of a chat model with random weights.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "align/chat_model.h"
#include "core/parallel.h"
#include "serve/http_client.h"
#include "serve/json_text.h"
#include "serve/server.h"

namespace fathom::serve {

// Waits until `holds()`, generously: a loaded machine needs it, and nobody waits elsewhere.
template <class Condition>
bool eventually(Condition holds, std::chrono::seconds limit = std::chrono::seconds(120)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

using Client = test::HttpClient;
using test::Received;
using test::stream_data;

class TestServer {
 public:
  static ServerOptions small_options() {
    ServerOptions options;
    options.engine.engine.limits = {4, 32};
    options.service.model_name = "tiny";
    options.http.port = 0;
    return options;
  }

  explicit TestServer(const ServerOptions& options = small_options(), std::int64_t length = 256,
                      bool with_template = true)
      : model_(random_chat_model(length)),
        chat_(ChatTemplate::open("chatml", "", model_.tokenizer)),
        metrics_(options.service.model_name),
        engine_(model_, context_, metrics_, options.engine),
        service_(model_, with_template ? &chat_ : nullptr, engine_, metrics_, options.service),
        server_(service_, engine_, metrics_, options.http),
        thread_([this] { server_.run([this] { return stopping_.load(); }); }) {}
  ~TestServer() { stop(); }

  // As SIGTERM does; returns when the server has ended.
  void stop() {
    begin_stop();
    if (thread_.joinable()) thread_.join();
  }
  void begin_stop() { stopping_ = true; }

  std::uint16_t port() const { return server_.port(); }
  EngineThread& engine() { return engine_; }
  const infer::LoadedModel& model() const { return model_; }
  Context& context() { return context_; }
  const ChatTemplate& chat() const { return chat_; }

  Received post(const std::string& path, const std::string& body,
                const std::string& headers = "") const {
    Client client(port());
    client.post(path, body, headers);
    return client.receive();
  }
  Received get(const std::string& path, const std::string& headers = "") const {
    Client client(port());
    client.get(path, headers);
    return client.receive();
  }
  // The value of a metric's line that begins with `name`; −1 when there is none.
  double metric(const std::string& name) const {
    const std::string text = "\n" + get("/metrics").body;
    const std::size_t at = text.find("\n" + name);
    if (at == std::string::npos) return -1;
    return std::stod(text.substr(text.find("} ", at) + 2));
  }

 private:
  // The engine uses as many threads as its maker: one is enough for a model this small.
  static Context context_of_one_thread() {
    set_num_threads(1);
    return Context{cpu_device};
  }

  Context context_ = context_of_one_thread();
  infer::LoadedModel model_;
  ChatTemplate chat_;
  Metrics metrics_;
  EngineThread engine_;
  Service service_;
  HttpServer server_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace fathom::serve
