#include "align/chat_template.h"

#include <algorithm>
#include <filesystem>

#include "align/builtin_templates.h"
#include "align/rendered_answers.h"
#include "align/template_files.h"
#include "core/error.h"
#include "io/checksum.h"
#include "io/line_reader.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string spelled(const Tokenizer& tokenizer, std::optional<std::int32_t> id) {
  return id ? std::string(tokenizer.id_to_token(*id)) : "";
}

// Special tokens that no file names, by the tokenizer's usual names for them.
void add_usual_tokens(const Tokenizer& tokenizer, std::map<std::string, std::string>& tokens) {
  for (const auto& [name, token] :
       {std::pair("bos_token", spelled(tokenizer, tokenizer.bos_id())),
        std::pair("eos_token", spelled(tokenizer, tokenizer.eos_id()))}) {
    if (!token.empty()) tokens.emplace(name, token);
  }
}

void check_builtin(const std::string& name, const std::map<std::string, std::string>& tokens,
                   const Tokenizer& tokenizer) {
  if (name == "chatml") {
    for (const char* token : {"<|im_start|>", "<|im_end|>"}) {
      if (tokenizer.token_to_id(token)) continue;
      fail_input(
          "the chat template chatml needs the token {}, which the tokenizer lacks; use deepseek "
          "or plain",
          token);
    }
  } else if (!tokens.contains("eos_token")) {
    fail_input(
        "the chat template {} ends answers with an end-of-text token, which the tokenizer "
        "lacks",
        name);
  }
}

[[noreturn]] void fail_unknown(const std::string& choice, const std::string& directory,
                               const TemplateFiles& files) {
  std::string own;
  for (const auto& [name, source] : files.templates) own += (own.empty() ? "" : ", ") + name;
  if (choice.empty()) {
    fail_input(
        "{}: the model has no chat template{}; name one (--template or model.template): deepseek, "
        "chatml, plain or a .jinja file",
        directory.empty() ? "." : directory, own.empty() ? "" : " called default, but " + own);
  }
  fail_input("there is no chat template '{}': choose deepseek, chatml, plain, a .jinja file{}",
             choice, own.empty() ? "" : " or the model's " + own);
}

// A message as a template sees it: without null fields, which templates handle badly, and with
// reasoning under each of the names that templates read. As transformers 5 does.
Json message_variables(const Message& message) {
  Json seen;
  const Json* reasoning = nullptr;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.fields.find(name);
    if (!reasoning && found != message.fields.end() && !found->is_null()) reasoning = &*found;
  }
  if (reasoning) seen["thinking"] = *reasoning;
  seen["role"] = message.role;
  for (const auto& [name, value] : message.fields.items()) {
    if (!value.is_null() && name != "role") seen[name] = value;
  }
  if (reasoning) seen["reasoning_content"] = *reasoning;
  return seen;
}

Conversation with_system(Conversation conversation, const ChatOptions& options) {
  auto& messages = conversation.messages;
  const bool present = std::ranges::any_of(messages, is_system);
  if (options.system == SystemPrompt::keep || (options.system == SystemPrompt::add && present)) {
    return conversation;
  }
  std::erase_if(messages, is_system);
  if (options.system != SystemPrompt::leave_out) {
    messages.insert(messages.begin(), make_message("system", options.system_text));
  }
  return conversation;
}

}  // namespace

ChatTemplate ChatTemplate::open(const std::string& choice, const std::string& directory,
                                const Tokenizer& tokenizer) {
  TemplateFiles files;
  if (!directory.empty()) files = read_template_files(directory);
  if (!files.has_config) add_usual_tokens(tokenizer, files.special_tokens);
  if (const std::string_view builtin = builtin_template(choice); !builtin.empty()) {
    add_usual_tokens(tokenizer, files.special_tokens);
    check_builtin(choice, files.special_tokens, tokenizer);
    return from_source(builtin, choice, files.special_tokens);
  }
  const auto own = files.templates.find(choice.empty() ? "default" : choice);
  if (own == files.templates.end()) {
    if (!fs::is_regular_file(choice)) fail_unknown(choice, directory, files);
    return from_source(read_text(choice), choice, files.special_tokens);
  }
  ChatTemplate result = from_source(own->second.text, own->second.file, files.special_tokens);
  const auto tools = files.templates.find("tool_use");
  if (choice.empty() && tools != files.templates.end()) {
    result.tool_source_ = tools->second.text;
    result.with_tools_ = JinjaTemplate::parse(result.tool_source_, tools->second.file);
  }
  return result;
}

