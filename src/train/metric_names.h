// The names of a training run's figures in metrics.jsonl, TensorBoard and its page.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

namespace metric {
inline constexpr std::string_view loss = "loss";
inline constexpr std::string_view gradient_norm = "gradient_norm";
inline constexpr std::string_view learning_rate = "learning_rate";
inline constexpr std::string_view tokens = "tokens";  // seen so far
inline constexpr std::string_view tokens_per_second = "tokens_per_second";
inline constexpr std::string_view share_of_peak = "share_of_peak";  // of the measured GEMM peak
inline constexpr std::string_view step_seconds = "step_seconds";
inline constexpr std::string_view seconds = "seconds";  // of the run so far
// Of runs on conversations or pairs: learned tokens of a step, the share of computed tokens that
// only fill rows up, and passes over the data so far.
inline constexpr std::string_view targets = "targets";
inline constexpr std::string_view targets_per_second = "targets_per_second";
inline constexpr std::string_view padding_share = "padding_share";
inline constexpr std::string_view epoch = "epoch";
// Of runs with phases of the data: 1 from the start, and 1 more with each phase that has begun.
inline constexpr std::string_view data_phase = "data_phase";
inline constexpr std::string_view validation_loss = "validation_loss";
inline constexpr std::string_view bits_per_byte = "bits_per_byte";
// Of the repetition meter's answers; see infer/repetition.h.
inline constexpr std::string_view repetition = "repetition";
inline constexpr std::string_view answers_ended = "repetition/ended";
inline constexpr std::string_view answer_tokens = "repetition/tokens";
inline constexpr std::string_view repeated_ngrams = "repetition/seq_rep";  // _1, _2, _3, _4
// A benchmark's score, "eval/piqa/acc", and its standard error, "eval/piqa/acc_stderr".
inline constexpr std::string_view benchmark_prefix = "eval/";
inline constexpr std::string_view standard_error_suffix = "_stderr";
inline std::string of_benchmark(std::string_view task, std::string_view score) {
  return std::string(benchmark_prefix) + std::string(task) + "/" + std::string(score);
}
// A source's own: "bits_per_byte/wikipedia".
inline std::string of_source(std::string_view name, std::string_view source) {
  return std::string(name) + "/" + std::string(source);
}
}  // namespace metric

}  // namespace fathom
