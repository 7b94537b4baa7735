// TrainingState as state.json.
#include <fmt/format.h>

#include <charconv>

#include "checkpoint/manifest.h"
#include "core/error.h"
#include "io/checksum.h"
#include "io/json_object.h"

namespace fathom {
namespace {

// Shortest text that reads back to the same value. JSON numbers cannot be infinite or NaN,
// so figures are written as texts.
std::string exact(double value) {
  return json_quoted(fmt::format("{}", value));
}

template <class Number, class... Base>
Number parse_number(const std::string& text, const JsonObject& json, const char* key,
                    Base... base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base...);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail_input("{}: '{}' holds '{}', which is no number", json.source(), key, text);
  }
  return value;
}

double exact_number(const JsonObject& json, const char* key) {
  return parse_number<double>(json.text(key), json, key);
}

std::uint64_t checksum_in(const JsonObject& json, const char* key) {
  return parse_number<std::uint64_t>(json.text(key), json, key, 16);
}

std::string source_text(const SourceState& source) {
  return fmt::format(
      R"({{"name": {}, "weight": {}, "tokens": {}, "documents": {}, "content": "{}"}})",
      json_quoted(source.name), exact(source.weight), source.tokens, source.documents,
      checksum_text(source.content));
}

std::string sources_text(const std::vector<SourceState>& sources) {
  std::vector<std::string> texts;
  for (const SourceState& source : sources) texts.push_back(source_text(source));
  return fmt::format("\"sources\": [{}]", fmt::join(texts, ",\n    "));
}

std::string phase_text(const PhaseState& phase) {
  return fmt::format("{{\"first_sample\": {}, \"step\": {}, \"sample_order\": \"{}\",\n    {}}}",
                     phase.first_sample, phase.step, checksum_text(phase.sample_order),
                     sources_text(phase.sources));
}

std::string data_text(const DataState& data) {
  std::vector<std::string> phases;
  for (const PhaseState& phase : data.phases) phases.push_back(phase_text(phase));
  return fmt::format(
      "\"data\": {{\"next_sample\": {}, \"sample_order\": \"{}\", \"sequence_length\": {}, "
      "\"attention_within_documents\": {},\n  {}{}}},\n",
      data.next_sample, checksum_text(data.sample_order), data.sequence_length,
      data.attention_within_documents, sources_text(data.sources),
      phases.empty() ? "" : fmt::format(",\n  \"phases\": [{}]", fmt::join(phases, ",\n    ")));
}

std::string guard_text(const GuardState& guard) {
  return fmt::format(
      "\"spike_guard\": {{\"mean\": {}, \"variance\": {}, \"seen\": {}, \"skipped\": {}, "
      "\"consecutive\": {}}},\n",
      exact(guard.mean), exact(guard.variance), guard.seen, guard.skipped, guard.consecutive);
}

std::string schedule_text(const ScheduleState& schedule) {
  return fmt::format("\"schedule\": {{\"warmup\": {}, \"decay\": {}}},\n", exact(schedule.warmup),
                     exact(schedule.decay));
}

std::string reading_text(const SourceReading& reading) {
  return fmt::format(R"({{"name": {}, "content": "{}", "sequence_length": {}, "windows": {}}})",
                     json_quoted(reading.name), checksum_text(reading.content),
                     reading.sequence_length, reading.windows);
}

std::string branch_text(const BranchState& branch) {
  std::vector<std::string> read;
  for (const SourceReading& reading : branch.read) read.push_back(reading_text(reading));
  return fmt::format(
      "\"branch\": {{\"checkpoint\": {}, \"step\": {}, \"tokens\": {}, \"next_sample\": {}, "
      "\"warmup\": {},\n  \"read\": [{}]}},\n",
      json_quoted(branch.checkpoint), branch.step, branch.tokens, branch.next_sample,
      exact(branch.warmup), fmt::join(read, ",\n    "));
}

SourceState parse_source(const JsonObject& json) {
  return {json.text("name"), exact_number(json, "weight"), json.integer("tokens"),
          json.integer("documents"), checksum_in(json, "content")};
}

std::vector<SourceState> parse_sources(const JsonObject& json) {
  std::vector<SourceState> sources;
  for (const JsonObject& source : json.objects("sources")) sources.push_back(parse_source(source));
  return sources;
}

