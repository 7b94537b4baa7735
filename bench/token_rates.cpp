// Times prompts and generation of a model for bench/generation_vs_llama_cpp.py. Arguments: the
// model's path, the dtype (f32, bf16), the weights (dtype, int8) and the number of threads. A line
// of JSON in, {"prompt": [token ids], "new": N}, a line out: {"reading": seconds until the first
// token, "generating": seconds of the further ones, "tokens": the N likeliest tokens one after
// another}.
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "core/parallel.h"
#include "infer/engine.h"
#include "infer/model_loader.h"

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

Json answer(fathom::infer::Engine& engine, const Json& job) {
  engine.forget_prefixes();  // the prompt of the last line may be this one's
  fathom::infer::Request request;
  request.prompt = job["prompt"].get<std::vector<std::int32_t>>();
  request.max_tokens = job["new"].get<std::int64_t>();
  request.sampling.temperature = 0;
  engine.submit(std::move(request));
  std::vector<std::int32_t> tokens;
  const Clock::time_point begin = Clock::now();
  Clock::time_point first = begin;
  while (!engine.idle()) {
    for (const fathom::infer::GeneratedToken& token : engine.step()) {
      if (tokens.empty()) first = Clock::now();
      tokens.push_back(token.drawn.token);
    }
  }
  return {{"reading", seconds_between(begin, first)},
          {"generating", seconds_between(first, Clock::now())},
          {"tokens", tokens}};
}

void serve(const std::string& path, const std::string& dtype, const std::string& weights) {
  using fathom::DType;
  using fathom::MatrixStorage;
  fathom::Context context(fathom::cpu_device);
  fathom::infer::LoadOptions options;
  options.dtype = dtype == "f32" ? DType::f32 : DType::bf16;
  options.storage = weights == "int8" ? MatrixStorage::int8 : MatrixStorage::dtype;
  const fathom::infer::LoadedModel model = fathom::infer::load_model(path, options, context);
  fathom::infer::EngineOptions limits;
  limits.limits.max_sequences = 1;
  limits.max_length = 2048;
  fathom::infer::Engine engine(*model.stage, context, limits);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(engine, Json::parse(line)).dump() << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: token_rates MODEL f32|bf16 dtype|int8 THREADS\n";
    return 2;
  }
  try {
    fathom::set_num_threads(std::stoi(argv[4]));
    serve(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
