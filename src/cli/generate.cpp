// fathom generate: texts from a trained model. One prompt streams to the
// terminal; many become JSON lines, in the order in which they finish.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "infer/engine.h"
#include "infer/model_loader.h"
#include "infer/text_generator.h"

namespace fathom::cli {
namespace {

using Json = nlohmann::json;

struct Arguments {
  std::string model, prompts_file, tokenizer, device = "cpu", dtype = "auto";
  std::vector<std::string> prompts, stop;
  std::int64_t max_tokens = 128, batch = 16;
  int threads = 0;
  infer::SamplingOptions sampling;
};

std::string prompt_of_json(const std::string& line, const std::string& where) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded()) fail_input("{}: this is not JSON", where);
  if (json.is_string()) return json.get<std::string>();
  for (const char* key : {"prompt", "text"}) {
    if (json.is_object() && json.contains(key) && json[key].is_string()) {
      return json[key].get<std::string>();
    }
  }
  fail_input("{}: use a string, or an object with \"prompt\" as a string", where);
}

// One prompt a line; JSON when the file's name says so. Empty lines are left out.
std::vector<std::string> read_prompts(const std::string& path) {
  std::ifstream file(path);
  if (std::filesystem::is_directory(path)) fail_input("{}: is a directory; name a file", path);
  if (!file) fail_input("{}: cannot be read: {}", path, std::strerror(errno));
  const bool json = path.ends_with(".jsonl") || path.ends_with(".json");
  std::vector<std::string> prompts;
  std::string line;
  for (std::int64_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    prompts.push_back(json ? prompt_of_json(line, fmt::format("{}:{}", path, number)) : line);
  }
  if (prompts.empty()) fail_input("{}: there is no prompt in it", path);
  return prompts;
}

std::optional<DType> parse_dtype(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (name == "f32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  fail_input("--dtype is {}: use auto, f32 or bf16", name);
}

std::vector<infer::TextRequest> make_requests(const Arguments& arguments,
                                              const std::vector<std::string>& prompts) {
  std::vector<infer::TextRequest> requests;
  for (const std::string& prompt : prompts) {
    infer::SamplingOptions sampling = arguments.sampling;
    sampling.stream = requests.size();
    requests.push_back({prompt, arguments.stop, arguments.max_tokens, sampling});
  }
  return requests;
}

class Generator {
 public:
  Generator(const Arguments& arguments)
      : arguments_(arguments),
        context_(parse_device(arguments.device)),
        model_(infer::load_model(arguments.model,
                                 {arguments.tokenizer, parse_dtype(arguments.dtype)}, context_)) {}

  // To the terminal, as it comes.
  void stream(const std::string& prompt) {
    run({prompt}, {[](std::size_t, std::string_view text) { std::cout << text << std::flush; },
                   [](std::size_t, const infer::TextResult&) { std::cout << std::endl; }});
  }

  void write_json(const std::vector<std::string>& prompts) {
    Progress progress("generate", prompts.size());
    run(prompts, {nullptr, [&](std::size_t i, const infer::TextResult& result) {
                    const Json line{{"index", i},
                                    {"prompt", prompts[i]},
                                    {"text", result.text},
                                    {"prompt_tokens", result.prompt_tokens},
                                    {"tokens", result.tokens},
                                    {"finish_reason", infer::to_string(result.finish)}};
                    // Text may end inside a character: shown as U+FFFD.
                    std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
                    progress.advance(1);
                  }});
    std::cout.flush();
  }

 private:
  // The engine lasts for one run, sized for its longest prompt.
  void run(const std::vector<std::string>& prompts, const infer::TextCallbacks& callbacks) {
    const auto requests = make_requests(arguments_, prompts);
    std::size_t longest = 0;
    for (const std::string& prompt : prompts) {
      longest = std::max(longest, model_.tokenizer.encode(prompt, encode_parsing_specials).size());
    }
    infer::EngineOptions options;
    options.limits.max_sequences =
        std::min(arguments_.batch, static_cast<std::int64_t>(prompts.size()));
    options.limits.max_tokens_per_step = std::max<std::int64_t>(512, options.limits.max_sequences);
    options.max_length =
        std::max<std::int64_t>(2, static_cast<std::int64_t>(longest) + arguments_.max_tokens);
    infer::Engine engine(*model_.stage, context_, options);
    const auto start = std::chrono::steady_clock::now();
    const auto results =
        infer::generate_texts(engine, model_.tokenizer, model_.end_tokens, requests, callbacks);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::int64_t read = 0, tokens = 0;
    for (const infer::TextResult& result : results) {
      read += result.prompt_tokens;
      tokens += result.tokens;
    }
    log::info("{} tokens of prompt, {} generated in {}: {:.1f} tokens/s", read, tokens,
              human_seconds(took.count()), static_cast<double>(tokens) / took.count());
  }

  const Arguments& arguments_;
  Context context_;
  infer::LoadedModel model_;
};

void run_interactive(Generator& generator) {
  const bool terminal = isatty(STDIN_FILENO) != 0;
  std::string line;
  while (true) {
    if (terminal) std::cerr << "> " << std::flush;
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    try {
      generator.stream(line);
    } catch (const Error& error) {
      // Who types may type again.
      if (!terminal || error.kind() != ErrorKind::input) throw;
      log::write(log::Level::error, error.what());
    }
  }
}

void generate(const Arguments& arguments) {
  check(arguments.sampling);
  if (arguments.batch < 1) fail_input("--batch is {}: use at least 1", arguments.batch);
  if (arguments.max_tokens < 1) {
    fail_input("--max-tokens is {}: use at least 1", arguments.max_tokens);
  }
  for (const std::string& stop : arguments.stop) {
    if (stop.empty()) fail_input("--stop is empty: name the text to end before, or leave it out");
  }
  if (arguments.threads > 0) set_num_threads(arguments.threads);
  std::vector<std::string> prompts = arguments.prompts;
  if (!arguments.prompts_file.empty()) {
    if (!prompts.empty()) fail_input("--prompt and --prompts cannot be used together");
    prompts = read_prompts(arguments.prompts_file);
  }
  Generator generator(arguments);
  if (prompts.empty()) return run_interactive(generator);
  if (prompts.size() == 1 && arguments.prompts_file.empty()) return generator.stream(prompts[0]);
  generator.write_json(prompts);
}

}  // namespace

