// Trace: the work of a rank over time, for the viewers of Chrome and Perfetto and for sums.
// Code marks stretches of a Context's stream with TraceSpan. When Context::trace is null, a
// span costs one comparison.
//
// Times are seconds of this machine's monotonic clock. On a GPU the stream takes them when it
// reaches the mark, so the time between queueing and running does not count.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/context.h"

namespace fathom {

enum class TraceKind : std::uint8_t {
  pipeline,  // all forwards and backwards of a step, and the waits between them
  forward,   // of one micro-batch through one part of the model
  backward,
  communication,  // a collective, including its wait for other ranks
  join,           // compute waits for a collective of the communication lane: its exposed part
  wait,           // for a message of another stage
  update,         // the optimizer
};

// Streams of a rank.
enum class TraceLane : std::uint8_t { compute, communication };

class Trace {
 public:
  explicit Trace(Device device);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  // Records the time at which the stream gets here; returns its index. Any thread may call.
  std::size_t mark(Stream stream);
  void add(TraceLane lane, TraceKind kind, const char* name, int number, std::size_t begin,
           std::size_t end);

  struct Span {
    TraceLane lane;
    TraceKind kind;
    const char* name;  // a literal
    int number;        // micro-batch, layer or bucket; −1: none
    double begin, end;
  };
  // All spans so far in the order in which they ended. Waits for the device to reach them.
  std::vector<Span> spans() const;

 private:
  struct Entry {
    TraceLane lane;
    TraceKind kind;
    const char* name;
    int number;
    std::size_t begin, end;
  };
  double seconds(std::size_t mark) const;

  Device device_;
  mutable std::mutex mutex_;
  double start_ = 0;
  std::vector<double> times_;    // of marks, on a CPU
  std::vector<void*> events_;    // of marks, on a GPU
  void* start_event_ = nullptr;  // reached at start_
  std::vector<Entry> entries_;
};

// Records its own lifetime as a span of the context's stream.
class TraceSpan {
 public:
  TraceSpan(const Context& context, TraceKind kind, const char* name, int number = -1)
      : context_(context), kind_(kind), name_(name), number_(number) {
    if (context.trace) begin_ = context.trace->mark(context.stream);
  }
  ~TraceSpan() {
    if (!context_.trace) return;
    context_.trace->add(context_.lane, kind_, name_, number_, begin_,
                        context_.trace->mark(context_.stream));
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  const Context& context_;
  TraceKind kind_;
  const char* name_;
  int number_;
  std::size_t begin_ = 0;
};

// The spans as Chrome's trace events, one JSON object a line, under the process number
// `rank` and the process name `name`. `offset` seconds are added to all times.
std::string chrome_events(const std::vector<Trace::Span>& spans, int rank, const std::string& name,
                          double offset);

}  // namespace fathom
