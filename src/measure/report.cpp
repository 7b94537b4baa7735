#include "measure/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/enum_names.h"
#include "core/parallel.h"
#include "core/progress.h"

namespace fathom::measure {
namespace {

using Json = nlohmann::ordered_json;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double step_seconds(const BenchResult& r) {
  return median(r.times.steps);
}

// The cost of preference training beside two forwards and one backward.
struct PreferenceCost {
  double forward = 0, unpaired = 0;  // seconds
  double share = 0;                  // of two forwards and one backward in forward and step
};
PreferenceCost preference_cost(const BenchResult& r) {
  const double forward = median(r.times.forwards), unpaired = median(r.times.unpaired);
  return {forward, unpaired, (forward + unpaired) / (forward + step_seconds(r))};
}

double step_flops(const BenchResult& r) {
  double flops = 0;
  for (const auto& row : packed_texts(r.shape)) {
    for (const std::int64_t length : row) {
      flops += train_flops_per_token(r.shape.model, length) * static_cast<double>(length);
    }
  }
  return flops;
}

// " (4021 without padding)"; nothing where there is none.
std::string without_padding(const BenchResult& r) {
  const std::int64_t tokens = text_tokens(r.shape);
  if (tokens == r.shape.tokens()) return "";
  return fmt::format(" ({:.0f} without padding)", static_cast<double>(tokens) / step_seconds(r));
}

double operations_seconds(const BenchResult& r) {
  double sum = 0;
  for (const OperationRow& row : r.times.operations) sum += row.total();
  return sum;
}

// Sorted by total time, longest first.
std::vector<OperationRow> by_time(std::vector<OperationRow> rows) {
  std::ranges::stable_sort(rows, std::greater(), &OperationRow::total);
  return rows;
}

double ceiling_seconds(const OperationRow& row, const BenchResult& r) {
  return row.bound == Bound::products ? row.ceiling_seconds : row.bytes / r.ceilings.copy;
}

Json to_json(const OperationRow& row, const BenchResult& r) {
  const double ceiling = ceiling_seconds(row, r);
  return {{"operation", row.name},
          {"shape", row.shape},
          {"calls", row.count},
          {"seconds_per_call", row.seconds},
          {"seconds", row.total()},
          {"bytes", row.bytes},
          {"flops", row.flops},
          {"flops_per_second", row.flops / row.seconds},
          {"bytes_per_second", row.bytes / row.seconds},
          {"bound", row.bound == Bound::products ? "products" : "memory"},
          {"share_of_ceiling", ceiling / row.seconds},
          {"share_of_step", row.total() / step_seconds(r)},
          {"seconds_above_ceiling", row.total() - ceiling * static_cast<double>(row.count)}};
}

// "1.23 TFLOP/s", "4.2 GB/s"
std::string rate(double value, const char* unit) {
  if (value >= 1e12) return fmt::format("{:.2f} T{}/s", value / 1e12, unit);
  return fmt::format("{:.1f} G{}/s", value / 1e9, unit);
}

// "bf16", or "bf16, products in fp8"
std::string precision_of(const StepShape& s) {
  const std::string dtype(name_of(s.dtype));
  return s.products == Products::dtype
             ? dtype
             : fmt::format("{}, products in {}", dtype, enum_name(s.products));
}

std::string head_text(const BenchResult& r) {
  const StepShape& s = r.shape;
  std::string text = fmt::format(
      "{}: {:.1f}M parameters, {}, {} tokens a step in {} micro-batches of {} x {}, "
      "recompute {}, {} threads\n",
      device_name(s.device), static_cast<double>(count_parameters(s.model)) / 1e6, precision_of(s),
      s.tokens(), s.micro_batches(), s.micro_batch, s.sequence_length, enum_name(s.recompute),
      num_threads());
  const double step = step_seconds(r), flops = step_flops(r) / step;
  text +=
      fmt::format("step {:.4f} s, {:.0f} tokens/s{}, {}", step,
                  static_cast<double>(s.tokens()) / step, without_padding(r), rate(flops, "FLOP"));
  if (r.peak > 0) {
    text += fmt::format(", {:.1f} % of {}", 100 * flops / r.peak, rate(r.peak, "FLOP"));
  }
  text += fmt::format(" (median of {}, after {} of steps to warm up)\n", r.effort.steps,
                      human_seconds(r.effort.heat_seconds));
  if (r.shape.pairs) {
    const PreferenceCost cost = preference_cost(r);
    text += fmt::format(
        "step without pairs {:.4f} s, reference's forward {:.4f} s: with it preference training "
        "has {:.1f} % of the speed of two forwards and one backward\n",
        cost.unpaired, cost.forward, 100 * cost.share);
  }
  text += fmt::format(
      "square product f32 {}, bf16 {}; copy {} read and written; step at {:.1f} % of that "
      "product\n",
      rate(r.ceilings.gemm_f32, "FLOP"), rate(r.ceilings.gemm_bf16, "FLOP"),
      rate(r.ceilings.copy, "B"), flops / r.ceilings.gemm(s.dtype) * 100);
  return text;
}

std::string row_text(const OperationRow& row, const BenchResult& r) {
  const double step = step_seconds(r), ceiling = ceiling_seconds(row, r);
  const bool products = row.bound == Bound::products;
  return fmt::format(
      "{:<24}{:<24}{:>7}{:>11.1f}{:>10.2f}{:>8.1f}{:>18}{:>11.1f}{:>10.2f}\n", row.name, row.shape,
      row.count, row.seconds * 1e6, row.total() * 1e3, row.total() / step * 100,
      products ? rate(row.flops / row.seconds, "FLOP") : rate(row.bytes / row.seconds, "B"),
      ceiling / row.seconds * 100, (row.seconds - ceiling) * static_cast<double>(row.count) * 1e3);
}

std::string table_text(const BenchResult& r) {
  const double step = step_seconds(r), sum = operations_seconds(r);
  std::string text =
      fmt::format("\n{:<24}{:<24}{:>7}{:>11}{:>10}{:>8}{:>18}{:>11}{:>10}\n", "operation", "shape",
                  "calls", "us a call", "ms", "% step", "rate", "% ceiling", "ms above");
  for (const OperationRow& row : by_time(r.times.operations)) text += row_text(row, r);
  const auto line = [&](const char* what, double seconds) {
    text += fmt::format("{:<55}{:>21.2f}{:>8.1f}\n", what, seconds * 1e3, seconds / step * 100);
  };
  line("sum", sum);
  line("between operations", r.times.gaps);
  line("whole step, operations timed", median(r.times.traced));
  line("whole step", step);
  text += fmt::format("the sum differs from the step by {:+.2f} %\n", (sum / step - 1) * 100);
  text +=
      "Ceilings: for products and attention the same call alone, again and again, by the\n"
      "fastest algorithm of the library's; for the rest the copy.\n";
  return text;
}

}  // namespace

Json to_json(const BenchResult& r) {
  const StepShape& s = r.shape;
  const double step = step_seconds(r), flops = step_flops(r);
  Json json;
  json["device"] = device_name(s.device);
  json["threads"] = num_threads();
  json["dtype"] = name_of(s.dtype);
  json["precision"] = enum_name(s.products);
  json["model"] = {{"num_layers", s.model.num_layers},
                   {"hidden_size", s.model.hidden_size},
                   {"num_heads", s.model.num_heads},
                   {"num_kv_heads", s.model.num_kv_heads},
                   {"intermediate_size", s.model.intermediate_size},
                   {"vocab_size", s.model.vocab_size}};
  json["sequences"] = s.sequences;
  json["sequence_length"] = s.sequence_length;
  json["micro_batch"] = s.micro_batch;
  json["recompute"] = enum_name(s.recompute);
  json["parameters"] = count_parameters(s.model);
  json["tokens"] = s.tokens();
  json["text_tokens"] = text_tokens(s);
  json["heat_seconds"] = r.effort.heat_seconds;
  json["step"] = {{"seconds", step},
                  {"tokens_per_second", static_cast<double>(s.tokens()) / step},
                  {"text_tokens_per_second", static_cast<double>(text_tokens(s)) / step},
                  {"flops", flops},
                  {"flops_per_second", flops / step},
                  {"share_of_gemm_peak", flops / step / r.ceilings.gemm(s.dtype)}};
  if (r.peak > 0) json["step"]["mfu"] = flops / step / r.peak;
  if (s.pairs) {
    const PreferenceCost cost = preference_cost(r);
    json["preference"] = {{"forward_seconds", cost.forward},
                          {"unpaired_step_seconds", cost.unpaired},
                          {"text_tokens_per_second", static_cast<double>(text_tokens(s)) /
                                                         (cost.forward + step)},
                          {"share_of_two_forwards_and_backward", cost.share}};
  }
  json["ceilings"] = {{"gemm_f32_flops_per_second", r.ceilings.gemm_f32},
                      {"gemm_bf16_flops_per_second", r.ceilings.gemm_bf16},
                      {"copy_bytes_per_second", r.ceilings.copy}};
  if (r.times.operations.empty()) return json;
  json["operations"] = Json::array();
  for (const OperationRow& row : by_time(r.times.operations)) {
    json["operations"].push_back(to_json(row, r));
  }
  json["sum_of_operations_seconds"] = operations_seconds(r);
  json["between_operations_seconds"] = r.times.gaps;
  json["traced_step_seconds"] = median(r.times.traced);
  return json;
}

std::string to_text(const BenchResult& r) {
  return r.times.operations.empty() ? head_text(r) : head_text(r) + table_text(r);
}

}  // namespace fathom::measure
