#include "train/trace_summary.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "core/error.h"

namespace fathom {
namespace {

bool is_work(TraceKind kind) {
  return kind == TraceKind::forward || kind == TraceKind::backward || kind == TraceKind::update;
}

bool stands_still(const Trace::Span& span) {
  return span.lane == TraceLane::compute &&
         (span.kind == TraceKind::communication || span.kind == TraceKind::join);
}

// The spans of one lane that hold others, by their beginning.
std::vector<Trace::Span> outer_spans(const std::vector<Trace::Span>& spans,
                                     const std::function<bool(const Trace::Span&)>& wanted) {
  std::vector<Trace::Span> outer;
  std::ranges::copy_if(spans, std::back_inserter(outer), wanted);
  std::ranges::sort(outer, {}, &Trace::Span::begin);
  return outer;
}

// The index of the span that holds `inner`; −1: none does.
std::ptrdiff_t holder_of(const std::vector<Trace::Span>& outer, const Trace::Span& inner) {
  const auto after = std::ranges::upper_bound(outer, inner.begin, {}, &Trace::Span::begin);
  if (after == outer.begin()) return -1;
  const auto holder = std::prev(after);
  return inner.end <= holder->end ? holder - outer.begin() : -1;
}

// When any of the spans, which are in the order of their beginnings, is under way.
std::vector<Trace::Span> merged(const std::vector<Trace::Span>& spans) {
  std::vector<Trace::Span> runs;
  for (const Trace::Span& span : spans) {
    if (!runs.empty() && span.begin <= runs.back().end) {
      runs.back().end = std::max(runs.back().end, span.end);
    } else {
      runs.push_back(span);
    }
  }
  return runs;
}

// Seconds in which both a span of `waits` and one of `runs` are under way; each list's do not
// overlap each other.
double common_seconds(const std::vector<Trace::Span>& waits, const std::vector<Trace::Span>& runs) {
  double seconds = 0;
  auto run = runs.begin();
  for (const Trace::Span& wait : waits) {
    while (run != runs.end() && run->end <= wait.begin) ++run;
    for (auto r = run; r != runs.end() && r->begin < wait.end; ++r) {
      seconds += std::min(wait.end, r->end) - std::max(wait.begin, r->begin);
    }
  }
  return seconds;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

TraceSums sum_trace(const std::vector<Trace::Span>& spans, double offset) {
  TraceSums sums;
  if (spans.empty()) return sums;
  sums.seconds = std::ranges::max(spans, {}, &Trace::Span::end).end -
                 std::ranges::min(spans, {}, &Trace::Span::begin).begin;
  const auto work = outer_spans(spans, [](const Trace::Span& s) { return is_work(s.kind); });
  const auto steps =
      outer_spans(spans, [](const Trace::Span& s) { return s.kind == TraceKind::pipeline; });
  for (const Trace::Span& s : steps) sums.runs.push_back({s.begin + offset, s.end + offset, 0});
  for (const Trace::Span& s : spans) {
    const double length = s.end - s.begin;
    if (is_work(s.kind)) {
      sums.compute += length;
      const std::ptrdiff_t step = holder_of(steps, s);
      if (step >= 0) sums.runs[static_cast<std::size_t>(step)].busy += length;
    }
    if (!stands_still(s)) continue;
    sums.exposed += length;
    if (s.kind == TraceKind::join) sums.joined += length;
    if (holder_of(work, s) >= 0) sums.compute -= length;
  }
  const auto waits =
      outer_spans(spans, [](const Trace::Span& s) { return s.kind == TraceKind::join; });
  // Of several queues, which run beside each other too.
  const auto beside = merged(
      outer_spans(spans, [](const Trace::Span& s) { return s.lane == TraceLane::communication; }));
  for (const Trace::Span& s : beside) sums.background += s.end - s.begin;
  sums.uncovered = common_seconds(waits, beside);
  return sums;
}

double measured_bubble(const std::vector<std::vector<PipelineRun>>& runs) {
  double idle = 0;
  std::size_t count = 0;
  for (std::size_t step = 0; step < runs.front().size(); ++step) {
    double begin = runs.front()[step].begin, end = runs.front()[step].end, busy = 0;
    for (const std::vector<PipelineRun>& stage : runs) {
      require(stage.size() == runs.front().size(), "stages traced {} and {} steps", stage.size(),
              runs.front().size());
      begin = std::min(begin, stage[step].begin);
      end = std::max(end, stage[step].end);
      busy += stage[step].busy;
    }
    idle += 1 - busy / static_cast<double>(runs.size()) / (end - begin);
    ++count;
  }
  return count == 0 ? 0 : idle / static_cast<double>(count);
}

double ideal_bubble(const ParallelPlan& plan, std::int64_t micro_batches) {
  const double fill = plan.layout.pp - 1;
  return fill / (static_cast<double>(plan.virtual_stages * micro_batches) + fill);
}

double clock_offset(Communicator& world) {
  Context host(cpu_device, 0);
  double best_trip = 1e9, offset = 0;
  const auto as_tensor = [](double& value) { return Tensor(&value, DType::u8, {sizeof value}); };
  constexpr int rounds = 8, tag = 0;
  for (int rank = 1; rank < world.size(); ++rank) {
    for (int round = 0; round < rounds; ++round) {
      double time = now();
      if (world.rank() == 0) {
        world.receive(host, as_tensor(time), rank, tag);
        time = now();
        world.send(host, as_tensor(time), rank, tag);
      } else if (world.rank() == rank) {
        const double sent = time;
        world.send(host, as_tensor(time), 0, tag);
        world.receive(host, as_tensor(time), 0, tag);
        const double back = now();
        if (back - sent >= best_trip) continue;
        best_trip = back - sent;
        offset = time - (sent + back) / 2;
      }
    }
  }
  return offset;
}

}  // namespace fathom
