// The fields that completions and chat completions share: how text is generated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "infer/text_engine.h"
#include "serve/request_fields.h"

namespace fathom::serve {

// Limits on what one request may ask for.
struct ApiLimits {
  std::int64_t max_choices = 128;  // n
  std::int64_t max_best_of = 20;
  std::int64_t max_sequences = 256;   // prompts times n or best_of
  std::int64_t max_stops = 16;        // stop strings
  std::int64_t max_stop_bytes = 512;  // of one of them
  std::int64_t max_logprobs = 20;
  std::int64_t max_logit_bias = 1024;
  // Of all sequences together; each takes about 40 bytes until it is sent.
  std::int64_t max_log_probabilities = 2 << 20;
};

struct GenerationOptions {
  std::string model;  // empty: not given
  infer::SamplingOptions sampling;
  bool seeded = false;  // the request gives a seed
  std::int64_t n = 1;
  std::optional<std::int64_t> max_tokens;
  std::int64_t min_tokens = 0;
  std::vector<std::string> stop;
  bool ignore_end = false;
  SpecialTokens special_tokens = SpecialTokens::skip;
  bool stream = false, include_usage = false;
};

// Reads all of them but max_tokens. Throws an ApiError 400.
GenerationOptions read_generation_options(RequestFields& fields, const ApiLimits& limits);

// The part of an engine's request that these options give.
infer::TextRequest text_request(const GenerationOptions& options);

}  // namespace fathom::serve
