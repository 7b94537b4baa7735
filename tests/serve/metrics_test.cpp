#include "serve/metrics.h"

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
