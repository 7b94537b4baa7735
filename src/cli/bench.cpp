// fathom bench cpu, fathom bench gpu: measures a training step on this device, the time of
// each operation in it, and the ceilings of the device. fathom bench save: measures the time
// that saving a checkpoint costs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "core/config.h"
#include "core/enum_names.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "io/atomic_file.h"
#include "io/line_reader.h"
#include "io/output_path.h"
#include "measure/report.h"
#include "measure/save.h"
#include "scaling/measured_profile.h"
#include "train/fit.h"

namespace fathom::cli {
namespace {

using namespace measure;

// `bench cpu` and `bench gpu` differ only in their defaults.
struct BenchArguments {
  std::string device = "cpu", model_file, dtype = "auto", precision = "dtype";
  std::string recompute = "none", json, directory;
  std::string text_lengths, profile, profile_like = "h200";
  std::int64_t tokens_per_step = 4096, sequence_length = 512, micro_batch = 0;
  std::int64_t logits_chunk = 1024;
  int threads = 0, steps = 5;
  double heat = 0, peak_tflops = 0;
  bool pairs = false, brief = false, discard = false;
};

BenchArguments gpu_defaults() {
  BenchArguments a;
  a.device = "cuda";
  a.recompute = "auto";
  a.tokens_per_step = 32768;
  a.sequence_length = 4096;
  a.logits_chunk = 8192;
  a.steps = 7;
  a.heat = 10;
  a.peak_tflops = 989;
  return a;
}

// 25 million parameters.
ModelConfig default_model() {
  ModelConfig config;
  config.num_layers = 6;
  config.hidden_size = 512;
  config.num_heads = 8;
  config.vocab_size = 5632;
  return config;
}

ModelConfig model_of(const BenchArguments& a) {
  ModelConfig model = default_model();
  if (!a.model_file.empty()) {
    const auto table = ConfigTable::load(a.model_file).table("model");
    if (!table) fail_input("{}: there is no [model] table", a.model_file);
    read_config(*table, model);
  }
  model.max_position = std::max(model.max_position, a.sequence_length);
  return resolve(model);
}

template <class E>
E choice(const char* option, const std::string& text) {
  const std::optional<E> named = enum_of<E>(text);
  if (!named) fail_input("{} is {}: use {}", option, text, fmt::join(enum_names(E{}), ", "));
  return *named;
}

// Chooses micro-batch and recomputation that fill the device, as training does. On a CPU
// free memory is not queried: a micro-batch of 4096 tokens is assumed to fit.
void choose_open_sizes(StepShape& shape, std::int64_t micro_batch,
                       std::optional<Recompute> recompute) {
  const bool cpu = shape.device.type == DeviceType::cpu;
  FitRequest request{shape.sequences, shape.sequence_length, micro_batch, recompute};
  if (cpu) request.useful_tokens = 4096;
  const std::size_t available = cpu ? ~std::size_t{0} : free_memory(shape.device);
  const Fit fit = choose_fit(request, available, [&](const Fit& choice) {
    StepShape chosen = shape;
    chosen.micro_batch = choice.micro_batch;
    chosen.recompute = choice.recompute;
    return step_bytes(chosen);
  });
  shape.micro_batch = fit.micro_batch;
  shape.recompute = fit.recompute;
  if (const std::size_t wanted = step_bytes(shape); wanted > available) {
    fail_input(
        "this step needs {} of {} memory, and {} are free: use a smaller model, --micro-batch "
        "or --logits-chunk, or --recompute full",
        human_bytes(static_cast<double>(wanted)), to_string(shape.device),
        human_bytes(static_cast<double>(available)));
  }
}

// A file with a number on each line.
std::vector<std::int64_t> read_lengths(const std::string& path) {
  std::vector<std::int64_t> lengths;
  LineReader lines(path);
  for (std::string line; lines.next(line);) {
    std::int64_t length = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), length);
    if (error != std::errc() || end != line.data() + line.size()) {
      fail_input("{}:{}: \"{}\" is not a number of tokens", path, lines.line_number(), line);
    }
    lengths.push_back(length);
  }
  if (lengths.empty()) fail_input("{}: the file is empty; write a number on each line", path);
  return lengths;
}

