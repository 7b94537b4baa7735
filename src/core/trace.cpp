#include "core/trace.h"

#include <fmt/format.h>

#include <chrono>

#include "core/stream.h"

namespace fathom {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const char* name_of(TraceKind kind) {
  switch (kind) {
    case TraceKind::pipeline:
      return "pipeline";
    case TraceKind::forward:
      return "forward";
    case TraceKind::backward:
      return "backward";
    case TraceKind::communication:
      return "communication";
    case TraceKind::join:
      return "join";
    case TraceKind::wait:
      return "wait";
    case TraceKind::update:
      return "update";
  }
  return "?";
}

}  // namespace

Trace::Trace(Device device) : device_(device), start_(now()) {
  if (device.type != DeviceType::cuda) return;
  start_event_ = cuda::create_timed_event(device.index);
  cuda::record_event(device.index, start_event_, nullptr);
  cuda::wait_for_event(device.index, start_event_);
  start_ = now();
}

Trace::~Trace() {
  for (void* event : events_) cuda::destroy_event(event);
  if (start_event_) cuda::destroy_event(start_event_);
}

std::size_t Trace::mark(Stream stream) {
  if (device_.type != DeviceType::cuda) {
    const double time = now();
    const std::lock_guard lock(mutex_);
    times_.push_back(time);
    return times_.size() - 1;
  }
  void* const event = cuda::create_timed_event(device_.index);
  cuda::record_event(device_.index, event, stream);
  const std::lock_guard lock(mutex_);
  events_.push_back(event);
  return events_.size() - 1;
}

void Trace::add(TraceLane lane, TraceKind kind, const char* name, int number, std::size_t begin,
                std::size_t end) {
  const std::lock_guard lock(mutex_);
  entries_.push_back({lane, kind, name, number, begin, end});
}

double Trace::seconds(std::size_t mark) const {
  if (device_.type != DeviceType::cuda) return times_.at(mark);
  cuda::wait_for_event(device_.index, events_.at(mark));
  return start_ + cuda::seconds_between(start_event_, events_.at(mark));
}

std::vector<Trace::Span> Trace::spans() const {
  const std::lock_guard lock(mutex_);
  std::vector<Span> spans;
  for (const Entry& e : entries_) {
    spans.push_back({e.lane, e.kind, e.name, e.number, seconds(e.begin), seconds(e.end)});
  }
  return spans;
}

std::string chrome_events(const std::vector<Trace::Span>& spans, int rank, const std::string& name,
                          double offset) {
  std::string text = fmt::format(
      "{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{},\"args\":{{\"name\":\"{}\"}}}}", rank,
      name);
  for (const TraceLane lane : {TraceLane::compute, TraceLane::communication}) {
    text += fmt::format(
        ",\n{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":"
        "\"{}\"}}}}",
        rank, static_cast<int>(lane), lane == TraceLane::compute ? "compute" : "communication");
  }
  for (const Trace::Span& s : spans) {
    const std::string number = s.number < 0 ? "" : fmt::format(" {}", s.number);
    text += fmt::format(
        ",\n{{\"ph\":\"X\",\"name\":\"{}{}\",\"cat\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{:.3f},"
        "\"dur\":{:.3f}}}",
        s.name, number, name_of(s.kind), rank, static_cast<int>(s.lane), (s.begin + offset) * 1e6,
        (s.end - s.begin) * 1e6);
  }
  return text;
}

}  // namespace fathom
