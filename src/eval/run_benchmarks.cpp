#include "eval/run_benchmarks.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>

#include "core/error.h"
#include "core/log.h"
#include "eval/engine_model.h"
#include "eval/evaluation.h"
#include "eval/learner_model.h"
#include "eval/prompts.h"
#include "eval/replicas.h"
#include "eval/series.h"
#include "eval/task_folder.h"
#include "io/checksum.h"
#include "train/rank_options.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;

struct Task {
  TaskConfig config;
  std::vector<Item> items;
};

// Returns fixed wrong answers, so that errors in prompts, tokens or scoring show before training.
class TrialModel : public TokenModel {
 public:
  using TokenModel::TokenModel;
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      cut_ |= prompt_of(requests[i]).cut;
      take(i, "");
    }
  }
  Work work() const override { return {}; }

  // Asks an item, and tells whether its beginning was left out.
  bool cuts(const TaskConfig& task, const Item& item) {
    cut_ = false;
    const TakeScore ignore = [](std::size_t, const PairScore&) {};
    switch (task.mode) {
      case Mode::choices:
      case Mode::likelihood:
        score(item.pairs, ignore);
        score(item.unconditional, ignore);
        break;
      case Mode::generate:
        generate(std::array{generate_request(task.generate, item, 0)}, [](std::size_t, const std::string&) {});
        break;
      case Mode::perplexity:
        score_documents(std::span(&item.document, 1), ignore);
        break;
    }
    return cut_;
  }

 private:
  void score_tokens(std::vector<ScoredTokens> requests, const TakeScore& take) override {
    for (const ScoredTokens& request : requests) {
      cut_ |= request.cut;
      take(request.index, {-1, 1, false});
    }
  }

  bool cut_ = false;
};

void check_folders(const EvalConfig& config) {
  if (!fs::is_directory(config.data)) fail_input("eval.data: there is no folder '{}'", config.data);
  if (!config.configs.empty() && !fs::is_directory(config.configs)) {
    fail_input("eval.configs: there is no folder '{}'", config.configs);
  }
}

Task load(const EvalConfig& config, const std::string& name) {
  std::vector<std::string> overrides;
  if (config.shots) overrides.push_back(fmt::format("shots.count={}", *config.shots));
  const std::string folder = name.ends_with(".toml") ? "" : task_folder(config.configs);
  Task task;
  task.config = load_task(find_task(name, folder), overrides);
  if (task.config.mode == Mode::generate && task.config.generate.metric == TextMetric::code) {
    fail_input("eval.tasks: {} runs programs that the model writes, which a training run does not: "
               "leave it out, and use `fathom eval` on a checkpoint", name);
  }
  const PromptForm form = config.chat ? PromptForm::chat : PromptForm::text;
  task.items = load_items(task.config, config.data, config.limit, {form, ""});
  return task;
}

void add(Checksum& checksum, const Task& task) {
  const auto add_text = [&](std::string_view text) { checksum.update(fmt::format("{} {}", text.size(), text)); };
  const auto add_chat = [&](const Chat& chat) {
    if (!chat) return;
    for (const Message& message : chat->messages) add_text(message.role + message.fields.dump());
  };
  const auto add_pairs = [&](const std::vector<TextPair>& pairs) {
    for (const TextPair& pair : pairs) {
      add_text(pair.context);
      add_text(pair.continuation);
      add_chat(pair.chat);
    }
  };
  add_text(checksum_text(checksum_of_file(task.config.source)));
  for (const Item& item : task.items) {
    add_pairs(item.pairs);
    add_pairs(item.unconditional);
    for (const std::string* text : {&item.subset, &item.prompt, &item.document}) add_text(*text);
    for (const std::string& gold : item.golds) add_text(gold);
    add_chat(item.chat);
    add_text(std::to_string(item.gold));
  }
}

class RunBenchmarks : public Benchmarks {
 public:
  RunBenchmarks(const TrainPlan& plan, const RankGroups& ranks, const RunTokenizer& files,
                std::optional<RunChat> chat)
      : plan_(plan), ranks_(ranks), chat_(std::move(chat)) {
    const EvalConfig& config = plan.config.eval;
    check_folders(config);
    if (!fs::exists(files.path)) {
      fail_input("{}: not there, and [eval] needs it to read its questions", files.path);
    }
    loaded_.emplace(infer::LoadedModel{"", Tokenizer::load(files.path), files.end_tokens, nullptr, nullptr});
    for (const std::string& name : config.tasks) tasks_.push_back(load(config, name));
    require_same_questions(files);
    for (const Task& task : tasks_) examine(task);
    if (!ranks.first()) return;
    for (const Task& task : tasks_) {
      log::info("[eval] asks {}: {} items, {} examples each", task.config.name, task.items.size(),
                task.config.shots.count);
    }
  }

  const std::vector<std::string>& tasks() const override { return names_; }

  void start(Learner& learner, DeviceBatch& memory) override {
    const bool on_cpu = learner.options().device.type == DeviceType::cpu;
    if (ranks_share_model(plan_)) {
      if (!on_cpu) shared_model(tasks_.front(), learner, memory).warm_up();
      return;
    }
    loaded_->stage = std::make_unique<Stage>(learner.whole_model()->with_boundary(nullptr));
    const infer::EngineOptions planned = benchmark_engine(plan_);
    const TokenModelOptions tokens = token_options();
    engine_.emplace(*loaded_, learner.context(),
                    EngineModelOptions{planned.limits.max_sequences, planned.cache_bytes, tokens.max_length,
                                       tokens.chat, tokens.chat_options, tokens.stopped});
    engine_->hold();
    if (on_cpu) return;
    // A small question of each kind.
    engine_->score(std::array{TextPair{"a", "b"}}, [](std::size_t, const PairScore&) {});
    engine_->generate(std::array{GenerateRequest{.prompt = "a", .stop = {}, .max_tokens = 2}},
                      [](std::size_t, const std::string&) {});
  }

