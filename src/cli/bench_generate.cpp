// fathom bench generate: measures how fast the engine reads prompts and generates.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/generation_options.h"
#include "core/config.h"
#include "core/enum_names.h"
#include "core/error.h"
#include "core/parallel.h"
#include "measure/generation.h"
#include "train/fit.h"

namespace fathom::cli {
namespace {

struct BenchGenerateArguments {
  std::string model_file, device = "cpu", dtype = "auto", weights = "dtype";
  std::vector<std::int64_t> sequences{1}, prompt{128};
  std::int64_t requests = 0, new_tokens = 128, tokens_per_step = 0;
  infer::SamplingOptions sampling;
  int threads = 0, turns = 2;
  bool json = false, batch_invariant = false;
};

std::vector<measure::GenerationLoad> loads_of(const BenchGenerateArguments& a) {
  std::vector<measure::GenerationLoad> loads;
  for (const std::int64_t sequences : a.sequences) {
    measure::GenerationLoad load;
    load.sequences = sequences;
    load.requests = a.requests > 0 ? a.requests : sequences;
    load.prompt_least = a.prompt.front();
    load.prompt_most = a.prompt.back();
    load.new_tokens = a.new_tokens;
    load.tokens_per_step = a.tokens_per_step;
    load.sampling = a.sampling;
    if (load.prompt_least < 1 || load.prompt_most < load.prompt_least) {
      fail_input("--prompt is {} to {}: use 1 or more, the smaller number first",
                 load.prompt_least, load.prompt_most);
    }
    loads.push_back(load);
  }
  return loads;
}

void run_bench_generate(const BenchGenerateArguments& a) {
  if (a.threads > 0) set_num_threads(a.threads);
  const auto table = ConfigTable::load(a.model_file).table("model");
  if (!table) fail_input("{}: there is no [model] table", a.model_file);
  ModelConfig model;
  read_config(*table, model);
  const std::vector<measure::GenerationLoad> loads = loads_of(a);
  model.max_position = std::max(model.max_position, a.prompt.back() + a.new_tokens);
  const Device device = parse_device(a.device);
  const std::optional<DTypeChoice> dtype = enum_of<DTypeChoice>(a.dtype);
  if (!dtype) {
    fail_input("--dtype is {}: use {}", a.dtype, fmt::join(enum_names(DTypeChoice{}), ", "));
  }
  const MatrixStorage storage = parse_weights(a.weights);
  if (storage == MatrixStorage::int8 && device.type != DeviceType::cpu) {
    fail_input("--weights int8 is for a CPU, not for {}", a.device);
  }
  const measure::GenerationBench bench = measure::measure_generation(
      resolve(model), choose_dtype(*dtype, device), storage, device, loads, a.turns,
      invariance_of(a.batch_invariant));
  std::cout << (a.json ? measure::to_json(bench).dump(2) + "\n" : measure::to_text(bench));
}

}  // namespace

void add_bench_generate(CLI::App& bench) {
  CLI::App* c = bench.add_subcommand(
      "generate", "Measure how fast a model of random weights reads prompts and generates");
  c->footer(
      "Example: fathom bench generate configs/models/deepseek-llm-7b.toml --device cuda "
      "--sequences 1 64");
  const auto arguments = std::make_shared<BenchGenerateArguments>();
  BenchGenerateArguments& a = *arguments;
  c->add_option("model", a.model_file, "TOML file with a [model] table")
      ->type_name("FILE")
      ->required();
  c->add_option("--device", a.device, "cpu, cuda or cuda:N")->capture_default_str();
  c->add_option("--dtype", a.dtype, "auto, f32 or bf16; auto: bf16 if the device can multiply it")
      ->capture_default_str();
  add_weights_option(*c, a.weights);
  c->add_option("--sequences", a.sequences, "that run at once; each number is measured")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  c->add_option("--requests", a.requests, "in all; 0: as many as run at once")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_option("--prompt", a.prompt, "tokens of a prompt, or the least and the most")
      ->expected(1, 2)
      ->capture_default_str();
  c->add_option("--new", a.new_tokens, "tokens that each request generates")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  c->add_option("--tokens-per-step", a.tokens_per_step,
                "most tokens that a step reads; 0: as many as suit the device")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_option("--temperature", a.sampling.temperature, "0: the likeliest token")
      ->capture_default_str();
  c->add_option("--top-k", a.sampling.top_k)->capture_default_str();
  c->add_option("--top-p", a.sampling.top_p)->capture_default_str();
  c->add_option("--turns", a.turns, "runs of each load, of which the last counts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--threads", a.threads, "CPU threads; 0: all cores")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  add_batch_invariant_option(*c, a.batch_invariant);
  c->add_flag("--json", a.json, "print a JSON object instead of the table");
  c->callback([arguments] { run_bench_generate(*arguments); });
}

}  // namespace fathom::cli
