#include "report/samples.h"

#include <fmt/format.h>

#include <optional>

#include "core/error.h"
#include "io/json_object.h"
#include "io/mapped_file.h"

namespace fathom {
namespace {

std::optional<SamplePoint> parse_point(std::string_view line) {
  try {
    const JsonObject json = JsonObject::parse(line, "samples");
    SamplePoint point{json.integer("step"), {}};
    for (const JsonObject& sample : json.objects("samples")) {
      point.samples.push_back({sample.text("prompt"), sample.text("text")});
    }
    return point;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

void SampleLog::write(const SamplePoint& point) {
  std::vector<std::string> samples;
  for (const TextSample& sample : point.samples) {
    samples.push_back(fmt::format("{{\"prompt\": {}, \"text\": {}}}", json_quoted(sample.prompt),
                                  json_quoted(sample.text)));
  }
  log_.write(point.step, fmt::format("{{\"step\": {}, \"samples\": [{}]}}", point.step,
                                     fmt::join(samples, ", ")));
}

std::vector<SamplePoint> read_samples(const std::string& path) {
  const MappedFile file(path);
  std::vector<SamplePoint> points;
  for_each_whole_line(file.text(), [&](std::string_view line, std::size_t) {
    if (auto point = parse_point(line)) points.push_back(std::move(*point));
  });
  return points;
}

}  // namespace fathom