PhaseState parse_phase(const JsonObject& json) {
  return {json.integer("first_sample"), json.integer("step"), checksum_in(json, "sample_order"),
          parse_sources(json)};
}

DataState parse_data(const JsonObject& json) {
  DataState data;
  data.next_sample = json.integer("next_sample");
  data.sample_order = checksum_in(json, "sample_order");
  data.sequence_length = json.integer("sequence_length");
  data.attention_within_documents = json.boolean("attention_within_documents");
  data.sources = parse_sources(json);
  if (!json.has("phases")) return data;
  for (const JsonObject& phase : json.objects("phases")) data.phases.push_back(parse_phase(phase));
  return data;
}

GuardState parse_guard(const JsonObject& json) {
  return {exact_number(json, "mean"), exact_number(json, "variance"), json.integer("seen"),
          json.integer("skipped"), json.integer("consecutive")};
}

SourceReading parse_reading(const JsonObject& json) {
  return {json.text("name"), checksum_in(json, "content"), json.integer("sequence_length"),
          json.integer("windows")};
}

BranchState parse_branch(const JsonObject& json) {
  BranchState branch{json.text("checkpoint"),      json.integer("step"),
                     json.integer("tokens"),       json.integer("next_sample"),
                     exact_number(json, "warmup"), {}};
  for (const JsonObject& reading : json.objects("read")) {
    branch.read.push_back(parse_reading(reading));
  }
  return branch;
}

// Older checkpoints list both without names: [next sample, sample order] and
// [mean, variance, seen, skipped, consecutive]. The lists are empty for weights alone.
void parse_unnamed(const JsonObject& json, TrainingState& state) {
  const std::vector<std::int64_t> position = json.integers("data_position");
  const std::vector<std::string> guard = json.texts("guard");
  if (position.empty() && guard.empty()) return;
  if (position.size() != 2 || guard.size() != 5) {
    fail_input("{}: 'data_position' has {} entries and 'guard' {}, but 2 and 5 belong there",
               json.source(), position.size(), guard.size());
  }
  state.data.emplace();
  state.data->next_sample = position[0];
  state.data->sample_order = static_cast<std::uint64_t>(position[1]);
  const auto figure = [&](std::size_t i) { return parse_number<double>(guard[i], json, "guard"); };
  const auto count = [&](std::size_t i) { return static_cast<std::int64_t>(figure(i)); };
  state.guard = {figure(0), figure(1), count(2), count(3), count(4)};
}

}  // namespace

std::string state_text(const TrainingState& state) {
  return fmt::format(
      "{{\n\"step\": {},\n\"tokens\": {},\n{}{}{}{}\"seed\": {},\n\"elapsed_seconds\": {},\n"
      "\"tokenizer_hash\": {},\n\"objective\": {},\n\"config_toml\": {}\n}}\n",
      state.step, state.tokens, state.data ? data_text(*state.data) : "",
      state.guard ? guard_text(*state.guard) : "", schedule_text(state.schedule),
      state.branch ? branch_text(*state.branch) : "", state.seed, exact(state.elapsed_seconds),
      json_quoted(state.tokenizer_hash), json_quoted(state.objective),
      json_quoted(state.config_toml));
}

TrainingState parse_state(std::string_view text, const std::string& source) {
  const JsonObject json = JsonObject::parse(text, source);
  TrainingState state;
  state.step = json.integer("step");
  state.tokens = json.integer("tokens");
  state.seed = json.unsigned_integer("seed");
  state.elapsed_seconds = exact_number(json, "elapsed_seconds");
  state.tokenizer_hash = json.text("tokenizer_hash");
  state.config_toml = json.text("config_toml");
  if (json.has("objective")) state.objective = json.text("objective");
  if (const auto schedule = json.find_object("schedule")) {
    state.schedule = {exact_number(*schedule, "warmup"), exact_number(*schedule, "decay")};
  }
  if (const auto branch = json.find_object("branch")) state.branch = parse_branch(*branch);
  if (json.has("data_position")) {
    parse_unnamed(json, state);
  } else {
    if (const auto data = json.find_object("data")) state.data = parse_data(*data);
    if (const auto guard = json.find_object("spike_guard")) state.guard = parse_guard(*guard);
  }
  if (state.step < 0) fail_input("{}: 'step' is {}, less than 0", source, state.step);
  return state;
}

}  // namespace fathom
