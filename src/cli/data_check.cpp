// fathom data check: compares shards with their checksums, and reads chat data as `sft` and `dpo`
// would.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "align/chat_data.h"
#include "align/preference_data.h"
#include "cli/commands.h"
#include "core/enum_names.h"
#include "core/error.h"
#include "data/prepare.h"
#include "data/prepared.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

struct CheckArguments {
  std::vector<std::string> paths;
  std::string model, tokenizer, chat_template, system, learn = "all", rankings = "best_and_worst";
  bool no_system = false, no_exams = false;
  std::int64_t context = 0, show = 2;
  std::string color = "auto";
};

void check_shards(const std::string& directory) {
  const PreparedData data = open_prepared(directory, Verify::content);
  for (const PreparedSource& source : data.sources) {
    fmt::print("{}: {} training and {} held-out tokens, intact\n", source.name,
               source.train.tokens(), source.held_out.tokens());
  }
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// "en 61.2 %, zh 38.8 %", the most frequent first; of more than eight the last are "others".
std::string shares(const std::map<std::string, std::int64_t>& counts) {
  constexpr std::size_t max_names = 8;
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::greater(), &std::pair<std::string, std::int64_t>::second);
  std::int64_t all = 0;
  for (const auto& [name, count] : sorted) all += count;
  if (sorted.size() > max_names) {
    std::int64_t others = all;
    for (std::size_t i = 0; i + 1 < max_names; ++i) others -= sorted[i].second;
    sorted.resize(max_names);
    sorted.back() = {"others", others};
  }
  std::string text;
  for (const auto& [name, count] : sorted) {
    text += fmt::format("{}{} {:.1f} %", text.empty() ? "" : ", ", name, percent(count, all));
  }
  return text;
}

void print_statistics(const ChatStatistics& s, bool pairs) {
  const double examples = static_cast<double>(std::max<std::int64_t>(1, s.examples));
  fmt::print("rows        {}: {} {}\n", s.rows, s.examples, pairs ? "pairs" : "conversations");
  fmt::print("turns       {}, {:.1f} each; {} of the assistant\n", s.turns,
             static_cast<double>(s.turns) / examples, s.answers);
  fmt::print("tokens      {}, {:.1f} % of them learned\n", s.tokens,
             percent(s.learned_tokens, s.tokens));
  fmt::print("length      median {}, 90 % within {}, 99 % within {}, longest {}\n",
             s.length_at(0.5), s.length_at(0.9), s.length_at(0.99), s.length_at(1));
  fmt::print("languages   {}\n", shares(s.languages));
  fmt::print("scripts     {}\n", shares(s.scripts));
  for (const std::string& line : lines_about(s)) fmt::print("note        {}\n", line);
}

// Prints text with the tokens that are learned in a colour, or in [[ ]] without colours.
class MarkedText {
 public:
  MarkedText(const Tokenizer& tokenizer, bool colored) : tokenizer_(tokenizer), colored_(colored) {}

  enum class Mark { none, learned, rejected };
  void add(std::span<const std::int32_t> tokens, Mark mark) {
    if (tokens.empty()) return;
    const std::string text = tokenizer_.decode(tokens, SpecialTokens::keep);
    if (mark == Mark::none) {
      text_ += text;
    } else if (colored_) {
      text_ += fmt::format("\033[{}m{}\033[0m", mark == Mark::learned ? 32 : 31, text);
    } else {
      text_ += "[[" + text + "]]";
    }
  }
  void print(std::int64_t row) const { fmt::print("\n--- {}\n{}\n", row + 1, text_); }

 private:
  const Tokenizer& tokenizer_;
  bool colored_;
  std::string text_;
};

void show(const ExampleSet& examples, std::int64_t count, const Tokenizer& tokenizer,
          bool colored) {
  for (std::int64_t row = 0; row < std::min(count, examples.size()); ++row) {
    const auto [tokens, learned] = examples[row];
    MarkedText text(tokenizer, colored);
    for (std::size_t begin = 0, end; begin < tokens.size(); begin = end) {
      end = begin + 1;
      while (end < tokens.size() && learned[end] == learned[begin]) ++end;
      text.add(tokens.subspan(begin, end - begin),
               learned[begin] ? MarkedText::Mark::learned : MarkedText::Mark::none);
    }
    text.print(row);
  }
}

void show(const PreferenceSet& pairs, std::int64_t count, const Tokenizer& tokenizer,
          bool colored) {
  for (std::int64_t row = 0; row < std::min(count, pairs.size()); ++row) {
    MarkedText text(tokenizer, colored);
    text.add(pairs[row].prompt, MarkedText::Mark::none);
    text.add(pairs[row].chosen, MarkedText::Mark::learned);
    text.add(pairs[row].rejected, MarkedText::Mark::rejected);
    text.print(row);
  }
}

