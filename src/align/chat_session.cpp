#include "align/chat_session.h"

#include <algorithm>

#include "align/conversation_rows.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "text/utf8.h"

namespace fathom {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

void check(const ChatSettings& settings) {
  infer::check(settings.sampling);
  if (settings.max_tokens < 1) fail_input("max-tokens is {}: use at least 1", settings.max_tokens);
  if (settings.system && settings.system->find_first_not_of(blanks) == std::string::npos) {
    fail_input("the system prompt is empty: leave it out");
  }
}

// Passes text on from its first character that is not blank: templates put the space before an
// answer themselves.
class WithoutLeadingBlanks {
 public:
  std::string_view push(std::string_view piece) {
    if (!begun_) piece.remove_prefix(std::min(piece.find_first_not_of(blanks), piece.size()));
    begun_ = begun_ || !piece.empty();
    return piece;
  }

 private:
  bool begun_ = false;
};

Conversation read_conversation(const std::string& path) {
  RecordReader reader({path});
  JsonRecord record, second;
  if (!reader.next(record)) fail_input("{}: it contains no conversation", path);
  if (reader.next(second)) fail_input("{}: it contains more than one conversation", path);
  return with_location(record.where(), [&] {
    const std::vector<Conversation> all = conversations_of(parse_row(record));
    if (all.size() != 1) fail_input("holds {} conversations, and one can go on", all.size());
    check_conversation(all.front(), ConversationUse::training);
    if (all.front().messages.back().role != "assistant") {
      fail_input("ends with a message that has no answer: leave it out");
    }
    return all.front();
  });
}

}  // namespace

ChatSession::ChatSession(std::unique_ptr<ChatResponder> responder, const ChatSettings& settings)
    : responder_(std::move(responder)) {
  change(settings);
}

ChatSession::ChatSession(const infer::LoadedModel& model, infer::TextEngine& engine,
                         const ChatTemplate& chat, const ChatSettings& settings)
    : ChatSession(std::make_unique<LocalChat>(model, engine, chat), settings) {}

void ChatSession::change(const ChatSettings& settings) {
  check(settings);
  settings_ = settings;
}

std::int64_t ChatSession::context() const {
  return responder_->context();
}

Conversation ChatSession::shown() const {
  Conversation shown;
  shown.messages.assign(messages_.begin() + static_cast<std::ptrdiff_t>(first_), messages_.end());
  return shown;
}

// Where the second of the turns that are shown begins; the number of messages when there is none.
std::size_t ChatSession::next_turn() const {
  std::size_t next = first_ + 1;
  while (next < messages_.size() && messages_[next].role != "user") ++next;
  return next;
}

ChatSession::Room ChatSession::make_room() {
  // An answer may be cut by the context, but not to a few words while old turns could go.
  const std::int64_t wanted =
      std::min(settings_.max_tokens, std::max<std::int64_t>(1, context() / 4));
  for (std::int64_t dropped = 0;; ++dropped) {
    const std::int64_t tokens = responder_->prompt_tokens(shown(), settings_);
    const Room room{context() - tokens, dropped};
    if (tokens + wanted <= context()) return room;
    if (const std::size_t next = next_turn(); next < messages_.size()) {
      first_ = next;
    } else if (tokens < context()) {
      return room;
    } else {
      fail_input(
          "the message is {} tokens with the system prompt, and the model's context of {} must "
          "hold "
          "the answer too: shorten it",
          tokens, context());
    }
  }
}

ChatAnswer ChatSession::answer(std::int64_t room, const TakePiece& take) {
  ChatSettings settings = settings_;
  settings.max_tokens = std::min(settings.max_tokens, room);
  settings.sampling.stream = messages_.size();
  std::string text;
  WithoutLeadingBlanks begun;
  ChatAnswer answer = responder_->answer(shown(), settings, [&](std::string_view piece) {
    const std::string_view rest = begun.push(piece);
    text += rest;
    return take(rest);
  });
  answer.text = std::move(text);
  utf8::replace_invalid(answer.text);  // templates read nothing else
  return answer;
}

ChatAnswer ChatSession::ask(const std::string& text, const TakePiece& take) {
  const std::size_t before = messages_.size(), first_before = first_;
  const auto give_up = [&] {
    messages_.resize(before);
    first_ = first_before;
  };
  try {
    if (text.find_first_not_of(blanks) == std::string::npos) fail_input("the message is empty");
    std::string valid = text;
    utf8::replace_invalid(valid);
    messages_.push_back(make_message("user", std::move(valid)));
    const Room room = make_room();
    ChatAnswer answer = this->answer(room.tokens, take);
    answer.dropped_turns = room.dropped_turns;
    if (answer.text.empty()) {
      give_up();
    } else {
      messages_.push_back(make_message("assistant", answer.text));
    }
    return answer;
  } catch (...) {
    give_up();
    throw;
  }
}

void ChatSession::reset() {
  messages_.clear();
  first_ = 0;
}

void ChatSession::save(const std::string& path) const {
  RowJson messages = RowJson::array();
  const auto add = [&](const std::string& role, const RowJson& fields) {
    RowJson message = {{"role", role}};
    message.update(fields);
    messages.push_back(std::move(message));
  };
  if (settings_.system) add("system", {{"content", *settings_.system}});
  for (const Message& message : messages_) add(message.role, message.fields);
  const RowJson row = {{"messages", std::move(messages)}};
  // A system prompt may be no UTF-8.
  write_file_atomically(path, row.dump(-1, ' ', false, RowJson::error_handler_t::replace) + "\n");
}

void ChatSession::load(const std::string& path) {
  Conversation conversation = read_conversation(path);
  std::vector<Message>& messages = conversation.messages;
  if (!conversation.tools.is_null()) fail_input("{}: its tools cannot be used here", path);
  const auto end = std::ranges::find_if(messages, [](const Message& message) {
    return message.role == "user" || message.role == "assistant";
  });
  for (auto system = messages.begin(); system != end; ++system) {
    settings_.system = std::string(system->content());
  }
  messages.erase(messages.begin(), end);
  messages_ = std::move(messages);
  first_ = 0;
}

}  // namespace fathom
