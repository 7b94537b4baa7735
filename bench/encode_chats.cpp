// Encodes conversations for bench/chats_vs_transformers.py: a line of JSON in, a line out.
//
//   {"tokenizer": path, "template": text, "tokens": {"bos_token": ...}, "now": seconds since 1970,
//    "messages": [...], "tools": [...] or null, "learn": "all" or "last",
//    "mode": "unchecked", "prompt" or "train"}
//
// gives {"ids", "mask"} or {"error"}. "unchecked" renders what check_conversation() refuses too,
// and has no mask; {"generation_prompt": bool} says how it ends.
#include <ctime>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "align/chat_template.h"
#include "core/enum_names.h"
#include "core/error.h"

namespace {

using Json = nlohmann::ordered_json;
using namespace fathom;

Conversation conversation_of(const Json& job) {
  Conversation conversation;
  for (const Json& message : job["messages"]) {
    conversation.messages.push_back({message["role"].get<std::string>(), message});
  }
  conversation.tools = job["tools"];
  return conversation;
}

EncodedChat encode(const Json& job, const ChatTemplate& chat, const Tokenizer& tokenizer) {
  ChatOptions options;
  const auto now = static_cast<std::time_t>(job["now"].get<std::int64_t>());
  gmtime_r(&now, &options.now.emplace());
  options.learned = *enum_of<LearnedTurns>(job["learn"].get<std::string>());
  const Conversation conversation = conversation_of(job);
  if (job["mode"] == "train") return chat.encode(conversation, tokenizer, options);
  return {chat.encode_prompt(conversation, tokenizer, options), {}};
}

// Renders as ChatTemplate does, without its checks.
EncodedChat encode_unchecked(const Json& job, const Tokenizer& tokenizer) {
  Json variables = job["tokens"];
  for (const char* name : {"messages", "tools"}) variables[name] = job[name];
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = job["generation_prompt"];
  RenderOptions options;
  const auto now = static_cast<std::time_t>(job["now"].get<std::int64_t>());
  gmtime_r(&now, &options.now.emplace());
  options.trusted = {"messages.*.role"};
  for (const auto& [name, token] : job["tokens"].items()) options.trusted.push_back(name);
  const RenderedText text =
      JinjaTemplate::parse(job["template"].get<std::string>(), "t").render(variables, options);
  return {tokenizer.encode_marked({text.text, text.from_template, {}}).ids, {}};
}

}  // namespace

int main() {
  std::map<std::string, Tokenizer> tokenizers;
  for (std::string line; std::getline(std::cin, line);) {
    const Json job = Json::parse(line);
    Json out;
    try {
      const auto path = job["tokenizer"].get<std::string>();
      const auto at = tokenizers.contains(path)
                          ? tokenizers.find(path)
                          : tokenizers.emplace(path, Tokenizer::load(path)).first;
      const auto chat =
          ChatTemplate::from_source(job["template"].get<std::string>(), "t",
                                    job["tokens"].get<std::map<std::string, std::string>>());
      const EncodedChat encoded = job["mode"] == "unchecked" ? encode_unchecked(job, at->second)
                                                             : encode(job, chat, at->second);
      out = {{"ids", encoded.tokens}, {"mask", encoded.learned}};
    } catch (const Error& error) {
      out = {{"error", error.what()}};
    }
    std::cout << out.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  }
  return 0;
}
