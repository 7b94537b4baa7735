#include "eval/evaluation.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "core/error.h"
#include "core/progress.h"
#include "eval/processor_quota.h"

namespace fathom::eval {
namespace {

// The progress of a task, if it is to be shown.
class TaskProgress {
 public:
  TaskProgress(ProgressLines lines, const std::string& label, std::uint64_t total) {
    if (lines == ProgressLines::shown) progress_.emplace(label, total);
  }
  void advance() {
    if (progress_) progress_->advance(1);
  }
  void finish() {
    if (progress_) progress_->finish();
  }

 private:
  std::optional<Progress> progress_;
};

// Scores pairs of all items at once. `of` gives an item's pairs, `to` the place for their scores.
template <class Of, class To>
void score_pairs(const std::vector<Item>& items, std::vector<Answer>& answers, LanguageModel& model,
                 TaskProgress& progress, Of of, To to) {
  std::vector<TextPair> pairs;
  struct Place {
    std::size_t item, pair;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::vector<TextPair>& own = of(items[i]);
    to(answers[i]).resize(own.size());
    for (std::size_t j = 0; j < own.size(); ++j) {
      pairs.push_back(own[j]);
      places.push_back({i, j});
    }
  }
  model.score(pairs, [&](std::size_t index, const PairScore& score) {
    to(answers[places[index].item])[places[index].pair] = score;
    progress.advance();
  });
}

void generate_texts(const TaskConfig& task, const std::vector<Item>& items,
                    std::vector<Answer>& answers, LanguageModel& model, TaskProgress& progress) {
  const GenerateConfig& how = task.generate;
  const auto samples = static_cast<std::size_t>(how.samples);
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < items.size() * samples; ++i) {
    const Item& item = items[i / samples];
    requests.push_back(generate_request(how, item, i % samples));
    answers[i / samples].texts.resize(samples);
  }
  model.generate(requests, [&](std::size_t i, const std::string& text) {
    answers[i / samples].texts[i % samples] = text;
    progress.advance();
  });
}

void score_documents(const std::vector<Item>& items, std::vector<Answer>& answers,
                     LanguageModel& model, TaskProgress& progress) {
  std::vector<std::string> documents;
  for (const Item& item : items) documents.push_back(item.document);
  model.score_documents(documents, [&](std::size_t i, const PairScore& score) {
    answers[i].document = score;
    progress.advance();
  });
}

std::uint64_t num_requests(const TaskConfig& task, const std::vector<Item>& items) {
  if (task.mode == Mode::generate) return items.size() * static_cast<std::uint64_t>(task.generate.samples);
  if (task.mode == Mode::perplexity) return items.size();
  std::uint64_t count = 0;
  for (const Item& item : items) count += item.pairs.size() + item.unconditional.size();
  return count;
}

std::map<std::string, Estimate> summarise_all(const std::vector<const ItemScores*>& scores) {
  std::map<std::string, std::vector<Part>> parts;
  for (const ItemScores* item : scores) {
    for (const auto& [name, part] : *item) parts[name].push_back(part);
  }
  std::map<std::string, Estimate> result;
  for (const auto& [name, all] : parts) result[name] = summarise(name, all);
  return result;
}

void summarise_task(TaskResult& result) {
  std::map<std::string, std::vector<const ItemScores*>> by_subset;
  std::vector<const ItemScores*> all;
  for (std::size_t i = 0; i < result.items.size(); ++i) {
    all.push_back(&result.scores[i]);
    by_subset[result.items[i].subset].push_back(&result.scores[i]);
  }
  result.total = summarise_all(all);
  if (by_subset.size() < 2) return;
  for (const auto& [name, scores] : by_subset) {
    TaskResult::Subset& subset = result.subsets[name];
    subset.items = std::ssize(scores);
    subset.scores = summarise_all(scores);
    for (const auto& [score, estimate] : subset.scores) {
      result.macro_average[score] += estimate.value / static_cast<double>(by_subset.size());
    }
  }
}

}  // namespace

namespace {

// A program's time is the clock's: more of them than processors would keep each other waiting.
int programs_at_once() {
  constexpr int most = 16;
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, std::min({most, processors, static_cast<int>(processor_quota())}));
}

void score_texts(TaskResult& result, const TextScores& texts, ProgressLines lines) {
  const auto score = [&](std::size_t i) { result.scores[i] = texts.of(result.items[i], result.answers[i]); };
  if (!texts.slow()) {
    for (std::size_t i = 0; i < result.items.size(); ++i) score(i);
    return;
  }
  TaskProgress progress(lines, result.task.name + ": programs", result.items.size());
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < result.items.size(); i = next++) {
        score(i);
        const std::lock_guard lock(mutex);
        progress.advance();
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      next = result.items.size();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < programs_at_once(); ++i) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  progress.finish();
}

}  // namespace

GenerateRequest generate_request(const GenerateConfig& how, const Item& item, std::uint64_t sample) {
  return {item.prompt, how.stop, how.max_tokens, how.temperature, how.top_p, sample, item.chat};
}

TaskResult evaluate(const TaskConfig& task, std::vector<Item> items, LanguageModel& model,
                    const PythonRunner* runner, ProgressLines lines) {
  require(!items.empty(), "{}: a task without items", task.name);
  TaskResult result{task, std::move(items), {}, {}, {}, {}, {}};
  result.answers.resize(result.items.size());
  // Made first: a wrong filter is to be told before the model works.
  std::optional<TextScores> text_scores;
  if (task.mode == Mode::generate) text_scores.emplace(task, runner);
  TaskProgress progress(lines, task.name, num_requests(task, result.items));
  switch (task.mode) {
    case Mode::choices:
    case Mode::likelihood:
      score_pairs(result.items, result.answers, model, progress,
                  [](const Item& item) -> const auto& { return item.pairs; },
                  [](Answer& answer) -> auto& { return answer.pairs; });
      score_pairs(result.items, result.answers, model, progress,
                  [](const Item& item) -> const auto& { return item.unconditional; },
                  [](Answer& answer) -> auto& { return answer.unconditional; });
      break;
    case Mode::generate:
      generate_texts(task, result.items, result.answers, model, progress);
      break;
    case Mode::perplexity:
      score_documents(result.items, result.answers, model, progress);
      break;
  }
  progress.finish();
  result.scores.resize(result.items.size());
  if (text_scores) score_texts(result, *text_scores, lines);
  for (std::size_t i = 0; i < result.items.size() && !text_scores; ++i) {
    const Item& item = result.items[i];
    const Answer& answer = result.answers[i];
    result.scores[i] = task.mode == Mode::choices      ? choice_scores(item, answer)
                       : task.mode == Mode::likelihood ? likelihood_scores(answer)
                                                       : document_scores(item, answer);
  }
  summarise_task(result);
  return result;
}

std::string main_score(const TaskResult& result) {
  const TaskConfig& task = result.task;
  if (!task.metric.empty()) {
    if (!result.total.contains(task.metric)) {
      std::string known;
      for (const auto& [name, estimate] : result.total) known += (known.empty() ? "" : ", ") + name;
      fail_input("{}: metric is '{}': use one of {}", task.source, task.metric, known);
    }
    return task.metric;
  }
  if (task.mode == Mode::perplexity) return "bits_per_byte";
  return task.mode == Mode::generate ? result.total.begin()->first : "acc";
}

}  // namespace fathom::eval
