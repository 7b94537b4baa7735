#include "report/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/log.h"
#include "io/json_object.h"
#include "io/mapped_file.h"

namespace fathom {
namespace {

// Calls f(line, end offset) for each line that ends in a newline.
template <class F>
void for_each_line(std::string_view text, F&& f) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return;
    f(text.substr(begin, end - begin), end + 1);
    begin = end + 1;
  }
}

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

// Length of the beginning of the text that holds the records up to `last_step`.
std::size_t bytes_up_to(std::string_view text, std::int64_t last_step) {
  std::size_t keep = 0;
  bool later = false;
  for_each_line(text, [&](std::string_view line, std::size_t end) {
    const auto record = parse_record(line);
    later = later || (record && record->step > last_step);
    if (!later && record) keep = end;
  });
  return keep;
}

}  // namespace

const double* MetricsRecord::find(std::string_view name) const {
  for (const auto& [key, value] : values) {
    if (key == name) return &value;
  }
  return nullptr;
}

MetricsLog::MetricsLog(std::string path, std::int64_t resumed_step) : path_(std::move(path)) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail_runtime("{}: cannot write this file: {}", path_, std::strerror(errno));
  // Read to the end before it is cut: a mapped file must not shrink.
  std::size_t keep = 0;
  if (resumed_step > 0) keep = bytes_up_to(MappedFile(path_).text(), resumed_step);
  if (ftruncate(file_, static_cast<off_t>(keep)) != 0) {
    const int problem = errno;
    close(file_);
    fail_runtime("{}: cannot cut off the records after step {}: {}", path_, resumed_step,
                 std::strerror(problem));
  }
}

MetricsLog::~MetricsLog() {
  close(file_);
}

void MetricsLog::write(const MetricsRecord& record) {
  std::string line = fmt::format("{{\"step\": {}", record.step);
  for (const auto& [name, value] : record.values) {
    line += fmt::format(", {}: {}", json_quoted(name),
                        std::isfinite(value) ? fmt::format("{}", value) : "null");
  }
  line += "}\n";
  const ssize_t written = ::write(file_, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) {
    failed_ = false;
    return;
  }
  const int problem = written < 0 ? errno : ENOSPC;
  // A partial line would spoil the next one too.
  const off_t end = lseek(file_, 0, SEEK_END);
  const bool cut = written <= 0 || ftruncate(file_, end - written) == 0;
  if (!failed_ || !cut) {
    log::warning("{}: step {} is not recorded: {}; training continues", path_, record.step,
                 std::strerror(problem));
  }
  failed_ = true;
}

void MetricsLog::sync() {
  if (fdatasync(file_) != 0 && errno != EINVAL && !failed_) {
    log::warning("{}: cannot flush to the disk: {}", path_, std::strerror(errno));
    failed_ = true;
  }
}

std::vector<MetricsRecord> read_metrics(const std::string& path) {
  const MappedFile file(path);
  std::vector<MetricsRecord> records;
  for_each_line(file.text(), [&](std::string_view line, std::size_t) {
    if (auto record = parse_record(line)) records.push_back(std::move(*record));
  });
  return records;
}

}  // namespace fathom
