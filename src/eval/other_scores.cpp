#include "eval/other_scores.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "io/json_value.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;

// What a heading has space for: "first" of "runs/first/model", "first/step-00000100" of its checkpoint.
std::string short_name(const std::string& model) {
  fs::path path(model);
  if (!path.has_filename()) path = path.parent_path();
  const fs::path above = path.parent_path();
  if (path.filename() == "model" && above.has_filename()) return above.filename().string();
  if (above.filename() == "checkpoints") return (above.parent_path().filename() / path.filename()).string();
  return path.filename().string();
}

// lm-evaluation-harness names every score with its filter, and "none" is none.
std::string without_no_filter(std::string score) {
  constexpr std::string_view no_filter = ",none";
  if (score.ends_with(no_filter)) score.resize(score.size() - no_filter.size());
  return score;
}

std::map<std::string, double> read_scores(const JsonValue& task) {
  const JsonValue scores = task.has("scores") ? task.at("scores") : task;
  std::map<std::string, double> read;
  for (const std::string& key : scores.keys()) {
    if (key.find("_stderr") != std::string::npos || !scores.at(key).is_number()) continue;
    read[without_no_filter(key)] = scores.at(key).number();
  }
  return read;
}

std::string model_of(const JsonValue& file) {
  for (const char* key : {"model_name", "model"}) {  // of lm-evaluation-harness, and ours
    if (const auto model = file.find(key); model && model->is_text()) return model->text();
  }
  return file.source();
}

OtherScores read_scores_of(const std::string& path) {
  const JsonValue file = JsonValue::load(fs::is_directory(path) ? (fs::path(path) / "results.json").string() : path);
  OtherScores others{short_name(model_of(file)), {}};
  const JsonValue results = file.at("results");
  for (const std::string& task : results.keys()) others.tasks[task] = read_scores(results.at(task));
  return others;
}

}  // namespace

std::vector<OtherScores> read_other_scores(const std::vector<std::string>& paths) {
  std::vector<OtherScores> others;
  std::ranges::transform(paths, std::back_inserter(others), read_scores_of);
  const std::vector<OtherScores> named = others;
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (std::ranges::count(named, others[i].model, &OtherScores::model) > 1) others[i].model = paths[i];
  }
  return others;
}

std::vector<OtherScores> published_scores(const std::vector<TaskResult>& results) {
  std::vector<OtherScores> others;
  for (const TaskResult& result : results) {
    for (const PublishedScore& score : result.task.published) {
      auto other = std::ranges::find(others, score.model, &OtherScores::model);
      if (other == others.end()) other = others.insert(others.end(), {score.model, {}});
      other->tasks[result.task.name][score.score.empty() ? main_score(result) : score.score] = score.value;
    }
  }
  return others;
}

}  // namespace fathom::eval
