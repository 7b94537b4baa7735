#include "report/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "core/error.h"
#include "io/json_object.h"
#include "io/mapped_file.h"

namespace fathom {
namespace {

std::optional<MetricsRecord> parse_record(std::string_view line) {
  try {
    const JsonObject json = JsonObject::parse(line, "metrics");
    MetricsRecord record;
    record.step = json.integer("step");
    for (const std::string& name : json.keys()) {
      if (name == "step") continue;
      record.add(name, json.find_number(name).value_or(std::numeric_limits<double>::quiet_NaN()));
    }
    return record;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

const double* MetricsRecord::find(std::string_view name) const {
  for (const auto& [key, value] : values) {
    if (key == name) return &value;
  }
  return nullptr;
}

void MetricsLog::write(const MetricsRecord& record) {
  std::string object = fmt::format("{{\"step\": {}", record.step);
  for (const auto& [name, value] : record.values) {
    object += fmt::format(", {}: {}", json_quoted(name),
                          std::isfinite(value) ? fmt::format("{}", value) : "null");
  }
  log_.write(record.step, object + "}");
}

std::vector<MetricsRecord> read_metrics(const std::string& path) {
  const MappedFile file(path);
  std::vector<MetricsRecord> records;
  for_each_whole_line(file.text(), [&](std::string_view line, std::size_t) {
    if (auto record = parse_record(line)) records.push_back(std::move(*record));
  });
  return records;
}

}  // namespace fathom