StepShape shape_of(const BenchArguments& a) {
  for (const auto& [option, value] : {std::pair{"--tokens-per-step", a.tokens_per_step},
                                      {"--sequence-length", a.sequence_length},
                                      {"--logits-chunk", a.logits_chunk},
                                      {"--steps", std::int64_t{a.steps}}}) {
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    if (value < 1 || value > most) {
      fail_input("{} is {}: use 1 or more, and at most {}", option, value, most);
    }
  }
  for (const auto& [option, value] : {std::pair{"--heat", a.heat}, {"--peak", a.peak_tflops}}) {
    if (!(value >= 0) || std::isinf(value)) fail_input("{} is {}: use 0 or more", option, value);
  }
  if (a.tokens_per_step % a.sequence_length != 0) {
    fail_input("--tokens-per-step ({}) is not a multiple of --sequence-length ({})",
               a.tokens_per_step, a.sequence_length);
  }
  StepShape shape;
  shape.device = parse_device(a.device);
  shape.model = model_of(a);
  shape.dtype = choose_dtype(choice<DTypeChoice>("--dtype", a.dtype), shape.device);
  shape.products = choice<Products>("--precision", a.precision);
  require_products(shape.products, shape.device, "--precision");
  shape.sequences = a.tokens_per_step / a.sequence_length;
  shape.sequence_length = a.sequence_length;
  shape.logits_chunk = a.logits_chunk;
  if (a.micro_batch < 0 || (a.micro_batch > 0 && shape.sequences % a.micro_batch != 0)) {
    fail_input("--micro-batch is {}: use a divisor of the step's {} sequences, or 0", a.micro_batch,
               shape.sequences);
  }
  if (!a.text_lengths.empty()) shape.text_lengths = read_lengths(a.text_lengths);
  packed_texts(shape);  // throws where one is too long
  shape.pairs = a.pairs;
  choose_open_sizes(shape, a.micro_batch,
                    policy_of(choice<RecomputeChoice>("--recompute", a.recompute)));
  return shape;
}

void write_profile(const BenchArguments& a, const BenchResult& result,
                   const scaling::CardProfile& like) {
  write_file_atomically(
      a.profile, scaling::profile_text(scaling::measured_profile(result, like), a.profile_like));
}

void run_bench(const BenchArguments& a) {
  if (a.threads > 0) set_num_threads(a.threads);
  if (!a.json.empty() && a.json != "-") require_writable_file(a.json);
  if (!a.profile.empty()) require_writable_file(a.profile);
  if (!a.profile.empty() && a.brief) {
    fail_input("--profile needs the times of a step's operations: leave --brief out");
  }
  if (!a.profile.empty() && a.precision != "dtype") {
    fail_input("--profile is of products in bf16: leave --precision out");
  }
  const scaling::CardProfile like = scaling::load_card(a.profile_like);
  BenchResult result;
  result.shape = shape_of(a);
  result.effort = {a.steps, a.heat, !a.brief};
  result.peak = a.peak_tflops * 1e12;
  result.times = measure_steps(result.shape, result.effort);
  result.ceilings = measure_ceilings(result.shape.device, std::min(a.heat, 2.0));
  const std::string json = to_json(result).dump(2) + "\n";
  std::cout << (a.json == "-" ? json : to_text(result));
  if (!a.json.empty() && a.json != "-") write_file_atomically(a.json, json);
  if (!a.profile.empty()) write_profile(a, result, like);
}

void run_save(const BenchArguments& a) {
  if (a.threads > 0) set_num_threads(a.threads);
  if (a.discard != a.directory.empty()) {
    fail_input("bench save needs --directory DIR to write to, or --discard to write nothing");
  }
  std::cout << to_text(measure_save(shape_of(a), {a.steps, a.heat, a.directory}));
}

