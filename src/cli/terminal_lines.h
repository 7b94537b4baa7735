// Lines that a person types and edits at a terminal, and Ctrl-C as an event.
#pragma once

#include <csignal>
#include <memory>
#include <string>

namespace fathom::cli {

// At most one object a process. It blocks SIGINT, in threads made later too: make it before any.
// No handler could run where oneDNN computes; see core/stop_signals.h.
class TerminalLines {
 public:
  // Reads standard input; prompt and editing are on standard error.
  explicit TerminalLines(std::string prompt);
  ~TerminalLines();
  TerminalLines(const TerminalLines&) = delete;
  TerminalLines& operator=(const TerminalLines&) = delete;

  enum class Event { line, interrupt, end };
  // Waits for a line, without its end. interrupt: Ctrl-C, also one from before, and what was typed
  // is lost; end: Ctrl-D.
  Event next(std::string& line);
  // Whether Ctrl-C was pressed and nobody was told yet.
  bool interrupted();

 private:
  struct Editor;
  sigset_t old_mask_{};
  int interrupts_;  // signalfd
  std::unique_ptr<Editor> editor_;
};

}  // namespace fathom::cli
