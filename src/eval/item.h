// What a row of a task asks of a model.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "align/conversation.h"

namespace fathom::eval {

// The messages before an answer, where a model is asked in its chat form; null otherwise.
using Chat = std::shared_ptr<const Conversation>;

// How likely is the continuation behind the context? With a chat the continuation is the beginning of
// the assistant's answer, and the context only says in plain text what was asked.
struct TextPair {
  std::string context, continuation;
  Chat chat = nullptr;
};

struct Item {
  std::int64_t row = 0;  // from 0, in the whole task
  std::string subset;    // the part of the task
  std::string where;     // "file:line"
  std::shared_ptr<const nlohmann::ordered_json> fields;  // of the row

  // choices: one pair for each; likelihood: one. `answers` are the continuations without what
  // divides them from the context.
  std::vector<TextPair> pairs;
  std::vector<std::string> answers;
  // The same answers behind the context of PromptConfig::unconditional; empty without it.
  std::vector<TextPair> unconditional;
  std::int64_t gold = -1;  // choices: the right one

  std::string prompt;              // generate
  Chat chat;                       // of the prompt
  std::vector<std::string> golds;  // generate: each is right
  // The same with each answer's texts apart, where PromptConfig::golds gives lists.
  std::vector<std::vector<std::string>> gold_texts;

  std::string document;  // perplexity
};

}  // namespace fathom::eval
