#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom::serve {
namespace {

// vLLM's bounds, so that its dashboards' quantiles work.
constexpr double first_token_bounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                         0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10,
                                         20,    40,    80,   160,  640,  2560};
constexpr double between_bounds[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                     0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
constexpr double request_bounds[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                     30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
constexpr double token_bounds[] = {1,    2,    5,    10,    20,    50,    100,    200,   500,
                                   1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000};

// A label's value: Prometheus escapes backslash, quote and line feed.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? "\\n" : std::string(1, c);
  }
  return out;
}

void write_head(std::string& out, std::string_view name, std::string_view type,
                std::string_view help) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

}  // namespace

Histogram::Histogram(std::span<const double> upper_bounds)
    : bounds_(upper_bounds.begin(), upper_bounds.end()), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) {
  const auto at = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(at)];
  sum_ += value;
}

void Histogram::write(std::string& out, std::string_view name, std::string_view labels) const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    count += counts_[i];
    out += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bounds_[i], count);
  }
  count += counts_.back();
  out += fmt::format("{}_bucket{{{},le=\"+Inf\"}} {}\n", name, labels, count);
  out += fmt::format("{0}_sum{{{1}}} {2}\n{0}_count{{{1}}} {3}\n", name, labels, sum_, count);
}

Metrics::Metrics(const std::string& model_name)
    : labels_(fmt::format("model_name=\"{}\"", escaped(model_name))),
      finished_{{"abort", 0}, {"length", 0}, {"stop", 0}},
      first_token_(first_token_bounds),
      between_tokens_(between_bounds),
      whole_(request_bounds),
      queue_(request_bounds),
      prefill_(request_bounds),
      decode_(request_bounds),
      prompt_length_(token_bounds),
      generated_length_(token_bounds) {}

void Metrics::set_gauges(const EngineGauges& gauges) {
  const std::lock_guard lock(mutex_);
  gauges_ = gauges;
}

void Metrics::count_tokens(std::int64_t prompt, std::int64_t generated) {
  const std::lock_guard lock(mutex_);
  prompt_tokens_ += prompt;
  generated_tokens_ += generated;
}

void Metrics::first_token(double seconds_since_arrival) {
  const std::lock_guard lock(mutex_);
  first_token_.observe(seconds_since_arrival);
}

void Metrics::next_token(double seconds_since_last) {
  const std::lock_guard lock(mutex_);
  between_tokens_.observe(seconds_since_last);
}

void Metrics::finished(std::string_view reason, const SequenceFigures& figures) {
  const std::lock_guard lock(mutex_);
  ++finished_[std::string(reason)];
  if (reason == "abort") return;
  whole_.observe(figures.seconds);
  queue_.observe(figures.queue_seconds);
  prefill_.observe(figures.prefill_seconds);
  decode_.observe(figures.decode_seconds);
  prompt_length_.observe(static_cast<double>(figures.prompt_tokens));
  generated_length_.observe(static_cast<double>(figures.generated_tokens));
}

void Metrics::count_response(int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[status];
}

void Metrics::set_unsent_bytes(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  unsent_bytes_ = bytes;
}

void Metrics::count_dropped_answer() {
  const std::lock_guard lock(mutex_);
  ++dropped_answers_;
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  const auto single = [&](std::string_view name, std::string_view type, std::string_view help,
                          auto value) {
    write_head(out, name, type, help);
    out += fmt::format("{}{{{}}} {}\n", name, labels_, value);
  };
  single("vllm:num_requests_running", "gauge", "Sequences that the engine runs.", gauges_.running);
  single("vllm:num_requests_waiting", "gauge", "Sequences that wait for the engine.",
         gauges_.waiting);
  single("vllm:kv_cache_usage_perc", "gauge", "Share of the KV cache in use; 1 is all.",
         gauges_.cache_usage);
  single("vllm:num_preemptions_total", "counter", "Sequences that gave their cache to others.",
         gauges_.preemptions);
  single("vllm:prefix_cache_queries_total", "counter",
         "Tokens of prompts that were looked up in the prefix cache.", gauges_.prefix_queries);
  single("vllm:prefix_cache_hits_total", "counter", "Those of them that were found.",
         gauges_.prefix_hits);
  single("vllm:prompt_tokens_total", "counter", "Tokens of prompts.", prompt_tokens_);
  single("vllm:generation_tokens_total", "counter", "Tokens generated.", generated_tokens_);
  write_head(out, "vllm:request_success_total", "counter", "Sequences that ended.");
  for (const auto& [reason, count] : finished_) {
    out += fmt::format("vllm:request_success_total{{{},finished_reason=\"{}\"}} {}\n", labels_,
                       reason, count);
  }
  write_head(out, "fathom:http_responses_total", "counter", "HTTP responses.");
  for (const auto& [status, count] : responses_) {
    out += fmt::format("fathom:http_responses_total{{status=\"{}\"}} {}\n", status, count);
  }
  write_head(out, "fathom:unsent_bytes", "gauge", "Bytes of answers that clients have not taken.");
  out += fmt::format("fathom:unsent_bytes {}\n", unsent_bytes_);
  write_head(out, "fathom:answers_dropped_total", "counter",
             "Answers dropped because clients had not taken too many bytes of all.");
  out += fmt::format("fathom:answers_dropped_total {}\n", dropped_answers_);
  const auto histogram = [&](std::string_view name, std::string_view help, const Histogram& h) {
    write_head(out, name, "histogram", help);
    h.write(out, name, labels_);
  };
  histogram("vllm:time_to_first_token_seconds", "From a sequence's arrival to its first token.",
            first_token_);
  histogram("vllm:inter_token_latency_seconds", "Between two tokens of a sequence.",
            between_tokens_);
  histogram("vllm:e2e_request_latency_seconds", "From a sequence's arrival to its end.", whole_);
  histogram("vllm:request_queue_time_seconds", "From a sequence's arrival until it first runs.",
            queue_);
  histogram("vllm:request_prefill_time_seconds", "From then to a sequence's first token.",
            prefill_);
  histogram("vllm:request_decode_time_seconds", "From a sequence's first token to its end.",
            decode_);
  histogram("vllm:request_prompt_tokens", "Tokens of a prompt.", prompt_length_);
  histogram("vllm:request_generation_tokens", "Tokens generated for a sequence.",
            generated_length_);
  return out;
}

}  // namespace fathom::serve
