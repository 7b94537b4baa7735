#include "train/run_trace.h"

#include <filesystem>
#include <fstream>
#include <numeric>

#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "train/trace_summary.h"

namespace fathom {
namespace {

// More ranks than that make a file that no viewer opens.
constexpr int most_merged = 64;

std::string whole_file(const std::string& events) {
  return "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" + events + "\n]}\n";
}

// The text that whole_file() has written.
std::string events_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = text.find('\n'), end = text.rfind("\n]}");
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    fail_runtime("{}: is no trace", path);
  }
  return text.substr(begin + 1, end - begin - 1);
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Every rank's runs, in the order of the ranks.
std::vector<std::vector<PipelineRun>> gather_runs(Communicator& group,
                                                  const std::vector<PipelineRun>& mine) {
  const std::vector<std::byte> bytes = group.gather(std::as_bytes(std::span(mine)));
  std::vector<std::vector<PipelineRun>> all(static_cast<std::size_t>(group.size()), mine);
  for (std::size_t r = 0; r < all.size(); ++r) {
    const auto from = bytes.begin() + std::ptrdiff_t(r * mine.size() * sizeof(PipelineRun));
    std::copy(from, from + std::ptrdiff_t(mine.size() * sizeof(PipelineRun)),
              std::as_writable_bytes(std::span(all[r])).begin());
  }
  return all;
}

}  // namespace

RunTrace::RunTrace(const TrainPlan& plan, const RankGroups& ranks, std::string directory)
    : plan_(plan), ranks_(ranks), directory_(std::move(directory)) {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) fail_input("{}: cannot create this directory: {}", directory_, error.message());
}

void RunTrace::before_step(Context& context) {
  if (steps_++ != skipped_steps) return;
  trace_ = std::make_unique<Trace>(context.device);
  context.trace = trace_.get();
}

void RunTrace::finish(Context& context) {
  if (!trace_) return;
  synchronize(context.device, context.stream);
  context.trace = nullptr;
  const std::vector<Trace::Span> spans = trace_->spans();
  const double offset = clock_offset(ranks_.world());
  write(spans, offset);
  report(spans, offset);
  trace_.reset();
}

std::string RunTrace::file_of(int rank) const {
  return fmt::format("{}/rank-{:05}.json", directory_, rank);
}

void RunTrace::write(const std::vector<Trace::Span>& spans, double offset) const {
  const std::string name = plan_.parallel.layout.name_of(rank());
  write_file_atomically(file_of(rank()), whole_file(chrome_events(spans, rank(), name, offset)));
  wait_for_disks(ranks_.world());
  if (rank() == 0 && plan_.parallel.layout.world() <= most_merged) merge_files();
  wait_for_disks(ranks_.world());
}

void RunTrace::merge_files() const {
  std::string events;
  for (int r = 0; r < plan_.parallel.layout.world(); ++r) {
    events += (r == 0 ? "" : ",\n") + events_in(file_of(r));
  }
  write_file_atomically(directory_ + "/trace.json", whole_file(events));
}

void RunTrace::report(const std::vector<Trace::Span>& spans, double offset) const {
  const TraceSums mine = sum_trace(spans, offset);
  Communicator& world = ranks_.world();
  const auto bubbles =
      gather_values(world, measured_bubble(gather_runs(ranks_.pipeline(), mine.runs)));
  const auto compute = gather_values(world, mine.compute / mine.seconds);
  const auto exposed = gather_values(world, mine.exposed / mine.seconds);
  const auto background = gather_values(world, mine.background);
  const auto uncovered = gather_values(world, mine.uncovered);
  if (rank() != 0) return;
  log::info("trace of {} steps in {}: compute {:.1f} %, exposed communication {:.1f} %",
            mine.runs.size(), directory_, 100 * mean_of(compute), 100 * mean_of(exposed));
  if (ranks_.alone()) return;
  std::string hidden;  // nothing to tell of where nothing ran beside the computing
  if (mean_of(background) > 0) {
    hidden = fmt::format("; of the communication beside the computing {:.1f} % hidden",
                         100 * (1 - mean_of(uncovered) / mean_of(background)));
  }
  log::info("pipeline bubble {:.1f} % (uniform stages: {:.1f} %){}", 100 * mean_of(bubbles),
            100 * ideal_bubble(plan_.parallel, plan_.micro_batches), hidden);
}

}  // namespace fathom
