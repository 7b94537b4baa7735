#include "cli/benchmark_texts.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/log.h"
#include "eval/rows.h"
#include "eval/task_config.h"

namespace fathom::cli {
namespace {

void add_strings(const nlohmann::ordered_json& value, const std::string& task,
                 clean::Contamination& out) {
  if (value.is_string()) out.add(task, value.get_ref<const std::string&>());
  if (!value.is_structured()) return;
  for (const auto& part : value) add_strings(part, task, out);
}

}  // namespace

clean::Contamination load_benchmarks(const clean::ContaminationConfig& config) {
  if (!std::filesystem::is_directory(config.data)) {
    fail_input("contamination.data: there is no folder '{}'", config.data);
  }
  clean::Contamination out(config);
  for (const std::string& name : config.tasks) {
    const eval::TaskConfig task = eval::load_task(eval::find_task(name, config.configs));
    for (const eval::Row& row : eval::read_rows(task.data, config.data, task.source + ": data")) {
      add_strings(*row.fields, task.name, out);
    }
  }
  log::info("contamination: {} sequences of {} texts of {} tasks; {} texts are too short",
            out.sequences(), out.texts(), config.tasks.size(), out.short_texts());
  return out;
}

}  // namespace fathom::cli
