// The commands of a chat: lines such as "/temperature 0.7" between the turns.
#pragma once

#include <string>
#include <string_view>

#include "align/chat_session.h"

namespace fathom {

// Whether the line is a command and not a turn. A turn that begins with a slash is written with
// two.
bool is_chat_command(std::string_view line);
// The text of a turn: "//etc" says "/etc".
std::string chat_turn(std::string_view line);

struct ChatCommandResult {
  std::string text;  // for the person; may be empty
  bool quit = false;
};

// Throws an input Error for an unknown command, a wrong argument, and the session's own.
ChatCommandResult run_chat_command(ChatSession& session, std::string_view line);

}  // namespace fathom
