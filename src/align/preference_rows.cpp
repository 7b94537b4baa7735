#include "align/preference_rows.h"

#include <algorithm>
#include <optional>

#include "align/conversation_rows.h"
#include "align/formats/formats.h"
#include "core/error.h"

namespace fathom {
namespace {

using formats::answer_of;

Conversation prompt_in(const RowJson& row) {
  for (const char* key : {"messages", "conversations", "conversation"}) {
    if (has_field(row, key)) return formats::messages_row(row, key);
  }
  if (has_field(row, "instruction")) return formats::alpaca_prompt(row);
  for (const char* key : {"prompt", "question"}) {
    if (has_field(row, key)) return formats::prompt_row(row, key);
  }
  return {};
}

// The one message that an answer is.
Message single_answer(std::vector<Message> messages, const std::string& name) {
  if (messages.empty()) fail_input("'{}' ends with the shared prompt: it has no answer", name);
  if (messages.size() != 1) {
    fail_input(
        "'{}' goes on with {} messages behind the shared prompt; a pair compares one answer with "
        "one",
        name, messages.size());
  }
  if (messages[0].role != "assistant") {
    fail_input("'{}' is said by the {}, not by the assistant", name, messages[0].role);
  }
  return std::move(messages[0]);
}

bool same(const Message& a, const Message& b) {
  return a.role == b.role && a.fields == b.fields;
}

// Both answers hold the whole dialogue.
AnswerPair split_dialogues(std::vector<Message> chosen, std::vector<Message> rejected,
                           RowJson tools) {
  const auto shared = std::ranges::mismatch(chosen, rejected, same);
  const auto count = shared.in1 - chosen.begin();
  if (shared.in1 == chosen.end() && shared.in2 == rejected.end()) {
    fail_input("chosen and rejected are the same");
  }
  if (count == 0) fail_input("chosen and rejected share no prompt");
  AnswerPair pair;
  pair.prompt = {{chosen.begin(), shared.in1}, std::move(tools)};
  pair.chosen = single_answer({shared.in1, chosen.end()}, "chosen");
  pair.rejected = single_answer({shared.in2, rejected.end()}, "rejected");
  return pair;
}

AnswerPair pair_row(const RowJson& row) {
  const RowJson &chosen = row["chosen"], &rejected = row["rejected"];
  const auto answer = [&](const char* key) {
    return with_location(std::string("'") + key + "'", [&] { return answer_of(row[key]); });
  };
  const auto is_dialogue = [](const std::vector<Message>& messages) {
    return messages.size() > 1 || (messages.size() == 1 && messages[0].role != "assistant");
  };
  if (chosen.is_string() && rejected.is_string()) {
    auto better = formats::marked_dialogue(chosen), worse = formats::marked_dialogue(rejected);
    if (!better.empty() && !worse.empty()) {
      return split_dialogues(std::move(better), std::move(worse), nullptr);
    }
  }
  auto better = answer("chosen"), worse = answer("rejected");
  if (is_dialogue(better) && is_dialogue(worse)) {
    AnswerPair pair =
        split_dialogues(std::move(better), std::move(worse), formats::read_tools(row));
    formats::add_system(row, pair.prompt.messages);
    return pair;
  }
  AnswerPair pair{prompt_in(row), single_answer(std::move(better), "chosen"),
                  single_answer(std::move(worse), "rejected")};
  if (same(pair.chosen, pair.rejected)) fail_input("chosen and rejected are the same");
  return pair;
}

struct RankedAnswer {
  Message message;
  double rank;  // the best has the lowest
};

void add_pairs(const Conversation& prompt, std::vector<RankedAnswer> answers, RankingPairs rankings,
               std::vector<AnswerPair>& pairs) {
  std::ranges::stable_sort(answers, {}, &RankedAnswer::rank);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    for (std::size_t j = i + 1; j < answers.size(); ++j) {
      const bool ends = i == 0 && j + 1 == answers.size();
      if (rankings == RankingPairs::best_and_worst && !ends) continue;
      if (answers[i].rank == answers[j].rank || same(answers[i].message, answers[j].message)) {
        continue;
      }
      pairs.push_back({prompt, answers[i].message, answers[j].message});
    }
  }
}

// {"answers": [{"answer": ..., "rank": 1}, ...]}, and `output`, a list with the best first.
std::vector<RankedAnswer> ranked_answers(const RowJson& row) {
  std::vector<RankedAnswer> answers;
  if (has_field(row, "answers")) {
    for (const RowJson& one : list_field(row, "answers")) {
      if (!one.is_object() || !one.contains("rank") || !one["rank"].is_number()) {
        fail_input("'answers' wants objects with an answer and a rank, a number");
      }
      answers.push_back(
          {make_message("assistant", text_field(one, "answer")), one["rank"].get<double>()});
    }
    return answers;
  }
  for (const RowJson& one : list_field(row, "output")) {
    if (!one.is_string()) fail_input("'output' holds {}, not a text", one.type_name());
    answers.push_back(
        {make_message("assistant", one.get<std::string>()), static_cast<double>(answers.size())});
  }
  return answers;
}

// The answers to each of the users' messages in an OpenAssistant tree.
struct TreePairs {
  RankingPairs rankings;
  std::vector<AnswerPair> pairs;

  // The path ends with `node`, a user's message.
  void follow(const RowJson& node, const Conversation& path) {
    std::vector<RankedAnswer> ranked;
    for (const RowJson* reply : formats::replies_of(node)) {
      Message message = formats::tree_message(*reply, "assistant");
      const auto rank = reply->find("rank");
      if (rank != reply->end() && rank->is_number()) {
        ranked.push_back({message, rank->get<double>()});
      }
      Conversation answered = path;
      answered.messages.push_back(std::move(message));
      for (const RowJson* question : formats::replies_of(*reply)) {
        Conversation asked = answered;
        asked.messages.push_back(formats::tree_message(*question, "user"));
        follow(*question, asked);
      }
    }
    add_pairs(path, std::move(ranked), rankings, pairs);
  }
};

std::vector<AnswerPair> tree_pairs(const RowJson& row, RankingPairs rankings) {
  const RowJson& root = formats::tree_root(row);
  TreePairs tree{rankings, {}};
  tree.follow(root, {{formats::tree_message(root, "user")}, nullptr});
  if (tree.pairs.empty()) fail_input("no message of the tree has answers of different rank");
  return std::move(tree.pairs);
}

}  // namespace

std::vector<AnswerPair> pairs_of(const RowJson& row, RankingPairs rankings) {
  if (has_field(row, "message_tree_id")) return tree_pairs(row, rankings);
  formats::refuse_labels(row);
  if (has_field(row, "chosen") && has_field(row, "rejected")) return {pair_row(row)};
  const bool listed = has_field(row, "output") && row["output"].is_array();
  if (!has_field(row, "answers") && !listed) {
    fail_input(
        "in no known format of preferences (its keys: {}); wants chosen and rejected, a ranking in "
        "answers, or a list of answers in output",
        keys_of(row));
  }
  std::vector<AnswerPair> pairs;
  add_pairs(prompt_in(row), ranked_answers(row), rankings, pairs);
  if (pairs.empty()) fail_input("the ranking has no two answers of different rank");
  return pairs;
}

}  // namespace fathom