ChatTemplate ChatTemplate::from_source(std::string_view source, const std::string& name,
                                       std::map<std::string, std::string> special_tokens) {
  ChatTemplate result;
  result.name_ = name;
  result.source_ = source;
  result.default_ = JinjaTemplate::parse(source, name);
  result.special_tokens_ = std::move(special_tokens);
  return result;
}

const JinjaTemplate& ChatTemplate::template_for(const Conversation& conversation) const {
  return with_tools_ && !conversation.tools.is_null() ? *with_tools_ : *default_;
}

RenderedText ChatTemplate::render(const Conversation& conversation, bool generation_prompt,
                                  const ChatOptions& options) const {
  Json variables = options.variables;
  RenderOptions render;
  render.now = options.now;
  // Roles are safe to trust: check_conversation() knows them all.
  render.trusted = {"messages.*.role"};
  for (const auto& [name, token] : special_tokens_) {
    variables[name] = token;
    render.trusted.push_back(name);
  }
  Json& messages = variables["messages"] = Json::array();
  for (const Message& message : conversation.messages) {
    messages.push_back(message_variables(message));
  }
  variables["tools"] = conversation.tools;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = generation_prompt;
  return template_for(conversation).render(variables, render);
}

std::vector<std::int32_t> ChatTemplate::encode_prompt(const Conversation& conversation,
                                                      const Tokenizer& tokenizer,
                                                      const ChatOptions& options) const {
  check_conversation(conversation, ConversationUse::prompt);
  const Conversation used = with_system(conversation, options);
  const RenderedText rendered = render(used, true, options);
  check_nothing_lost(used, rendered.text, name_);
  return tokenizer.encode_marked({rendered.text, rendered.from_template, {}}).ids;
}

EncodedChat ChatTemplate::encode(const Conversation& conversation, const Tokenizer& tokenizer,
                                 const ChatOptions& options) const {
  check_conversation(conversation, ConversationUse::training);
  const Conversation used = with_system(conversation, options);
  const auto rendered = [&](std::size_t messages, bool generation_prompt) {
    Conversation beginning;
    beginning.messages.assign(used.messages.begin(),
                              used.messages.begin() + static_cast<std::ptrdiff_t>(messages));
    beginning.tools = used.tools;
    return render(beginning, generation_prompt, options);
  };
  const RenderedText whole = render(used, false, options);
  check_nothing_lost(used, whole.text, name_);
  const auto eos = special_tokens_.find("eos_token");
  const AnswerFinder finder{used, whole.text, rendered,
                            eos == special_tokens_.end() ? "" : eos->second};
  const std::vector<ByteSpan> answers =
      template_for(used).marks_generation()
          ? finder.of_tags(whole.generated, learned_messages(used, options.learned))
          : finder.of_prefixes(learned_messages(used, options.learned));
  MarkedTokens marked = tokenizer.encode_marked({whole.text, whole.from_template, answers});
  EncodedChat chat{std::move(marked.ids), std::move(marked.marks)};
  const auto continued = [&] {
    const RenderedText longer = rendered(used.messages.size(), true);
    return tokenizer.encode_marked({longer.text, longer.from_template, {}}).ids;
  };
  learn_end_of_turns(chat, tokenizer, continued);
  return chat;
}

std::uint64_t ChatTemplate::hash() const {
  Json all = {source_, tool_source_, special_tokens_};
  const std::string text = all.dump();
  Checksum checksum;
  checksum.update(std::as_bytes(std::span(text)));
  return checksum.value();
}

}  // namespace fathom
