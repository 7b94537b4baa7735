// What /metrics tells: counters, gauges and histograms in Prometheus' text format, under the names
// that vLLM's dashboards use where the meaning is the same. A sequence counts as a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::serve {

class Histogram {
 public:
  explicit Histogram(std::span<const double> upper_bounds);
  void observe(double value);
  // The lines of a histogram called `name`; `labels` as in the braces, without them.
  void write(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  // by bound; the last: above all
  double sum_ = 0;
};

// The engine's state after a step.
struct EngineGauges {
  std::int64_t running = 0, waiting = 0, preemptions = 0;
  double cache_usage = 0;  // share of the KV cache's pages
  std::int64_t prefix_queries = 0, prefix_hits = 0;  // tokens, since the start
};

// What is known of a sequence when it ends.
struct SequenceFigures {
  std::int64_t prompt_tokens = 0, generated_tokens = 0;
  double seconds = 0;  // since it arrived
  // Until it first ran, from then to its first token, and since then.
  double queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
};

// All members may be called from any thread.
class Metrics {
 public:
  explicit Metrics(const std::string& model_name);

  void set_gauges(const EngineGauges& gauges);
  void count_tokens(std::int64_t prompt, std::int64_t generated);
  void first_token(double seconds_since_arrival);
  void next_token(double seconds_since_last);
  // `reason`: "stop", "length" or "abort".
  void finished(std::string_view reason, const SequenceFigures& figures);
  void count_response(int status);
  // Bytes of answers that clients have not taken yet.
  void set_unsent_bytes(std::size_t bytes);
  // An answer that was dropped because they were too many.
  void count_dropped_answer();

  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::string labels_;
  EngineGauges gauges_;
  std::int64_t prompt_tokens_ = 0, generated_tokens_ = 0;
  std::map<std::string, std::int64_t, std::less<>> finished_;
  std::map<int, std::int64_t> responses_;
  std::size_t unsent_bytes_ = 0;
  std::int64_t dropped_answers_ = 0;
  Histogram first_token_, between_tokens_, whole_, queue_, prefill_, decode_, prompt_length_, generated_length_;
};

}  // namespace fathom::serve
