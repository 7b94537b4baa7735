#include "measure/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/philox.h"
#include "measure/measure.h"
#include "model/hugging_face.h"
#include "model/parameters.h"
#include "model/stage.h"

namespace fathom::measure {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Request number `i`, the same every time.
infer::Request request_of(const GenerationLoad& load, std::int64_t vocabulary, std::int64_t i) {
  const Philox random{1, static_cast<std::uint64_t>(i)};
  const std::int64_t span = load.prompt_most - load.prompt_least + 1;
  const std::int64_t length =
      load.prompt_least + static_cast<std::int64_t>(random.uniform(0) * static_cast<double>(span));
  infer::Request request;
  for (std::int64_t t = 0; t < length; ++t) {
    const double place = random.uniform(static_cast<std::uint64_t>(t + 1));
    request.prompt.push_back(
        static_cast<std::int32_t>(place * static_cast<double>(vocabulary)));
  }
  request.max_tokens = load.new_tokens;
  request.sampling = load.sampling;
  request.sampling.stream = static_cast<std::uint64_t>(i);
  return request;
}

GenerationTimes run(infer::Engine& engine, const GenerationLoad& load, std::int64_t vocabulary) {
  GenerationTimes times;
  const Clock::time_point begin = Clock::now();
  for (std::int64_t i = 0; i < load.requests; ++i) {
    infer::Request request = request_of(load, vocabulary, i);
    times.prompt_tokens += std::ssize(request.prompt);
    engine.submit(std::move(request));
  }
  const std::int64_t most = std::min(load.sequences, load.requests);
  while (!engine.idle()) {
    const bool all_run = engine.scheduler().num_running() == most;
    const Clock::time_point step = Clock::now();
    const auto drawn = std::ssize(engine.step());
    ++times.steps;
    times.generated += drawn;
    if (!all_run || drawn != most) continue;
    times.generating += seconds_since(step);
    ++times.generating_steps;
  }
  times.all = seconds_since(begin);
  return times;
}

infer::EngineOptions options_of(const GenerationLoad& load) {
  infer::EngineOptions options;
  options.limits.max_sequences = load.sequences;
  options.limits.max_tokens_per_step = load.tokens_per_step;
  options.max_length = load.prompt_most + load.new_tokens;
  options.cache_bytes = std::size_t{64} << 30;
  return options;
}

std::size_t weight_bytes_of(const ParameterStore& parameters, const ModelConfig& model) {
  std::size_t bytes = 0;
  for (const Parameter& parameter : parameters.all()) {
    if (parameter.spec.name == "embedding.weight" && !model.tie_embeddings) continue;
    bytes += parameter.weight.bytes();
    if (parameter.is_int8()) bytes += parameter.scales.bytes();
  }
  return bytes;
}

// The weights that initialize() makes, rounded to 8 bits where the store keeps them so.
void fill_weights(Context& context, const ModelConfig& model, ParameterStore& parameters,
                  MatrixStorage storage) {
  constexpr std::uint64_t seed = 1;
  if (storage == MatrixStorage::dtype) {
    for (const Parameter& parameter : parameters.all()) {
      initialize(context, parameter, {}, model.init_std, seed);
    }
    return;
  }
  load_weights(
      [&](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
        initialize_rows(context, spec, model.init_std, seed, first_row, rows);
      },
      parameters, context);
}

std::string name_of_weights(const GenerationBench& bench) {
  const std::string_view dtype = name_of(bench.dtype);
  if (bench.storage == MatrixStorage::dtype) return std::string(dtype);
  return fmt::format("weights in int8, the rest in {},", dtype);
}

}  // namespace

GenerationBench measure_generation(const ModelConfig& model, DType dtype, MatrixStorage storage,
                                   Device device, std::span<const GenerationLoad> loads,
                                   int turns, BatchInvariance invariance) {
  GenerationBench bench{model, dtype, storage, device, invariance, 0, 0, 0, {}};
  bench.copy = measure_copy(device);
  Context context(device);
  context.batch_invariance = invariance;
  ParameterStore parameters(stage_parameters(model, whole_model(model)), dtype, storage, device);
  fill_weights(context, model, parameters, storage);
  const Stage stage(model, whole_model(model), parameters, {}, device);
  bench.weight_bytes = weight_bytes_of(parameters, model);
  bench.token_bytes = infer::KvCache::page_bytes(model, dtype, 1);
  for (const GenerationLoad& load : loads) {
    infer::Engine engine(stage, context, options_of(load));
    GenerationResult result{load, {}};
    for (int turn = 0; turn < turns; ++turn) {
      engine.forget_prefixes();  // prompts are the same in each turn
      result.times = run(engine, load, model.vocab_size);
    }
    bench.results.push_back(result);
  }
  return bench;
}