void add_step_options(CLI::App* c, BenchArguments& a) {
  c->add_option("--model", a.model_file, "TOML file with a [model] table; default: 25M parameters")
      ->type_name("FILE");
  c->add_option("--device", a.device, "cpu, cuda or cuda:N")->capture_default_str();
  c->add_option("--tokens-per-step", a.tokens_per_step)->capture_default_str();
  c->add_option("--sequence-length", a.sequence_length, "tokens")->capture_default_str();
  c->add_option("--micro-batch", a.micro_batch, "sequences per forward pass; 0: automatic")
      ->capture_default_str();
  c->add_option("--recompute", a.recompute, "auto, none, selective or full")->capture_default_str();
  c->add_option("--logits-chunk", a.logits_chunk, "tokens whose logits are in memory at once")
      ->capture_default_str();
  c->add_option("--dtype", a.dtype, "auto, f32 or bf16; auto: bf16 if the device can multiply it")
      ->capture_default_str();
  c->add_option("--precision", a.precision,
                "of the blocks' matrix products: dtype, or fp8 (8-bit floating point)")
      ->capture_default_str();
  c->add_option("--heat", a.heat, "seconds of unmeasured steps first, as a cool GPU is faster")
      ->capture_default_str();
  c->add_option("--threads", a.threads, "CPU threads; 0: all cores")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
}

void add_options(CLI::App* c, const std::shared_ptr<BenchArguments>& arguments) {
  BenchArguments& a = *arguments;
  add_step_options(c, a);
  c->add_option("--steps", a.steps, "measured steps, of which the median counts")
      ->capture_default_str();
  c->add_option("--text-lengths", a.text_lengths,
                "file with a length in tokens on each line: measure fine-tuning, sequences packed "
                "with texts of these lengths")
      ->type_name("FILE");
  c->add_flag("--pairs", a.pairs,
              "measure preference training: each two texts are a pair of answers, and the "
              "reference's forward is measured too");
  c->add_option("--peak", a.peak_tflops, "the device's peak in TFLOP/s, to report MFU; 0: do not")
      ->capture_default_str();
  c->add_flag("--brief", a.brief, "measure only the whole step and the ceilings");
  c->add_option("--json", a.json,
                "write a JSON object to FILE; without FILE, print it instead of the report")
      ->type_name("FILE")
      ->option_text("[FILE]")
      ->expected(0, 1)
      ->default_str("-");
  c->callback([arguments] { run_bench(*arguments); });
}

void add_profile_options(CLI::App* c, const std::shared_ptr<BenchArguments>& arguments) {
  c->add_option("--profile", arguments->profile,
                "write the card's profile for `fathom plan` to FILE (TOML)")
      ->type_name("FILE");
  c->add_option("--profile-like", arguments->profile_like,
                "card or profile that gives it what is not measured: its links and memory")
      ->type_name("NAME|FILE")
      ->capture_default_str();
}

void add_save_options(CLI::App* c, const std::shared_ptr<BenchArguments>& arguments) {
  BenchArguments& a = *arguments;
  add_step_options(c, a);
  c->add_option("--steps", a.steps, "steps without a save, before it and again after it")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--directory", a.directory, "where the checkpoint is written; it is removed again")
      ->type_name("DIR");
  c->add_flag("--discard", a.discard,
              "read the copy and write nothing, for machines without a large disk");
  c->callback([arguments] { run_save(*arguments); });
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench = app.add_subcommand("bench", "Measure the speed of this machine");
  bench->require_subcommand(1);
  bench->footer("Example: fathom bench cpu");
  const char* what = "Measure a training step, its operations, and the ceilings of the device";
  CLI::App* cpu = bench->add_subcommand("cpu", what);
  cpu->footer("Example: fathom bench cpu --dtype f32 --threads 2");
  add_options(cpu, std::make_shared<BenchArguments>());
  CLI::App* gpu = bench->add_subcommand("gpu", what);
  gpu->footer("Example: fathom bench gpu --model configs/models/deepseek-llm-7b.toml");
  const auto gpu_arguments = std::make_shared<BenchArguments>(gpu_defaults());
  add_options(gpu, gpu_arguments);
  add_profile_options(gpu, gpu_arguments);
  CLI::App* save =
      bench->add_subcommand("save", "Measure what a checkpoint costs training on a GPU");
  save->footer("Example: fathom bench save --model configs/models/3b-gqa.toml --directory /tmp");
  add_save_options(save, std::make_shared<BenchArguments>(gpu_defaults()));
  add_bench_generate(*bench);
}

}  // namespace fathom::cli
