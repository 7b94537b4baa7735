#include "cli/terminal_lines.h"

#include <histedit.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include "core/error.h"

namespace fathom::cli {
namespace {

// Takes one signal off the descriptor; false when there is none.
bool take_signal(int descriptor) {
  signalfd_siginfo signal;
  return read(descriptor, &signal, sizeof(signal)) == sizeof(signal);
}

int open_interrupts() {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  const int descriptor = signalfd(-1, &interrupt, SFD_NONBLOCK | SFD_CLOEXEC);
  require(descriptor >= 0, "signalfd: error {}", errno);
  return descriptor;
}

// Editing counts columns, for which it must know the encoding.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

// libedit's editor with its history.
struct TerminalLines::Editor {
  Editor(std::string wanted_prompt, int interrupts)
      : prompt(std::move(wanted_prompt)), signals(interrupts) {
    constexpr int remembered_lines = 1000;
    history(lines, &event, H_SETSIZE, remembered_lines);
    history(lines, &event, H_SETUNIQUE, 1);
    el_set(line, EL_CLIENTDATA, this);
    el_set(line, EL_PROMPT, prompt_of);
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_HIST, history, lines);
    el_wset(line, EL_GETCFN, read_character);
  }
  ~Editor() {
    el_end(line);
    history_end(lines);
  }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  static Editor& of(EditLine* line) {
    void* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return *static_cast<Editor*>(self);
  }
  static char* prompt_of(EditLine* line) { return of(line).prompt.data(); }

  // The next character typed: 1; the end: 0; Ctrl-C or an error: -1.
  static int read_character(EditLine* line, wchar_t* character) {
    Editor& self = of(line);
    std::mbstate_t state{};
    for (;;) {
      pollfd sources[] = {{STDIN_FILENO, POLLIN, 0}, {self.signals, POLLIN, 0}};
      if (poll(sources, 2, -1) < 0 && errno != EINTR) return -1;
      if (take_signal(self.signals)) {
        self.interrupted = true;
        return -1;
      }
      if (sources[0].revents == 0) continue;
      char byte = 0;
      const ssize_t count = read(STDIN_FILENO, &byte, 1);
      if (count <= 0) return static_cast<int>(count);
      const std::size_t length = std::mbrtowc(character, &byte, 1, &state);
      if (length == static_cast<std::size_t>(-2)) continue;  // more bytes follow
      if (length != static_cast<std::size_t>(-1)) return 1;
      state = {};
    }
  }

  std::string prompt;
  int signals;
  bool interrupted = false;
  EditLine* line = el_init("fathom", stdin, stderr, stderr);
  History* lines = history_init();
  HistEvent event{};
};

TerminalLines::TerminalLines(std::string prompt) : interrupts_(open_interrupts()) {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, &old_mask_);
  use_utf8();
  editor_ = std::make_unique<Editor>(std::move(prompt), interrupts_);
}

TerminalLines::~TerminalLines() {
  interrupted();  // one that nobody waits for any more
  editor_.reset();
  close(interrupts_);
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

TerminalLines::Event TerminalLines::next(std::string& line) {
  editor_->interrupted = false;
  int count = 0;
  const char* const typed = el_gets(editor_->line, &count);
  if (!typed || count <= 0) {
    std::fputc('\n', stderr);
    el_reset(editor_->line);
    return editor_->interrupted ? Event::interrupt : Event::end;
  }
  line.assign(typed, static_cast<std::size_t>(count));
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  if (!line.empty()) history(editor_->lines, &editor_->event, H_ENTER, typed);
  return Event::line;
}

bool TerminalLines::interrupted() {
  bool any = false;
  while (take_signal(interrupts_)) any = true;
  return any;
}

}  // namespace fathom::cli
