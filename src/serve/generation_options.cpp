#include "serve/generation_options.h"

#include <charconv>
#include <limits>

namespace fathom::serve {
namespace {

void check_stop(const std::string& stop, const ApiLimits& limits) {
  if (stop.empty()) refuse("stop", "a string of 'stop' is empty: give the text to end before");
  if (std::ssize(stop) > limits.max_stop_bytes) {
    refuse("stop", "a string of 'stop' has {} bytes: use at most {}", stop.size(),
           limits.max_stop_bytes);
  }
}

std::vector<std::string> read_stops(RequestFields& fields, const ApiLimits& limits) {
  std::vector<std::string> stops;
  const auto value = fields.find("stop");
  if (!value) return stops;
  about_field("stop", [&] {
    if (value->is_text()) {
      stops.push_back(value->text());
      return;
    }
    const std::vector<JsonValue> items = value->items();
    if (std::ssize(items) > limits.max_stops) {
      refuse("stop", "'stop' has {} strings: use at most {}", items.size(), limits.max_stops);
    }
    for (const JsonValue& item : items) stops.push_back(item.text());
  });
  for (const std::string& stop : stops) check_stop(stop, limits);
  return stops;
}

// {"token id": bias}, as OpenAI's API.
std::vector<infer::LogitBias> read_bias(RequestFields& fields, const ApiLimits& limits) {
  std::vector<infer::LogitBias> all;
  const auto value = fields.find("logit_bias");
  if (!value) return all;
  about_field("logit_bias", [&] {
    const std::vector<std::string> keys = value->keys();
    if (std::ssize(keys) > limits.max_logit_bias) {
      refuse("logit_bias", "'logit_bias' has {} tokens: use at most {}", keys.size(),
             limits.max_logit_bias);
    }
    for (const std::string& key : keys) {
      std::int32_t token = -1;
      const char* const end = key.data() + key.size();
      const auto [rest, error] = std::from_chars(key.data(), end, token);
      if (error != std::errc() || rest != end || token < 0) {
        refuse("logit_bias", "a key of 'logit_bias' is not a token id: use \"17\" for token 17");
      }
      const double bias = value->at(key).number();
      if (!(bias >= -100 && bias <= 100)) {
        refuse("logit_bias", "'logit_bias' of token {} is not a number from -100 to 100", token);
      }
      all.push_back({token, static_cast<float>(bias)});
    }
  });
  return all;
}

infer::SamplingOptions read_sampling(RequestFields& fields, const ApiLimits& limits) {
  infer::SamplingOptions o;
  o.temperature = fields.number("temperature", 0, 2).value_or(1);
  o.top_p = fields.number("top_p", 0, 1).value_or(1);
  if (o.top_p == 0) refuse("top_p", "'top_p' is 0: use a number above 0 and at most 1");
  // -1 is vLLM's way to say all tokens.
  o.top_k = std::max<std::int64_t>(0, fields.integer("top_k", -1, max_int32).value_or(0));
  o.min_p = fields.number("min_p", 0, 1).value_or(0);
  // The engine's bounds.
  o.repetition_penalty = fields.number("repetition_penalty", 0.001, 1000).value_or(1);
  o.presence_penalty = fields.number("presence_penalty", -2, 2).value_or(0);
  o.frequency_penalty = fields.number("frequency_penalty", -2, 2).value_or(0);
  o.logit_bias = read_bias(fields, limits);
  return o;
}

// {"include_usage": true}
bool read_stream_options(RequestFields& fields, bool stream) {
  const auto options = fields.find("stream_options");
  if (!options) return false;
  if (!stream) refuse("stream_options", "'stream_options' is for requests with 'stream': true");
  return about_field("stream_options", [&] {
    for (const std::string& key : options->keys()) {
      if (key == "include_usage" || !options->has(key)) continue;
      refuse("stream_options", "'stream_options.{}' is not supported: use include_usage",
             shortened(key));
    }
    return options->boolean_or("include_usage", false);
  });
}

}  // namespace

GenerationOptions read_generation_options(RequestFields& fields, const ApiLimits& limits) {
  GenerationOptions o;
  o.model = fields.text("model").value_or("");
  o.sampling = read_sampling(fields, limits);
  if (const auto seed = fields.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                       std::numeric_limits<std::int64_t>::max())) {
    o.seeded = true;
    o.sampling.seed = static_cast<std::uint64_t>(*seed);
  }
  o.n = fields.integer("n", 1, limits.max_choices).value_or(1);
  o.min_tokens = fields.integer("min_tokens", 0, max_int32).value_or(0);
  o.stop = read_stops(fields, limits);
  o.ignore_end = fields.boolean("ignore_eos").value_or(false);
  const bool skip = fields.boolean("skip_special_tokens").value_or(true);
  o.special_tokens = skip ? SpecialTokens::skip : SpecialTokens::keep;
  o.stream = fields.boolean("stream").value_or(false);
  o.include_usage = read_stream_options(fields, o.stream);
  fields.text("user");  // names an end user, and changes nothing
  return o;
}

infer::TextRequest text_request(const GenerationOptions& options) {
  infer::TextRequest request;
  request.sampling = options.sampling;
  request.min_tokens = options.min_tokens;
  request.stop = options.stop;
  request.ignore_end = options.ignore_end;
  request.special_tokens = options.special_tokens;
  return request;
}

}  // namespace fathom::serve
