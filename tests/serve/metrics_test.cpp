#include "serve/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace fathom::serve {
namespace {

using testing::HasSubstr;

TEST(Metrics, AreInPrometheusFormat) {
  Metrics metrics("a\"b\\c");
  metrics.set_gauges({3, 2, 1, 0.25, 40, 16});
  metrics.count_tokens(10, 0);
  metrics.count_tokens(0, 4);
  metrics.first_token(0.03);
  metrics.first_token(5000);
  metrics.finished("stop", {10, 4, 2, 0.25, 0.75, 1});
  metrics.finished("abort", {});
  metrics.count_response(200);
  const std::string text = metrics.text();
  const std::string label = R"(model_name="a\"b\\c")";
  for (const std::string& line :
       {"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{" + label + "} 3\n",
        "vllm:num_requests_waiting{" + label + "} 2\n",
        "vllm:kv_cache_usage_perc{" + label + "} 0.25\n",
        "vllm:num_preemptions_total{" + label + "} 1\n",
        "vllm:prompt_tokens_total{" + label + "} 10\n",
        "vllm:generation_tokens_total{" + label + "} 4\n",
        "vllm:request_success_total{" + label + ",finished_reason=\"stop\"} 1\n",
        "vllm:request_success_total{" + label + ",finished_reason=\"abort\"} 1\n",
        "vllm:time_to_first_token_seconds_bucket{" + label + ",le=\"0.02\"} 0\n",
        "vllm:time_to_first_token_seconds_bucket{" + label + ",le=\"0.04\"} 1\n",
        "vllm:time_to_first_token_seconds_bucket{" + label + ",le=\"2560\"} 1\n",
        "vllm:time_to_first_token_seconds_bucket{" + label + ",le=\"+Inf\"} 2\n",
        "vllm:time_to_first_token_seconds_count{" + label + "} 2\n",
        "vllm:prefix_cache_queries_total{" + label + "} 40\n",
        "vllm:prefix_cache_hits_total{" + label + "} 16\n",
        "vllm:request_queue_time_seconds_sum{" + label + "} 0.25\n",
        "vllm:request_prefill_time_seconds_sum{" + label + "} 0.75\n",
        "vllm:request_decode_time_seconds_sum{" + label + "} 1\n",
        "vllm:e2e_request_latency_seconds_sum{" + label + "} 2\n",
        "vllm:e2e_request_latency_seconds_count{" + label + "} 1\n",
        std::string("fathom:http_responses_total{status=\"200\"} 1\n")}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

// The `le` of a histogram's buckets.
std::vector<std::string> bounds_of(const std::string& text, const std::string& name) {
  std::vector<std::string> bounds;
  const std::string begin = "\n" + name + "_bucket{model_name=\"m\",le=\"";
  for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
    at += begin.size();
    bounds.push_back(text.substr(at, text.find('"', at) - at));
  }
  return bounds;
}

// vLLM's, for its dashboards.
TEST(Metrics, HaveTheBucketsOfVllm) {
  const std::string text = Metrics("m").text();
  const std::vector<std::string> first{
      "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5",  "0.75", "1",
      "2.5",   "5",     "7.5",  "10",   "20",   "40",   "80",   "160", "640",  "2560", "+Inf"};
  const std::vector<std::string> between{"0.01", "0.025", "0.05", "0.075", "0.1", "0.15", "0.2",
                                         "0.3",  "0.4",   "0.5",  "0.75",  "1",   "2.5",  "5",
                                         "7.5",  "10",    "20",   "40",    "80",  "+Inf"};
  const std::vector<std::string> request{"0.3", "0.5", "0.8", "1",    "1.5",  "2",   "2.5", "5",
                                         "10",  "15",  "20",  "30",   "40",   "50",  "60",  "120",
                                         "240", "480", "960", "1920", "7680", "+Inf"};
  const std::vector<std::string> tokens{"1",     "2",     "5",     "10",     "20",     "50",
                                        "100",   "200",   "500",   "1000",   "2000",   "5000",
                                        "10000", "20000", "50000", "100000", "200000", "+Inf"};
  for (const auto& [name, bounds] : {std::pair("time_to_first_token_seconds", first),
                                     {"inter_token_latency_seconds", between},
                                     {"e2e_request_latency_seconds", request},
                                     {"request_queue_time_seconds", request},
                                     {"request_prefill_time_seconds", request},
                                     {"request_decode_time_seconds", request},
                                     {"request_prompt_tokens", tokens},
                                     {"request_generation_tokens", tokens}}) {
    EXPECT_EQ(bounds_of(text, std::string("vllm:") + name), bounds) << name;
  }
}

// Each figure in its own line, and of an aborted sequence none but that it was.
TEST(Metrics, KeepTheirFiguresApart) {
  Metrics metrics("m");
  metrics.finished("length", {3, 5, 7, 11, 13, 17});
  metrics.finished("length", {100, 100, 100, 100, 100, 100});
  metrics.finished("abort", {1000, 1000, 1000, 1000, 1000, 1000});
  metrics.next_token(0.25);
  metrics.next_token(0.5);
  metrics.count_response(404);
  metrics.count_response(200);
  metrics.count_response(404);
  metrics.count_dropped_answer();
  metrics.set_unsent_bytes(77);
  const std::string text = metrics.text();
  for (const auto& [name, sum] : {std::pair("request_prompt_tokens", 103),
                                  {"request_generation_tokens", 105},
                                  {"e2e_request_latency_seconds", 107},
                                  {"request_queue_time_seconds", 111},
                                  {"request_prefill_time_seconds", 113},
                                  {"request_decode_time_seconds", 117}}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("\nvllm:{0}_sum{{model_name=\"m\"}} {1}\n"
                                            "vllm:{0}_count{{model_name=\"m\"}} 2\n",
                                            name, sum)));
  }
  for (const char* line :
       {"vllm:inter_token_latency_seconds_sum{model_name=\"m\"} 0.75\n",
        "vllm:inter_token_latency_seconds_count{model_name=\"m\"} 2\n",
        "vllm:time_to_first_token_seconds_count{model_name=\"m\"} 0\n",
        "vllm:request_success_total{model_name=\"m\",finished_reason=\"abort\"} 1\n"
        "vllm:request_success_total{model_name=\"m\",finished_reason=\"length\"} 2\n"
        "vllm:request_success_total{model_name=\"m\",finished_reason=\"stop\"} 0\n",
        "fathom:http_responses_total{status=\"200\"} 1\n"
        "fathom:http_responses_total{status=\"404\"} 2\n",
        "fathom:unsent_bytes 77\n", "fathom:answers_dropped_total 1\n"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line));
  }
}

TEST(Metrics, EscapeTheModelsName) {
  EXPECT_THAT(Metrics("a\nb\\\"").text(), HasSubstr(R"({model_name="a\nb\\\""})"));
}

TEST(Histogram, BoundsBelongToTheirBucket) {
  const double bounds[] = {1, 2};
  Histogram histogram(bounds);
  for (const double value : {0.5, 1.0, 1.5, 2.0, 2.5}) histogram.observe(value);
  std::string out;
  histogram.write(out, "h", "a=\"b\"");
  EXPECT_EQ(out,
            "h_bucket{a=\"b\",le=\"1\"} 2\nh_bucket{a=\"b\",le=\"2\"} 4\n"
            "h_bucket{a=\"b\",le=\"+Inf\"} 5\nh_sum{a=\"b\"} 7.5\nh_count{a=\"b\"} 5\n");
}

}  // namespace
}  // namespace fathom::serve
