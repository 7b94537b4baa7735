#include "report/step_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "core/error.h"
#include "core/log.h"
#include "io/json_object.h"
#include "io/mapped_file.h"

namespace fathom {
namespace {

std::optional<std::int64_t> step_of(std::string_view line) {
  try {
    return JsonObject::parse(line, "record").integer("step");
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Length of the beginning of the text that holds the lines up to `last_step`.
std::size_t bytes_up_to(std::string_view text, std::int64_t last_step) {
  std::size_t keep = 0;
  bool later = false;
  for_each_whole_line(text, [&](std::string_view line, std::size_t end) {
    if (later) return;
    const std::optional<std::int64_t> step = step_of(line);
    later = step && *step > last_step;
    if (step && !later) keep = end;
  });
  return keep;
}

}  // namespace

StepLog::StepLog(std::string path, std::int64_t resumed_step) : path_(std::move(path)) {
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

StepLog::~StepLog() {
  close(file_);
}

void StepLog::write(std::int64_t step, std::string_view object) {
  const std::string line = std::string(object) + "\n";
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
    log::warning("{}: step {} is not recorded: {}; training continues", path_, step,
                 std::strerror(problem));
  }
  failed_ = true;
}

void StepLog::sync() {
  if (fdatasync(file_) == 0 || failed_) return;
  log::warning("{}: cannot flush to the disk: {}", path_, std::strerror(errno));
  failed_ = true;
}

}  // namespace fathom