  std::optional<BenchmarkScore> ask(std::size_t number, Learner& learner, DeviceBatch& memory,
                                    const std::function<bool()>& stopped) override {
    Task& task = tasks_.at(number);
    stopped_ = stopped;
    learner.parameters();  // the engine must not read weights that replicas still gather
    synchronize(learner.options().device, learner.context().stream);
    std::optional<LearnerModel> shared;
    if (!engine_) shared.emplace(shared_model(task, learner, memory));
    ReplicatedModel model(engine_ ? static_cast<LanguageModel&>(*engine_) : *shared, ranks_.data());
    try {
      TaskResult result = evaluate(task.config, std::move(task.items), model, nullptr,
                                   ranks_.first() ? ProgressLines::shown : ProgressLines::none);
      BenchmarkScore score = benchmark_score(result);
      task.items = std::move(result.items);
      return score;
    } catch (const EvaluationStopped&) {
      return std::nullopt;  // the run ends: nobody asks the items again
    }
  }

 private:
  // Every rank reads the files of its host.
  void require_same_questions(const RunTokenizer& files) const {
    Communicator& world = ranks_.world();
    Checksum checksum;
    checksum.update(checksum_text(checksum_of_file(files.path)));
    for (const Task& task : tasks_) add(checksum, task);
    const PatientWaits patience(world);
    const std::vector<std::uint64_t> all = gather_values(world, checksum.value());
    for (int rank = 1; rank < world.size(); ++rank) {
      if (all[static_cast<std::size_t>(rank)] == all.front()) continue;
      fail_input("[eval]: {} reads other tasks, data or another tokenizer than {}: give every host the same files",
                 world.name_of(rank), world.name_of(0));
    }
  }

  void examine(const Task& task) {
    const std::string& name = task.config.name;
    if (std::ranges::find(names_, name) != names_.end()) {
      fail_input("eval.tasks has two tasks of the name '{}': leave one out, or give it a name", name);
    }
    names_.push_back(name);
    require_room(task.config);
    TrialModel trial(loaded_->tokenizer, token_options());
    main_score(evaluate(task.config, {task.items.front()}, trial, nullptr, ProgressLines::none));
    const std::int64_t cut = count_cut(task, trial);
    if (cut > 0 && ranks_.first()) {
      log::warning("[eval] {}: {} of {} questions lose their beginning: they are longer than "
                   "train.sequence_length = {} holds",
                   name, cut, task.items.size(), plan_.config.train.sequence_length);
    }
  }

  void require_room(const TaskConfig& task) const {
    if (task.mode != Mode::generate || task.generate.max_tokens <= max_length() / 2) return;
    fail_input("eval.tasks: {}: its generate.max_tokens = {} leave less than half of "
               "train.sequence_length = {} to a question: lower the one in a copy of the task's file, or "
               "leave the task out",
               task.name, task.generate.max_tokens, plan_.config.train.sequence_length);
  }

  // Every item is turned into tokens once: the ranks share them.
  std::int64_t count_cut(const Task& task, TrialModel& trial) const {
    Communicator& world = ranks_.world();
    std::int64_t cut = 0;
    for (auto i = static_cast<std::size_t>(world.rank()); i < task.items.size();
         i += static_cast<std::size_t>(world.size())) {
      const Item& item = task.items[i];
      cut += with_location(item.where, [&] { return trial.cuts(task.config, item); });
    }
    const PatientWaits patience(world);
    const std::vector<std::int64_t> all = gather_values(world, cut);
    return std::accumulate(all.begin(), all.end(), std::int64_t{0});
  }

  std::int64_t max_length() const {
    return ranks_share_model(plan_) ? LearnerModel::longest(learner_options(plan_, ranks_))
                                    : plan_.config.train.sequence_length;
  }
  TokenModelOptions token_options() const {
    return {max_length(), chat_ ? &chat_->chat : nullptr, chat_ ? chat_->options : ChatOptions{},
            [this] { return stopped_ && stopped_(); }};
  }

  LearnerModel shared_model(const Task& task, Learner& learner, DeviceBatch& memory) const {
    const Greedy greedy = task.config.mode == Mode::likelihood ? Greedy::known : Greedy::unknown;
    return {learner, memory, loaded_->tokenizer, {token_options(), greedy, loaded_->end_tokens}};
  }

  const TrainPlan& plan_;
  const RankGroups& ranks_;
  std::optional<RunChat> chat_;
  std::optional<infer::LoadedModel> loaded_;  // its stage: the learner's
  std::optional<EngineModel> engine_;         // none: ranks share the model
  std::function<bool()> stopped_;             // of the present ask()
  std::vector<std::string> names_;
  std::vector<Task> tasks_;
};

}  // namespace

MakeBenchmarks run_benchmarks(std::function<RunChat()> chat) {
  return [chat = std::move(chat)](const TrainPlan& plan, const RankGroups& ranks, const RunTokenizer& files)
             -> std::unique_ptr<Benchmarks> {
    if (plan.config.eval.chat && !chat) {
      fail_input("eval.chat: `fathom train` has no chat template: use it in `fathom sft` or `dpo`");
    }
    auto benchmarks = std::make_unique<RunBenchmarks>(
        plan, ranks, files, plan.config.eval.chat ? std::optional(chat()) : std::nullopt);
    wait_for_disks(ranks.world());
    return benchmarks;
  };
}

}  // namespace fathom::eval
