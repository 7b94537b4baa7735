#include "scaling/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/config.h"
#include "core/error.h"
#include "io/json_object.h"
#include "io/line_reader.h"

namespace fathom::scaling {
namespace {

// Calls field(key, member) for each field, in the order of the file.
template <class Run, class Visitor>
void visit_results(Run& run, Visitor&& field) {
  field("name", run.name);
  field("dataset", run.dataset);
  field("layers", run.layers);
  field("width", run.width);
  field("model_flops", run.model_flops);
  field("tokens", run.tokens);
  field("compute", run.compute);
  field("batch_tokens", run.batch_tokens);
  field("learning_rate", run.learning_rate);
  field("loss", run.loss);
  field("bits_per_byte", run.bits_per_byte);
  field("unique_tokens", run.unique_tokens);
  field("seed", run.seed);
}

void read_field(const JsonValue& value, const char*, std::string& out) {
  out = value.text();
}

void read_field(const JsonValue& value, const char* key, std::int64_t& out) {
  const bool size = key != std::string_view("seed");
  out = value.integer(size ? 1 : std::numeric_limits<std::int64_t>::min());
}

void read_field(const JsonValue& value, const char*, double& out) {
  out = value.number();
  if (!(out > 0)) value.refuse(fmt::format("is {}, not a positive number", out));
}

void refuse_unknown_keys(const JsonValue& object) {
  RunResult any;
  std::vector<std::string> known;
  visit_results(any, [&](const char* key, auto&) { known.emplace_back(key); });
  for (const std::string& key : object.keys()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const std::string guess = nearest(key, known);
    fail_input("{}: '{}' is no key of a result{}", object.source(), key,
               guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess));
  }
}

void set_compute(RunResult& run, const std::string& where) {
  const double product = run.model_flops * run.tokens;
  if (run.compute == 0) run.compute = product;
  if (std::abs(run.compute / product - 1) <= 1e-3) return;
  fail_input("{}: 'compute' is {:.6g}, but model_flops * tokens is {:.6g}", where, run.compute,
             product);
}

}  // namespace

bool RunResult::diverged() const {
  return !std::isfinite(loss);
}

std::string result_line(const RunResult& run) {
  nlohmann::ordered_json json;
  visit_results(run, [&](const char* key, const auto& value) { json[key] = value; });
  return json.dump();
}

RunResult parse_result(std::string_view line, const std::string& where) {
  const JsonValue object = JsonValue::parse(line, where);
  if (!object.is_object()) fail_input("{}: is no JSON object, which a result is", where);
  refuse_unknown_keys(object);
  for (const char* key : {"name", "model_flops", "tokens", "loss"}) object.at(key);
  RunResult run;
  visit_results(run, [&](const char* key, auto& member) {
    if (const auto value = object.find(key)) read_field(*value, key, member);
  });
  for (const auto& [key, value] :
       {std::pair{"model_flops", run.model_flops}, {"tokens", run.tokens}}) {
    if (value == 0)
      fail_input("{}: '{}' is null; a run that diverged has a null 'loss' alone", where, key);
  }
  if (run.name.empty()) fail_input("{}: 'name' is empty", where);
  set_compute(run, where);
  return run;
}

Results read_results(const std::vector<std::string>& paths) {
  Results results;
  std::map<std::pair<std::string, std::string>, std::pair<std::string, std::string>> lines;
  for (const std::string& path : paths) {
    LineReader reader(path);
    for (std::string line; reader.next(line);) {
      const std::string where = fmt::format("{}:{}", path, reader.line_number());
      RunResult run = parse_result(line, where);
      const auto [first, fresh] =
          lines.try_emplace({run.dataset, run.name}, std::pair{where, result_line(run)});
      const auto& [other_where, other_line] = first->second;
      if (fresh) {
        results.runs.push_back(std::move(run));
      } else if (other_line == result_line(run)) {
        results.notes.push_back(
            fmt::format("{}: run '{}' is {}'s and counts once", where, run.name, other_where));
      } else {
        fail_input("{}: run '{}' is in {} with other values; keep one, or give it another name",
                   where, run.name, other_where);
      }
    }
  }
  if (results.runs.empty()) fail_input("{}: no results", fmt::join(paths, ", "));
  return results;
}

}  // namespace fathom::scaling
