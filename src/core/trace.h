// Trace: what a rank does and when, for Chrome's and Perfetto's viewer and for sums.
// Whoever works with a Context whose `trace` is set marks stretches of its stream with
// TraceSpan; without one that costs a look at a pointer.
//
// Times are seconds of this machine's monotonic clock, on a GPU taken by the stream when
// it gets there, so that queueing ahead does not show.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/context.h"

namespace fathom {

enum class TraceKind : std::uint8_t {
  pipeline,  // a step's forwards and backwards together, with the waiting between
  forward,   // of one micro-batch through one part of the model
  backward,
  communication,  // a collective, with the waiting for the others in it
  join,           // for a collective of the communication lane: what of it is not hidden
  wait,           // for a message of another stage
  update,         // the optimizer
};

// Which of a rank's streams did it.
enum class TraceLane : std::uint8_t { compute, communication };

class Trace {
 public:
  explicit Trace(Device device);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  // A moment of the stream; any thread.
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
  // Everything so far, in the order of its ends; waits for a device to get there.
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

// From its construction to its end, in what its context's stream does.
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

// The spans as Chrome's trace events, one JSON object a line: process `rank` named
// `name`. `offset` seconds are added to the times.
std::string chrome_events(const std::vector<Trace::Span>& spans, int rank, const std::string& name,
                          double offset);

}  // namespace fathom
