// What `fathom bench generate` measures: how fast the engine reads prompts and generates.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "infer/engine.h"
#include "model/config.h"
#include "model/parameters.h"

namespace fathom::measure {

// Requests that are all there from the start.
struct GenerationLoad {
  std::int64_t sequences = 1;                          // running at once
  std::int64_t requests = 1;
  std::int64_t prompt_least = 128, prompt_most = 128;  // tokens, drawn evenly between these
  std::int64_t new_tokens = 128;                       // of each request
  std::int64_t tokens_per_step = 0;                    // most that a step reads; 0: the engine's
  infer::SamplingOptions sampling;
};

struct GenerationTimes {
  double all = 0;         // seconds from the first request's submission to the last token
  double generating = 0;  // seconds of the steps in which as many sequences as may run draw a token
  std::int64_t steps = 0, generating_steps = 0;
  std::int64_t generated = 0, prompt_tokens = 0;  // of all requests
};

struct GenerationResult {
  GenerationLoad load;
  GenerationTimes times;
};

struct GenerationBench {
  ModelConfig model;
  DType dtype = DType::f32;
  MatrixStorage storage = MatrixStorage::dtype;
  Device device;
  BatchInvariance invariance = BatchInvariance::off;
  double copy = 0;                 // bytes/s of a copy, read and written
  std::size_t weight_bytes = 0;    // that a step reads: all but the input embedding
  std::size_t token_bytes = 0;     // of the cache
  std::vector<GenerationResult> results;
};

// A model of random weights. Each load runs `turns` times, of which the last counts: the first
// chooses algorithms. All memory is free again afterwards.
GenerationBench measure_generation(const ModelConfig& model, DType dtype, MatrixStorage storage,
                                   Device device, std::span<const GenerationLoad> loads,
                                   int turns,
                                   BatchInvariance invariance = BatchInvariance::off);

// Seconds that a step's bytes take at the copy's rate: the weights once, and the cache.
double least_step_seconds(const GenerationBench& bench, const GenerationResult& result);

nlohmann::ordered_json to_json(const GenerationBench& bench);
std::string to_text(const GenerationBench& bench);

}  // namespace fathom::measure
