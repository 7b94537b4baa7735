#include "eval/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "eval/pattern.h"
#include "eval/scores.h"
#include "io/line_reader.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// The first text that the model was asked.
std::string prompt_of(const Json& line) {
  const Json arguments = line.value("arguments", Json::object());
  for (const auto& argument : arguments) {
    if (argument.is_object() && argument.contains("arg_0")) return argument["arg_0"].dump();
  }
  return "";
}

// A number; for a score with weights [value, weight], or, as lm-evaluation-harness writes an item's
// instructions, a boolean for each. Nothing for scores of other kinds.
std::optional<Part> part_of(const std::string& score, const Json& json) {
  if (json.is_boolean()) return Part{json.get<bool>() ? 1.0 : 0.0};
  if (json.is_number()) return Part{json.get<double>()};
  if (!has_weights(score) || !json.is_array() || json.empty()) return std::nullopt;
  if (std::ranges::all_of(json, [](const Json& one) { return one.is_boolean(); })) {
    return Part{static_cast<double>(std::ranges::count(json, Json(true))), static_cast<double>(json.size())};
  }
  if (json.size() == 2 && json[0].is_number() && json[1].is_number()) {
    return Part{json[0].get<double>(), json[1].get<double>()};
  }
  return std::nullopt;
}

Sample sample_of(const Json& line, const std::string& where) {
  Sample sample{prompt_of(line), where, {}};
  for (const Json& name : line["metrics"]) {
    if (!name.is_string()) fail_input("{}: 'metrics' must name scores", where);
    const auto value = line.find(name.get<std::string>());
    if (value == line.end()) fail_input("{}: its score '{}' is missing", where, name.get<std::string>());
    const std::string score = name.get<std::string>();
    if (has_weights(score) && value->is_number()) fail_input("{}: its score '{}' lacks its weight", where, score);
    if (const auto part = part_of(score, *value)) sample.scores[score] = *part;
  }
  return sample;
}

}  // namespace

// Dates sort as texts.
std::map<std::string, std::string> samples_files(const std::string& folder) {
  static const Pattern name("samples_(.+)_(\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d.*)\\.jsonl", "samples", true);
  if (!fs::is_directory(folder)) fail_input("there is no folder '{}'", folder);
  std::map<std::string, std::pair<std::string, std::string>> newest;  // date and path
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const auto match = name.find(entry.path().filename().string());
    if (!match) continue;
    auto& best = newest[*match->groups[1]];
    best = std::max(best, {*match->groups[2], entry.path().string()});
  }
  std::map<std::string, std::string> files;
  for (const auto& [task, best] : newest) files[task] = best.second;
  if (files.empty()) fail_input("{}: has no samples_TASK_DATE.jsonl, which fathom eval --out writes", folder);
  return files;
}

Samples read_samples(const std::string& path) {
  const std::string text = read_text(path);
  Samples samples;
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string where = fmt::format("{}:{}", path, ++number);
    const Json line = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(end),
                                  nullptr, false);
    const bool good = line.is_object() && line.contains("doc_id") && line["doc_id"].is_number_integer() &&
                      line.contains("metrics") && line["metrics"].is_array();
    if (!good) fail_input("{}: is no sample: it lacks doc_id or metrics", where);
    const Json filter = line.value("filter", Json("none"));
    if (!filter.is_string()) fail_input("{}: its filter is no text", where);
    samples[{line["doc_id"].get<std::int64_t>(), filter.get<std::string>()}] = sample_of(line, where);
    at = end + 1;
  }
  return samples;
}

}  // namespace fathom::eval
