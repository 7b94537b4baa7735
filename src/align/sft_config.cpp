#include "align/sft_config.h"

#include <ctime>

#include "core/error.h"

namespace fathom {
namespace {

void check_stage(const SftConfig& config, std::size_t number) {
  const SftStageConfig& stage = config.stages[number];
  const std::string where = fmt::format("stage {}", number + 1);
  if (!stage.steps && !stage.tokens && !stage.epochs && !stage.max_minutes) {
    fail_input("{} has no end: give it epochs, tokens, steps or max_minutes", where);
  }
  if (stage.data.empty()) fail_input("{} has no [[stage.data]]: name its files", where);
  double sum = 0;
  for (const SftSetConfig& set : stage.data) {
    if (set.paths.empty()) fail_input("{}: a [[stage.data]] has no paths", where);
    constexpr double most = 1000;
    if (!(set.weight >= 0 && set.weight <= most)) {
      fail_input("{}: a weight of {}: use a number from 0 to {:.0f}", where, set.weight, most);
    }
    sum += set.weight;
  }
  if (sum == 0) fail_input("{}: all its weights are 0", where);
}

void check(const SftConfig& config) {
  if (config.model.from.empty()) {
    fail_input("model.from is missing: name a Hugging Face directory, a run or a checkpoint");
  }
  if (!config.model.date.empty() && !parse_date(config.model.date)) {
    fail_input("model.date is '{}': write it as 2025-03-07", config.model.date);
  }
  if (config.stages.empty()) fail_input("there is no [[stage]]: give one, with [[stage.data]]");
  for (std::size_t i = 0; i < config.stages.size(); ++i) check_stage(config, i);
  if (!(config.validation.share >= 0 && config.validation.share < 1)) {
    fail_input("validation.share is {}: use 0 or more, below 1", config.validation.share);
  }
  if (config.train.loop.sequence_length < 2) {
    fail_input("train.sequence_length is {}: use 2 or more", config.train.loop.sequence_length);
  }
  if (config.train.loop.global_batch < 1) {
    fail_input("train.global_batch is {}: use 1 or more", config.train.loop.global_batch);
  }
  if (config.parallel.tp < 1 || config.parallel.sequence_pieces < 1) {
    fail_input("parallel.tp and parallel.sequence_pieces: use 1 or more");
  }
  if (config.stages.size() > 1 && !config.checkpoint.enabled) {
    fail_input(
        "checkpoint.enabled is false, but a stage begins with the weights of the one "
        "before: save them, or keep one stage");
  }
}

}  // namespace

std::optional<std::tm> parse_date(const std::string& text) {
  std::tm day{};
  const char* const end = strptime(text.c_str(), "%Y-%m-%d", &day);
  if (!end || *end != '\0') return std::nullopt;
  day.tm_hour = 12;
  day.tm_isdst = -1;
  const int month = day.tm_mon;
  // Fills in the day of the week, and takes February 30 for March 2.
  if (mktime(&day) == -1 || day.tm_mon != month) return std::nullopt;
  return day;
}

SftConfig load_sft_config(const std::string& path, std::span<const std::string> overrides) {
  SftConfig config;
  read_config(ConfigTable::load(path, overrides), config);
  while (config.output.size() > 1 && config.output.ends_with('/')) config.output.pop_back();
  if (config.output.empty()) fail_input("output is empty: name the directory of the run");
  check(config);
  return config;
}

}  // namespace fathom
