#include "eval/other_scores.h"

#include <algorithm>
#include <filesystem>

#include "io/json_object.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;

// The last part of a model's path, which is all that a heading has space for.
std::string short_name(const std::string& model) {
  fs::path path(model);
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

// lm-evaluation-harness names every score with its filter, and "none" is none.
std::string without_no_filter(std::string score) {
  constexpr std::string_view no_filter = ",none";
  if (score.ends_with(no_filter)) score.resize(score.size() - no_filter.size());
  return score;
}

std::map<std::string, double> read_scores(const JsonObject& task) {
  const JsonObject scores = task.has("scores") ? task.object("scores") : task;
  std::map<std::string, double> read;
  for (const std::string& key : scores.keys()) {
    const bool text = key == "alias" || key == "name";
    if (text || key.find("_stderr") != std::string::npos || !scores.has(key)) continue;
    read[without_no_filter(key)] = scores.number(key);
  }
  return read;
}

std::string model_of(const JsonObject& file) {
  if (const auto model = file.find_text("model_name")) return *model;  // of lm-evaluation-harness
  return file.find_text("model").value_or(file.source());
}

}  // namespace

OtherScores read_other_scores(const std::string& path) {
  const JsonObject file = JsonObject::load(fs::is_directory(path) ? (fs::path(path) / "results.json").string() : path);
  OtherScores others{short_name(model_of(file)), {}};
  const JsonObject results = file.object("results");
  for (const std::string& task : results.keys()) others.tasks[task] = read_scores(results.object(task));
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
