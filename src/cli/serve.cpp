// fathom serve: a model behind an HTTP server that speaks OpenAI's API.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "checkpoint/checkpoint.h"
#include "cli/api_keys.h"
#include "cli/commands.h"
#include "cli/generation_options.h"
#include "core/error.h"
#include "core/log.h"
#include "core/stop_signals.h"
#include "model/hugging_face.h"
#include "serve/http_text.h"
#include "serve/server.h"

namespace fathom::cli {
namespace {

struct ServeArguments : GenerationOptions {
  std::string template_choice, name, api_key_file;
  serve::HttpOptions http;
  int port = 8000;
  bool follow = false;
  std::int64_t max_sequences = 16, max_waiting = 1024, max_length = 0, tokens_per_step = 0;
  double cache_gib = 4, max_body_mib = 8, max_unsent_mib = 512, drain_seconds = 30;
  double swap_seconds = 30;
};

std::size_t bytes_of_mib(double mib) {
  return static_cast<std::size_t>(mib * (1 << 20));
}

// The host as in an address: an IPv6 one in brackets.
std::string host_in_url(const std::string& host) {
  return host.find(':') == std::string::npos ? host : fmt::format("[{}]", host);
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

serve::FollowOptions follow_options(const ServeArguments& a) {
  serve::FollowOptions options;
  options.run = a.model;
  options.load.tokenizer = a.tokenizer;
  options.patience = milliseconds(a.swap_seconds);
  return options;
}

serve::ServerOptions server_options(const ServeArguments& a) {
  serve::ServerOptions options;
  infer::EngineOptions& engine = options.engine.engine;
  engine.limits.max_sequences = a.max_sequences;
  if (a.tokens_per_step != 0) {
    engine.limits.max_tokens_per_step = std::max(a.tokens_per_step, a.max_sequences);
  }
  engine.max_length = a.max_length;
  engine.cache_bytes = static_cast<std::size_t>(a.cache_gib * (std::size_t{1} << 30));
  options.engine.max_waiting = a.max_waiting;
  options.service.model_name = a.name.empty() ? a.model : a.name;
  options.service.api_keys = api_keys(a.api_key_file);
  options.http = a.http;
  options.http.port = static_cast<std::uint16_t>(a.port);
  options.http.limits.body_bytes = bytes_of_mib(a.max_body_mib);
  options.http.limits.all_bodies_bytes =
      std::max(options.http.limits.all_bodies_bytes, 4 * options.http.limits.body_bytes);
  options.http.limits.unsent_bytes = bytes_of_mib(a.max_unsent_mib);
  options.http.drain = milliseconds(a.drain_seconds);
  if (a.follow) {
    if (a.weights != "dtype") {
      fail_input("--follow serves a run's weights as they are: leave out --weights {}", a.weights);
    }
    if (a.batch_invariant) {
      fail_input(
          "--follow changes the weights while requests run, so that their bits depend on the moment: "
          "leave out --batch-invariant");
    }
    options.follow = follow_options(a);
  }
  const bool local = serve::is_local_host(host_in_url(a.http.host));
  options.http.check_host = local && options.service.api_keys.empty();
  if (!local && options.service.api_keys.empty()) {
    log::warning("anybody who reaches {} may use the server: set FATHOM_API_KEY or --api-key-file",
                 a.http.host);
  }
  return options;
}

// Waits for the first checkpoint of a run. Its exported model stands in where no checkpoint is left.
// None when a signal came first.
std::optional<std::string> followed_model(const std::string& run, const StopSignals& signals) {
  if (!std::filesystem::is_directory(run)) fail_no_checkpoint(run);
  const std::string exported = run + "/model";
  for (bool told = false; checkpoints_at(run).empty(); told = true) {
    if (is_model_directory(exported)) return exported;
    if (!told) log::info("waiting for the first checkpoint of {}", run);
    if (signals.received() != 0) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return run;
}

// None when the model has no template and none is named.
std::optional<ChatTemplate> open_template(const ServeArguments& a,
                                          const infer::LoadedModel& model) {
  try {
    return ChatTemplate::open(a.template_choice, model.directory, model.tokenizer);
  } catch (const Error& error) {
    if (!a.template_choice.empty() || error.kind() != ErrorKind::input) throw;
    log::info("without chat completions: {}", error.what());
    return std::nullopt;
  }
}

void run_server(const ServeArguments& a) {
  const StopSignals signals;  // before there are threads
  const serve::ServerOptions options = server_options(a);
  Context context(parse_device(a.device));
  GenerationOptions source = a;
  if (a.follow) {
    const auto found = followed_model(a.model, signals);
    if (!found) return;
    source.model = *found;
  }
  const infer::LoadedModel model = load_model(source, context);
  const std::optional<ChatTemplate> chat = open_template(a, model);
  serve::serve(
      model, chat ? &*chat : nullptr, context, options, [&] { return signals.received() != 0; },
      [&](std::uint16_t port) {
        const char* const scheme = a.http.tls_certificate.empty() ? "http" : "https";
        log::info("serving {} on {}://{}:{}/v1", options.service.model_name, scheme,
                  host_in_url(a.http.host), port);
      });
  log::info("stopped");
}

}  // namespace

void add_serve(CLI::App& app) {
  auto arguments = std::make_shared<ServeArguments>();
  CLI::App* c = app.add_subcommand("serve", "Serve a model over HTTP, by OpenAI's API");
  ServeArguments& a = *arguments;
  add_model_options(*c, a);
  c->add_option("--template", a.template_choice,
                "chat template: deepseek, chatml, plain, a .jinja file, or the name of one of the "
                "model's own; default: the model's")
      ->type_name("NAME|FILE");
  c->add_option("--served-model-name", a.name, "name that clients give; default: the model's path");
  c->add_option("--host", a.http.host, "address to listen on; 0.0.0.0: all")->capture_default_str();
  c->add_option("--port", a.port, "port to listen on; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  c->add_option("--api-key-file", a.api_key_file,
                "file of keys, one a line, of which clients must send one; default: the variable "
                "FATHOM_API_KEY, or no key")
      ->type_name("FILE");
  c->add_option("--cors", a.http.origins,
                "origin whose web pages may use the server, such as https://example.org; *: all; "
                "may be repeated");
  CLI::Option* const certificate =
      c->add_option(
           "--tls-cert", a.http.tls_certificate,
           "PEM file of the server's certificate and those that lead to its authority: serve HTTPS")
          ->type_name("FILE");
  CLI::Option* const key =
      c->add_option("--tls-key", a.http.tls_key, "PEM file of the certificate's private key")
          ->type_name("FILE");
  certificate->needs(key);
  key->needs(certificate);
  c->add_flag("--follow", a.follow,
              "the model is a run that trains: serve its newest checkpoint, and each later one once "
              "it is complete");
  c->add_option("--swap-seconds", a.swap_seconds,
                "with --follow: time for sequences that run to end before the weights change; those "
                "left go on with the new ones")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  c->add_option("--max-sequences", a.max_sequences, "sequences generated at once")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  c->add_option("--max-waiting", a.max_waiting,
                "sequences in the queue; more are told to come later")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  c->add_option("--max-length", a.max_length,
                "longest sequence in tokens, prompt included; 0: the model's context")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_option("--tokens-per-step", a.tokens_per_step,
                "most tokens that a step reads: more is faster, fewer is smoother; 0: as many as "
                "suit the device")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  c->add_option("--cache-gib", a.cache_gib, "most memory for keys and values")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--max-body-mib", a.max_body_mib, "largest body of a request")
      ->check(CLI::Range(0.001, 1024.0))
      ->capture_default_str();
  c->add_option("--max-unsent-mib", a.max_unsent_mib,
                "most text of answers that clients have not taken; beyond it the largest is dropped")
      ->check(CLI::Range(0.001, 1024.0 * 1024))
      ->capture_default_str();
  c->add_option("--drain-seconds", a.drain_seconds,
                "after SIGTERM or Ctrl-C, time for answers under way to end")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  c->footer(
      "Paths: /v1/completions /v1/chat/completions /v1/models /tokenize /detokenize\n"
      "  /tokenizer_info /health /metrics; docs/serving.md has their fields.\n"
      "Example: fathom serve runs/sft/model --port 8000\n"
      "  curl localhost:8000/v1/completions -d '{\"prompt\": \"Once upon a time\"}'");
  c->callback([arguments] { run_server(*arguments); });
}

}  // namespace fathom::cli
