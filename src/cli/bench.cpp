// fathom bench cpu: this processor's ceilings, and where a training step's time
// goes against them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/bench_measure.h"
#include "cli/commands.h"
#include "core/config.h"
#include "core/error.h"
#include "core/parallel.h"
#include "train/plan.h"

namespace fathom::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model_file, dtype = "auto";
  std::int64_t sequences = 8, sequence_length = 512;
  int threads = 0, steps = 5;
  bool json = false, brief = false;
};

// 25 million parameters.
ModelConfig default_model() {
  ModelConfig config;
  config.num_layers = 6;
  config.hidden_size = 512;
  config.num_heads = 8;
  config.vocab_size = 5632;
  return config;
}

StepShape shape_of(const Arguments& a) {
  StepShape shape;
  shape.model = default_model();
  if (!a.model_file.empty()) {
    const auto table = ConfigTable::load(a.model_file).table("model");
    if (!table) fail_input("{}: there is no [model] table", a.model_file);
    read_config(*table, shape.model);
  }
  if (a.sequences < 1 || a.sequence_length < 1 || a.steps < 1) {
    fail_input("--sequences, --length and --steps must be at least 1");
  }
  if (a.dtype != "auto" && a.dtype != "f32" && a.dtype != "bf16") {
    fail_input("--dtype is {}: use auto, f32 or bf16", a.dtype);
  }
  shape.model.max_position = std::max(shape.model.max_position, a.sequence_length);
  shape.model = resolve(shape.model);
  const bool bf16 = a.dtype == "auto" ? computes_bf16(cpu_device) : a.dtype == "bf16";
  shape.dtype = bf16 ? DType::bf16 : DType::f32;
  shape.sequences = a.sequences;
  shape.sequence_length = a.sequence_length;
  return shape;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Json to_json(const OperationRow& row, const Ceilings& ceilings, DType dtype) {
  const double rate = (row.flops > 0 ? row.flops : row.bytes) / row.seconds;
  const double ceiling = row.flops > 0 ? ceilings.gemm(dtype) : ceilings.copy;
  return {{"operation", row.name},
          {"calls", row.count},
          {"seconds", row.total()},
          {"flops_per_second", row.flops / row.seconds},
          {"bytes_per_second", row.bytes / row.seconds},
          {"share_of_ceiling", rate / ceiling}};
}

Json measure(const Arguments& arguments) {
  const StepShape shape = shape_of(arguments);
  Context context(cpu_device);
  Json json;
  json["threads"] = num_threads();
  json["dtype"] = shape.dtype == DType::bf16 ? "bf16" : "f32";
  json["model"] = {{"num_layers", shape.model.num_layers},
                   {"hidden_size", shape.model.hidden_size},
                   {"num_heads", shape.model.num_heads},
                   {"intermediate_size", shape.model.intermediate_size},
                   {"vocab_size", shape.model.vocab_size}};
  json["sequences"] = shape.sequences;
  json["sequence_length"] = shape.sequence_length;
  json["parameters"] = count_parameters(shape.model);
  json["tokens"] = shape.tokens();
  std::vector<double> steps = measure_steps(cpu_device, shape, arguments.steps + 1);
  steps.erase(steps.begin());  // warms up
  const double step = median(steps);
  const double flops = train_flops_per_token(shape.model, shape.sequence_length) *
                       static_cast<double>(shape.tokens());
  json["step"] = {{"seconds", step},
                  {"tokens_per_second", static_cast<double>(shape.tokens()) / step},
                  {"flops_per_second", flops / step}};
  const Ceilings ceilings = measure_ceilings(context);
  json["ceilings"] = {{"gemm_f32_flops_per_second", ceilings.gemm_f32},
                      {"gemm_bf16_flops_per_second", ceilings.gemm_bf16},
                      {"copy_bytes_per_second", ceilings.copy}};
  json["step"]["share_of_gemm_peak"] = flops / step / ceilings.gemm(shape.dtype);
  if (arguments.brief) return json;
  double sum = 0;
  json["operations"] = Json::array();
  for (const OperationRow& row : measure_operations(context, shape)) {
    sum += row.total();
    json["operations"].push_back(to_json(row, ceilings, shape.dtype));
  }
  json["sum_of_operations_seconds"] = sum;
  return json;
}

void print_text(const Json& json) {
  const auto number = [](const Json& value) { return value.get<double>(); };
  const Json& step = json["step"];
  std::cout << fmt::format("{:.1f}M parameters, {} tokens a step, {}, {} threads\n",
                           number(json["parameters"]) / 1e6, json["tokens"].get<std::int64_t>(),
                           json["dtype"].get<std::string>(), json["threads"].get<int>());
  std::cout << fmt::format("step {:.3f} s, {:.0f} tokens/s, {:.1f} GFLOP/s\n",
                           number(step["seconds"]), number(step["tokens_per_second"]),
                           number(step["flops_per_second"]) / 1e9);
  const Json& ceilings = json["ceilings"];
  std::cout << fmt::format(
      "GEMM peak f32 {:.1f}, bf16 {:.1f} GFLOP/s; copy {:.1f} GB/s; step at {:.1f} % of the peak\n",
      number(ceilings["gemm_f32_flops_per_second"]) / 1e9,
      number(ceilings["gemm_bf16_flops_per_second"]) / 1e9,
      number(ceilings["copy_bytes_per_second"]) / 1e9, number(step["share_of_gemm_peak"]) * 100);
  if (!json.contains("operations")) return;
  std::cout << fmt::format("\n{:<24}{:>6}{:>10}{:>8}{:>10}{:>8}{:>11}\n", "operation", "calls",
                           "ms", "% step", "GFLOP/s", "GB/s", "% ceiling");
  for (const Json& row : json["operations"]) {
    std::cout << fmt::format(
        "{:<24}{:>6}{:>10.2f}{:>8.1f}{:>10.1f}{:>8.1f}{:>11.1f}\n",
        row["operation"].get<std::string>(), row["calls"].get<std::int64_t>(),
        number(row["seconds"]) * 1e3, number(row["seconds"]) / number(step["seconds"]) * 100,
        number(row["flops_per_second"]) / 1e9, number(row["bytes_per_second"]) / 1e9,
        number(row["share_of_ceiling"]) * 100);
  }
  const double sum = number(json["sum_of_operations_seconds"]);
  std::cout << fmt::format("{:<24}{:>6}{:>10.2f}{:>8.1f}\n", "sum", "", sum * 1e3,
                           sum / number(step["seconds"]) * 100);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* bench = app.add_subcommand("bench", "Measure this machine");
  bench->require_subcommand(1);
  bench->footer("Example: fathom bench cpu");
  CLI::App* c = bench->add_subcommand("cpu", "Ceilings, operations and a training step");
  c->add_option("--model", a.model_file, "TOML file with a [model] table; else 25M parameters");
  c->add_option("--sequences", a.sequences, "sequences a step")->capture_default_str();
  c->add_option("--length", a.sequence_length, "tokens a sequence")->capture_default_str();
  c->add_option("--dtype", a.dtype,
                "auto, f32 or bf16; auto: bf16 where the processor multiplies it")
      ->capture_default_str();
  c->add_option("--steps", a.steps, "steps to take the median of")->capture_default_str();
  c->add_option("--threads", a.threads, "CPU threads; 0: all cores")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_flag("--brief", a.brief, "the whole step and the ceilings alone");
  c->add_flag("--json", a.json, "as one JSON object");
  c->footer("Example: fathom bench cpu --dtype f32 --threads 2");
  c->callback([arguments] {
    if (arguments->threads > 0) set_num_threads(arguments->threads);
    const Json json = measure(*arguments);
    if (arguments->json) {
      std::cout << json.dump(2) << '\n';
    } else {
      print_text(json);
    }
  });
}

}  // namespace fathom::cli
