#include "align/rendered_answers.h"

#include <algorithm>

#include "core/error.h"
#include "text/utf8.h"

namespace fathom {
namespace {

bool is_space(char32_t c) {
  return utf8::is_space(c) || (c >= 0x1c && c <= 0x1f);  // as Python's strip()
}

std::string_view trimmed(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char *first = nullptr, *last = nullptr;
  for (const char* p = text.data(); p < end;) {
    const char* const start = p;
    if (is_space(utf8::next(p))) continue;
    if (!first) first = start;
    last = p;
  }
  return first ? std::string_view(first, static_cast<std::size_t>(last - first)) : "";
}

bool is_blank_token(const Tokenizer& tokenizer, std::int32_t id) {
  return tokenizer.id_to_bytes(id).find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

void check_nothing_lost(const Conversation& conversation, std::string_view text,
                        const std::string& name) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const Message& message = conversation.messages[i];
    if (message.role == "assistant" || message.role == "tool") continue;
    const std::string_view content = trimmed(message.content());
    const std::size_t found = text.find(content, from);
    if (found == std::string_view::npos) {
      fail_input("message {}: the chat template {} leaves out what the {} says", i + 1, name,
                 message.role);
    }
    from = found + content.size();
  }
  if (!conversation.tools.is_array()) return;
  for (const auto& tool : conversation.tools) {
    const auto& function = tool.contains("function") ? tool["function"] : tool;
    const auto tool_name = function.find("name");
    if (tool_name == function.end() || !tool_name->is_string()) continue;
    if (text.find(tool_name->get_ref<const std::string&>()) == std::string_view::npos) {
      fail_input("the chat template {} leaves out the tools of the conversation", name);
    }
  }
}

std::vector<std::size_t> learned_messages(const Conversation& conversation, LearnedTurns turns) {
  std::vector<std::size_t> learned;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const Message& message = conversation.messages[i];
    if (message.role == "assistant" && message.learned) learned.push_back(i);
  }
  if (turns == LearnedTurns::last && learned.size() > 1) {
    learned.erase(learned.begin(), learned.end() - 1);
  }
  return learned;
}

std::size_t AnswerFinder::end_of(std::size_t messages) const {
  if (messages == conversation.messages.size()) return text.size();
  if (messages == 0) return 0;
  const RenderedText rendered = render(messages, false);
  std::string_view beginning = rendered.text;
  if (!text.starts_with(beginning) && beginning.ends_with(end_of_text)) {
    beginning.remove_suffix(end_of_text.size());
  }
  if (!text.starts_with(beginning)) {
    fail_input(
        "message {}: the chat template writes it differently when more messages follow, so the "
        "answer's tokens are not defined; mark them in the template with {{% generation %}}, or "
        "learn the last answer only",
        messages);
  }
  return beginning.size();
}

std::vector<ByteSpan> AnswerFinder::of_tags(const std::vector<ByteSpan>& tagged,
                                            const std::vector<std::size_t>& learned) const {
  const auto answers = std::ranges::count(conversation.messages, "assistant", &Message::role);
  if (std::ssize(learned) == answers) return tagged;
  std::vector<ByteSpan> spans;
  for (const std::size_t message : learned) {
    const std::size_t begin = end_of(message), end = end_of(message + 1);
    for (const ByteSpan& span : tagged) {
      if (span.begin >= begin && span.begin < end) spans.push_back(span);
    }
  }
  return spans;
}

std::vector<ByteSpan> AnswerFinder::of_prefixes(const std::vector<std::size_t>& learned) const {
  std::vector<ByteSpan> spans;
  for (const std::size_t message : learned) {
    const RenderedText prompt = render(message, true);
    const std::size_t begin = prompt.text.size(), end = end_of(message + 1);
    if (!text.starts_with(prompt.text) || begin > end) {
      fail_input(
          "message {}: the chat template's generation prompt is not how it begins the answer, so "
          "the answer's tokens are not defined; mark them in the template with {{% generation "
          "%}}{}",
          message + 1,
          message + 1 == conversation.messages.size() ? "" : ", or learn the last answer only");
    }
    if (begin < end) spans.push_back({begin, end});
  }
  return spans;
}

void learn_end_of_turns(EncodedChat& chat, const Tokenizer& tokenizer,
                        const std::function<std::vector<std::int32_t>()>& continued) {
  auto& [tokens, learned, ends_turns] = chat;
  const std::size_t size = tokens.size();
  for (std::size_t end = 1; end <= size; ++end) {
    if (!learned[end - 1] || (end < size && learned[end])) continue;
    std::size_t last = end;  // behind the last token that is no white space
    while (last > 1 && learned[last - 2] && is_blank_token(tokenizer, tokens[last - 1])) --last;
    if (tokenizer.is_special(tokens[last - 1])) continue;
    if (end == size) {
      const std::vector<std::int32_t> longer = continued();
      const bool same =
          longer.size() > size && std::equal(tokens.begin(), tokens.end(), longer.begin());
      if (same && tokenizer.is_special(longer[size])) {
        tokens.push_back(longer[size]);
        learned.push_back(1);
        return;
      }
    } else if (tokenizer.is_special(tokens[end])) {
      learned[end] = 1;
      continue;
    }
    ends_turns = false;
  }
}

}  // namespace fathom