std::tm time_now() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

ChatDataOptions options_of(const CheckArguments& arguments) {
  ChatDataOptions options;
  options.chat.now = time_now();
  options.chat.learned = *enum_of<LearnedTurns>(arguments.learn);
  options.context = arguments.context;
  // A check reports everything.
  options.bad_rows = options.too_long = RowPolicy::leave_out;
  options.detect_languages = true;
  if (arguments.no_exams) options.multiple_choice = Exams::leave_out;
  if (!arguments.system.empty()) {
    options.chat.system = SystemPrompt::add;
    options.chat.system_text = arguments.system;
  }
  if (arguments.no_system) options.chat.system = SystemPrompt::leave_out;
  return options;
}

void check_chats(const CheckArguments& arguments) {
  const Tokenizer tokenizer = Tokenizer::load(
      arguments.tokenizer.empty() ? arguments.model + "/tokenizer.json" : arguments.tokenizer);
  const ChatTemplate chat = ChatTemplate::open(arguments.chat_template, arguments.model, tokenizer);
  const bool colored =
      arguments.color == "always" || (arguments.color == "auto" && isatty(STDOUT_FILENO) == 1);
  const ChatDataOptions options = options_of(arguments);
  ChatStatistics statistics;
  if (holds_preferences(arguments.paths)) {
    PreferenceSet pairs;
    statistics = read_preferences(arguments.paths, chat, tokenizer, options,
                                  *enum_of<RankingPairs>(arguments.rankings), pairs);
    print_statistics(statistics, true);
    show(pairs, arguments.show, tokenizer, colored);
  } else {
    ExampleSet examples;
    statistics = read_examples(arguments.paths, chat, tokenizer, options, examples);
    print_statistics(statistics, false);
    show(examples, arguments.show, tokenizer, colored);
  }
  if (statistics.bad.rows > 0) {
    fail_input("{} of {} rows are bad; mend them, or leave bad rows out of the training",
               statistics.bad.rows, statistics.rows);
  }
}

void check_data(const CheckArguments& arguments) {
  const std::string& first = arguments.paths.at(0);
  if (!arguments.model.empty() || !arguments.tokenizer.empty()) return check_chats(arguments);
  if (fs::is_directory(first) && arguments.paths.size() == 1) return check_shards(first);
  fail_input(
      "{}: not a prepared directory; to check conversations or preferences name the model that "
      "reads them with --model",
      first);
}

}  // namespace

void add_data_check(CLI::App& data) {
  CLI::App* c = data.add_subcommand(
      "check", "Compare shards with their checksums, or read chat data as sft and dpo would");
  const auto a = std::make_shared<CheckArguments>();
  c->add_option(
       "paths", a->paths,
       "a prepared directory; or, with --model, files of conversations or preferences (JSON "
       "lines, a JSON array, Parquet)")
      ->type_name("PATH")
      ->required();
  c->add_option("--model", a->model, "directory with the tokenizer.json and the chat template")
      ->type_name("DIR");
  c->add_option("--tokenizer", a->tokenizer, "path of tokenizer.json; default: the model's")
      ->type_name("FILE");
  c->add_option("--chat-template", a->chat_template,
                "deepseek, chatml, plain, a .jinja file, or the name of one of the model's; "
                "default: the model's")
      ->type_name("NAME|FILE");
  c->add_option("--context", a->context, "count rows of more tokens as too long; 0: none")
      ->check(CLI::NonNegativeNumber);
  c->add_option("--learn", a->learn, "answers that are learned: all, or the last")
      ->check(CLI::IsMember({"all", "last"}))
      ->capture_default_str();
  c->add_option("--rankings", a->rankings, "pairs that a ranking of answers gives")
      ->check(CLI::IsMember({"best_and_worst", "all"}))
      ->capture_default_str();
  auto* system = c->add_option("--system", a->system, "system prompt where a row has none");
  c->add_flag("--no-system", a->no_system, "leave out the rows' system prompts")->excludes(system);
  c->add_flag("--no-exams", a->no_exams, "leave out multiple-choice questions");
  c->add_option("--show", a->show, "rows to show, with what is learned in colour")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_option("--color", a->color, "colours in the rows shown; without, [[ ]] is around them")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  c->footer(
      "Example: fathom data check prepared\n"
      "Example: fathom data check chats.jsonl --model my-model --context 4096");
  c->callback([a] { check_data(*a); });
}

}  // namespace fathom::cli
