// TrainingState as state.json.
#include <charconv>

#include "checkpoint/manifest.h"
#include "core/error.h"
#include "io/json_object.h"

namespace fathom {
namespace {

// Shortest text that reads back to the same value; JSON numbers cannot be
// infinite or NaN, so guard figures stand as texts.
std::string exact(double value) {
  return json_quoted(fmt::format("{}", value));
}

double parse_double(const std::string& text, const JsonObject& json, const char* key) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail_input("{}: '{}' holds '{}', which is no number", json.source(), key, text);
  }
  return value;
}

}  // namespace

std::string state_text(const TrainingState& state) {
  std::vector<std::string> guard;
  for (const double value : state.guard) guard.push_back(exact(value));
  return fmt::format(
      "{{\n\"step\": {},\n\"tokens\": {},\n\"data_position\": [{}],\n"
      "\"seed\": {},\n\"guard\": [{}],\n\"elapsed_seconds\": {},\n\"tokenizer_hash\": {},\n"
      "\"config_toml\": {}\n}}\n",
      state.step, state.tokens, fmt::join(state.data_position, ", "), state.seed,
      fmt::join(guard, ", "), exact(state.elapsed_seconds), json_quoted(state.tokenizer_hash),
      json_quoted(state.config_toml));
}

TrainingState parse_state(std::string_view text, const std::string& source) {
  const JsonObject json = JsonObject::parse(text, source);
  TrainingState state;
  state.step = json.integer("step");
  state.tokens = json.integer("tokens");
  state.data_position = json.integers("data_position");
  state.seed = json.unsigned_integer("seed");
  for (const std::string& value : json.texts("guard")) {
    state.guard.push_back(parse_double(value, json, "guard"));
  }
  state.elapsed_seconds = parse_double(json.text("elapsed_seconds"), json, "elapsed_seconds");
  state.tokenizer_hash = json.text("tokenizer_hash");
  state.config_toml = json.text("config_toml");
  if (state.step < 0) fail_input("{}: 'step' is {}, less than 0", source, state.step);
  return state;
}

}  // namespace fathom