double least_step_seconds(const GenerationBench& bench, const GenerationResult& result) {
  const GenerationLoad& load = result.load;
  const double context =
      static_cast<double>(load.prompt_least + load.prompt_most + load.new_tokens) / 2;
  const double sequences = static_cast<double>(std::min(load.sequences, load.requests));
  return (static_cast<double>(bench.weight_bytes) +
          sequences * context * static_cast<double>(bench.token_bytes)) /
         bench.copy;
}

namespace {

double per_second(std::int64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

// What a row of the table says.
struct Figures {
  double all, generating, reading, step, share;
  Figures(const GenerationBench& bench, const GenerationResult& result) {
    const GenerationTimes& t = result.times;
    const auto sequences = std::min(result.load.sequences, result.load.requests);
    all = per_second(t.generated, t.all);
    generating = per_second(t.generating_steps * sequences, t.generating);
    const bool one_wave = result.load.requests <= result.load.sequences &&
                          result.load.prompt_least == result.load.prompt_most;
    reading = one_wave ? per_second(t.prompt_tokens, t.all - t.generating) : 0;
    step = t.generating_steps > 0 ? t.generating / static_cast<double>(t.generating_steps) : 0;
    share = step > 0 ? least_step_seconds(bench, result) / step : 0;
  }
};

}  // namespace

nlohmann::ordered_json to_json(const GenerationBench& bench) {
  nlohmann::ordered_json json{{"device", to_string(bench.device)},
                              {"dtype", name_of(bench.dtype)},
                              {"weights", bench.storage == MatrixStorage::int8 ? "int8" : "dtype"},
                              {"batch_invariant", bench.invariance == BatchInvariance::on},
                              {"copy_bytes_per_second", bench.copy},
                              {"weight_bytes", bench.weight_bytes},
                              {"cache_bytes_per_token", bench.token_bytes}};
  for (const GenerationResult& result : bench.results) {
    const GenerationLoad& load = result.load;
    const Figures f(bench, result);
    json["loads"].push_back({{"sequences", load.sequences},
                             {"requests", load.requests},
                             {"prompt_least", load.prompt_least},
                             {"prompt_most", load.prompt_most},
                             {"new_tokens", load.new_tokens},
                             {"seconds", result.times.all},
                             {"tokens_per_second", f.all},
                             {"generating_tokens_per_second", f.generating},
                             {"prompt_tokens_per_second", f.reading},
                             {"step_seconds", f.step},
                             {"share_of_memory_rate", f.share}});
  }
  return json;
}

std::string to_text(const GenerationBench& bench) {
  std::string text = fmt::format(
      "{} on {}{}; a step reads {:.2f} GB of weights and {:.0f} KiB of cache a token; a copy moves "
      "{:.0f} GB/s\n\n"
      "{:>9} {:>8} {:>9} {:>5} {:>10} {:>11} {:>9} {:>8} {:>7}\n",
      name_of_weights(bench), device_name(bench.device),
      bench.invariance == BatchInvariance::on ? ", batch-invariant" : "",
      static_cast<double>(bench.weight_bytes) / 1e9,
      static_cast<double>(bench.token_bytes) / 1024, bench.copy / 1e9, "sequences", "requests",
      "prompt", "new", "tokens/s", "generating", "reading", "ms/step", "memory");
  for (const GenerationResult& result : bench.results) {
    const GenerationLoad& load = result.load;
    const Figures f(bench, result);
    text += fmt::format("{:>9} {:>8} {:>9} {:>5} {:>10.0f} {:>11.0f} {:>9.0f} {:>8.2f} {:>6.1f}%\n",
                        load.sequences, load.requests,
                        load.prompt_least == load.prompt_most
                            ? fmt::format("{}", load.prompt_least)
                            : fmt::format("{}:{}", load.prompt_least, load.prompt_most),
                        load.new_tokens, f.all, f.generating, f.reading, f.step * 1e3,
                        100 * f.share);
  }
  return text +
         "\ntokens/s: generated, from the first submission to the last token; generating: in steps "
         "in which every\nsequence draws a token; reading: tokens of prompts, where all requests run "
         "at once and are alike;\nmemory: the least time for the bytes of such a step, as a share of "
         "its time.\n";
}

}  // namespace fathom::measure
