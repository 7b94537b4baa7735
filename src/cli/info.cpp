// fathom info: shows what this build and this machine can do.
#include <dnnl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.h"
#include "core/device.h"
#include "core/error.h"
#include "core/gpu_report.h"
#include "core/parallel.h"
#include "core/proc.h"
#include "core/progress.h"
#include "ops/attention.h"
#include "text/parquet.h"
#include "train/plan.h"

namespace fathom::cli {
namespace {

using Json = nlohmann::ordered_json;

// The kernel's names of the instruction sets that Fathom chooses its code by.
std::vector<std::string> instruction_sets() {
  std::istringstream flags(proc_text("/proc/cpuinfo", "flags"));
  std::vector<std::string> present;
  for (std::string flag; flags >> flag;) present.push_back(flag);
  std::vector<std::string> known;
  for (const char* name : {"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
                           "amx_tile", "amx_bf16"}) {
    if (std::ranges::find(present, name) != present.end()) known.emplace_back(name);
  }
  return known;
}

std::string isa_name(dnnl_cpu_isa_t isa) {
  switch (isa) {
    case dnnl_cpu_isa_sse41:
      return "SSE4.1";
    case dnnl_cpu_isa_avx:
      return "AVX";
    case dnnl_cpu_isa_avx2:
      return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
      return "AVX2 with VNNI";
    case dnnl_cpu_isa_avx512_core:
      return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "AVX-512 with VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "AVX-512 with BF16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "AVX-512 with AMX";
    default:
      return "other";
  }
}

Json describe_cuda() {
  const CudaReport report = report_cuda();
  Json json = {{"devices", report.gpus.size()}, {"problem", report.problem}};
  json["driver"] = report.driver;
  json["runtime"] = report.runtime;
  json["gpus"] = json["libraries"] = Json::array();
  for (const GpuReport& gpu : report.gpus) {
    json["gpus"].push_back({{"name", gpu.name},
                            {"compute_capability", gpu.compute_capability},
                            {"total_bytes", gpu.total_bytes},
                            {"free_bytes", gpu.free_bytes},
                            {"problem", gpu.problem}});
  }
  for (const LibraryReport& library : report.libraries) {
    json["libraries"].push_back({{"name", library.name},
                                 {"version", library.version},
                                 {"path", library.path},
                                 {"problem", library.problem}});
  }
  if (!report.gpus.empty()) {
    json["attention"] = ops::attention_backend({DeviceType::cuda, 0});
  }
  return json;
}

Json describe() {
  const dnnl_version_t* onednn = dnnl_version();
  const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  Json json;
  json["version"] = FATHOM_VERSION;
  json["compiler"] = FATHOM_COMPILER;
  json["build_type"] = FATHOM_BUILD_TYPE;
  json["cpu"] = {{"model", proc_text("/proc/cpuinfo", "model name")},
                 {"threads", num_threads()},
                 {"instruction_sets", instruction_sets()}};
  json["memory"] = {{"total_bytes", proc_bytes("/proc/meminfo", "MemTotal")},
                    {"available_bytes", proc_bytes("/proc/meminfo", "MemAvailable")}};
  json["onednn"] = {
      {"version", fmt::format("{}.{}.{}", onednn->major, onednn->minor, onednn->patch)},
      {"code", isa_name(isa)},
      {"bf16_products", computes_bf16(cpu_device) ? "native" : "converted to f32"}};
  const ParquetSupport parquet = parquet_support();
  json["parquet"] = {{"arrow", parquet.arrow_version}, {"problem", parquet.problem}};
  json["cuda"] = describe_cuda();
  json["default_dtype"] =
      cuda::device_count() > 0 || computes_bf16(cpu_device) ? "bf16" : "f32";
  return json;
}

void line(const std::string& what, const std::string& value) {
  std::cout << fmt::format("{:<18} {}\n", what, value);
}

void print_cuda(const Json& json) {
  const auto text = [](const Json& value) { return value.get<std::string>(); };
  if (json["gpus"].empty()) line("GPUs", "none: " + text(json["problem"]));
  for (std::size_t i = 0; i < json["gpus"].size(); ++i) {
    const Json& gpu = json["gpus"][i];
    line(fmt::format("cuda:{}", i),
         fmt::format("{}, compute capability {}, {}, {} free{}", text(gpu["name"]),
                     text(gpu["compute_capability"]), human_bytes(gpu["total_bytes"].get<double>()),
                     human_bytes(gpu["free_bytes"].get<double>()),
                     text(gpu["problem"]).empty() ? "" : "; unusable: " + text(gpu["problem"])));
  }
  if (!text(json["driver"]).empty()) line("NVIDIA driver", text(json["driver"]));
  if (!text(json["runtime"]).empty()) line("CUDA runtime", text(json["runtime"]));
  for (const Json& library : json["libraries"]) {
    const std::string problem = text(library["problem"]);
    line(text(library["name"]),
         problem.empty() ? fmt::format("{} ({})", text(library["version"]), text(library["path"]))
                         : problem);
  }
  if (json.contains("attention")) line("GPU attention", text(json["attention"]));
}

void print_text(const Json& json) {
  const Json &cpu = json["cpu"], &memory = json["memory"], &onednn = json["onednn"];
  const Json& parquet = json["parquet"];
  line("fathom",
       fmt::format("{}, {}, {}", json["version"].get<std::string>(),
                   json["compiler"].get<std::string>(), json["build_type"].get<std::string>()));
  line("processor",
       fmt::format("{}, {} threads", cpu["model"].get<std::string>(), cpu["threads"].get<int>()));
  std::string sets;
  for (const auto& name : cpu["instruction_sets"]) {
    sets += (sets.empty() ? "" : " ") + name.get<std::string>();
  }
  line("instruction sets", sets);
  line("memory", fmt::format("{}, {} available", human_bytes(memory["total_bytes"].get<double>()),
                             human_bytes(memory["available_bytes"].get<double>())));
  line("oneDNN",
       fmt::format("{}, {}, bf16 products {}", onednn["version"].get<std::string>(),
                   onednn["code"].get<std::string>(), onednn["bf16_products"].get<std::string>()));
  const std::string problem = parquet["problem"].get<std::string>();
  line("Parquet", problem.empty() ? "Arrow " + parquet["arrow"].get<std::string>()
                                  : "cannot be read: " + problem);
  print_cuda(json["cuda"]);
  line("default dtype", json["default_dtype"].get<std::string>());
}

}  // namespace

void add_info(CLI::App& app) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* c = app.add_subcommand("info", "Show what this build and this machine can do");
  c->add_flag("--json", *as_json, "as one JSON object");
  c->footer("Example: fathom info --json");
  c->callback([as_json] {
    const Json json = describe();
    if (*as_json) {
      std::cout << json.dump(2) << '\n';
    } else {
      print_text(json);
    }
  });
}

}  // namespace fathom::cli