void add_generate(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("generate", "Write texts with a trained model");
  Arguments& a = *arguments;
  c->add_option("model", a.model, "Hugging Face directory, run directory or checkpoint")
      ->required();
  c->add_option("--prompt", a.prompts, "text to continue; several give JSON lines")->take_all();
  c->add_option("--prompts", a.prompts_file, "file with a prompt a line (.jsonl: JSON)");
  c->add_option("--max-tokens", a.max_tokens, "tokens to generate at most")->capture_default_str();
  c->add_option("--temperature", a.sampling.temperature, "0: always the likeliest token")
      ->capture_default_str();
  c->add_option("--top-k", a.sampling.top_k, "draw from the k likeliest; 0: from all")
      ->capture_default_str();
  c->add_option("--top-p", a.sampling.top_p, "draw from the fewest that reach probability p")
      ->capture_default_str();
  c->add_option("--min-p", a.sampling.min_p, "leave out those below p times the likeliest")
      ->capture_default_str();
  c->add_option("--repetition-penalty", a.sampling.repetition_penalty,
                "make tokens that occurred less likely; 1: no")
      ->capture_default_str();
  c->add_option("--stop", a.stop, "end the text before this string; may be repeated")->take_all();
  c->add_option("--seed", a.sampling.seed, "of the random choices")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_option("--tokenizer", a.tokenizer, "tokenizer.json, when it is not beside the model");
  c->add_option("--device", a.device, "cpu, cuda or cuda:N")->capture_default_str();
  c->add_option("--dtype", a.dtype, "auto (as stored), f32 or bf16")->capture_default_str();
  c->add_option("--threads", a.threads, "CPU threads; 0: all cores")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  c->add_option("--batch", a.batch, "sequences generated at once")->capture_default_str();
  c->footer(
      "Without --prompt and --prompts, each line of standard input is a prompt.\n"
      "Example: fathom generate runs/tiny --prompt \"Once upon a time\" --temperature 0.8");
  c->callback([arguments] { generate(*arguments); });
}

}  // namespace fathom::cli
