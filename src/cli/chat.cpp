// fathom chat: a conversation with a model in the terminal. Answers go to standard output, all
// else to standard error; without a terminal each line of standard input is a turn.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "align/chat_commands.h"
#include "align/chat_session.h"
#include "cli/api_keys.h"
#include "cli/commands.h"
#include "cli/generation_options.h"
#include "cli/terminal_lines.h"
#include "core/error.h"
#include "core/log.h"
#include "serve/remote_chat.h"

namespace fathom::cli {
namespace {

struct ChatArguments : GenerationOptions {
  TemplateOptions chat;
  std::int64_t max_tokens = 1024;
  std::string load, server, api_key_file;
};

// A model of this process, with its engine.
struct ChatModel {
  explicit ChatModel(const ChatArguments& arguments)
      : context(parse_device(arguments.device)),
        model(load_model(arguments, context)),
        chat(ChatTemplate::open(arguments.chat.choice, model.directory, model.tokenizer)) {
    stop_at_end_of_turn(model, chat);
    infer::EngineOptions options;
    options.limits.max_sequences = 1;
    engine.emplace(model, context, options);
  }

  Context context;
  infer::LoadedModel model;
  ChatTemplate chat;
  std::optional<infer::TextEngine> engine;
};

class Chat {
 public:
  explicit Chat(const ChatArguments& arguments)
      : session_(arguments.server.empty() ? open_model(arguments) : open_server(arguments),
                 {arguments.chat.system, arguments.max_tokens, arguments.sampling}) {
    if (!arguments.load.empty()) session_.load(arguments.load);
  }

  void run_terminal(TerminalLines& lines) {
    std::cerr << greeting_ << ". /help lists the commands, Ctrl-D leaves.\n";
    bool leaving = false;
    for (std::string line;;) {
      const TerminalLines::Event event = lines.next(line);
      if (event == TerminalLines::Event::end) return;
      if (event == TerminalLines::Event::interrupt) {
        if (leaving) return;
        leaving = true;
        std::cerr << "Ctrl-C again, or Ctrl-D, leaves.\n";
        continue;
      }
      leaving = false;
      try {
        if (!take(line, [&lines] { return lines.interrupted(); })) return;
      } catch (const Error& error) {
        // A person may try again, also after a server's failure.
        if (error.kind() != ErrorKind::input && local_) throw;
        log::write(log::Level::error, error.what());
      }
      lines.interrupted();  // one that came too late for the answer
    }
  }

  void run_lines() {
    for (std::string line; std::getline(std::cin, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!take(line, [] { return false; })) return;
    }
  }

 private:
  std::unique_ptr<ChatResponder> open_model(const ChatArguments& arguments) {
    local_.emplace(arguments);
    greeting_ = fmt::format("Chat template: {}", local_->chat.name());
    return std::make_unique<LocalChat>(local_->model, *local_->engine, local_->chat);
  }
  std::unique_ptr<ChatResponder> open_server(const ChatArguments& arguments) {
    const std::vector<std::string> keys = api_keys(arguments.api_key_file);
    auto remote =
        std::make_unique<serve::RemoteChat>(arguments.server, keys.empty() ? "" : keys.front());
    greeting_ = fmt::format("{} serves {}", arguments.server, remote->model());
    return remote;
  }

  // False when the line is the command to leave.
  template <class Stopped>
  bool take(const std::string& line, Stopped stopped) {
    if (line.find_first_not_of(" \t") == std::string::npos) return true;
    if (is_chat_command(line)) {
      const ChatCommandResult result = run_chat_command(session_, line);
      if (!result.text.empty()) std::cerr << result.text << '\n';
      return !result.quit;
    }
    const ChatAnswer answer = session_.ask(chat_turn(line), [&](std::string_view piece) {
      std::cout << piece << std::flush;
      return !stopped();
    });
    std::cout << std::endl;
    tell(answer);
    return true;
  }

  void tell(const ChatAnswer& answer) const {
    if (answer.dropped_turns > 0) {
      log::info("the context of {} tokens is full: the oldest {} of the turns are forgotten",
                session_.context(), answer.dropped_turns);
    }
    if (answer.text.empty()) {
      log::info("no answer: the turn is forgotten");
    } else if (answer.stopped) {
      log::info("stopped");
    } else if (answer.finish == infer::FinishReason::length) {
      log::info("the answer is cut here: /max-tokens is {}, the context {} tokens",
                session_.settings().max_tokens, session_.context());
    }
  }

  std::string greeting_;
  std::optional<ChatModel> local_;
  ChatSession session_;  // after what it stands on
};

void chat(const ChatArguments& arguments) {
  if (arguments.model.empty() && arguments.server.empty()) throw CLI::RequiredError("model");
  if (isatty(STDIN_FILENO) == 0) return Chat(arguments).run_lines();
  TerminalLines lines("> ");  // before there are threads
  Chat(arguments).run_terminal(lines);
}

}  // namespace

void add_chat(CLI::App& app) {
  auto arguments = std::make_shared<ChatArguments>();
  CLI::App* c = app.add_subcommand("chat", "Talk with a model in the terminal");
  ChatArguments& a = *arguments;
  add_generation_options(*c, a);
  add_template_options(*c, a.chat);
  c->add_option("--max-tokens", a.max_tokens, "maximum number of tokens of an answer")
      ->capture_default_str();
  c->add_option("--load", a.load, "go on with a conversation that /save wrote")->type_name("FILE");
  CLI::Option* server = c->add_option("--server", a.server,
                                      "talk with a running server, such as http://localhost:8000")
                            ->type_name("URL");
  c->add_option("--api-key-file", a.api_key_file,
                "file with the server's key; default: the variable FATHOM_API_KEY, or no key")
      ->type_name("FILE")
      ->needs(server);
  c->get_option("model")->required(false);
  // What the server has chosen.
  for (const char* name : {"model", "--tokenizer", "--device", "--dtype", "--threads",
                           "--batch-invariant", "--template"}) {
    server->excludes(c->get_option(name));
  }
  c->footer(
      "Commands: /help /system /temperature /top-p /max-tokens /seed /reset /save /load /quit.\n"
      "Without a terminal each line of standard input is a turn.\n"
      "Example: fathom chat runs/sft/model --system \"Answer in one sentence.\" --temperature "
      "0.7\n"
      "  fathom chat --server http://localhost:8000\n"
      "  echo \"Why is the sky blue?\" | fathom chat model --template deepseek");
  c->callback([arguments] { chat(*arguments); });
}

}  // namespace fathom::cli
