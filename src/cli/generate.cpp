// fathom generate: generates text with a trained model. The text of one prompt streams to
// the terminal; those of many become JSON lines, in the order in which they finish. Answers to
// conversations are JSON lines in the order of their file.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "align/chat_session.h"
#include "align/conversation_answers.h"
#include "cli/commands.h"
#include "cli/generation_options.h"
#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "infer/text_engine.h"
#include "infer/weight_copy.h"
#include "text/document.h"

namespace fathom::cli {
namespace {

struct GenerateArguments : GenerationOptions {
  GenerateArguments() { file_weights = infer::FileWeights::in_place; }

  std::string prompts_file, conversations;
  std::vector<std::string> prompts, stop;
  std::int64_t max_tokens = 128, batch = 16;
  bool parse_special = false;
  TemplateOptions chat;
};

// A prompt, and its name in messages.
struct Prompt {
  std::string text, name;
};

// One prompt a line, or JSON lines or Parquet: objects with a prompt, in a .jsonl file strings too.
std::vector<Prompt> read_prompts(const std::string& path) {
  DocumentOptions options;
  options.otherwise = TextFormat::lines;
  options.fields = {"prompt", "text"};
  options.bare_strings = true;
  options.keep_empty_lines = true;
  options.remedy = "use a string, or an object with \"prompt\" as a string";
  DocumentCounts counts;
  std::vector<Prompt> prompts;
  for (Document& document : read_documents(path, options, counts)) {
    // A blank line is not a prompt; the engine refuses an empty one in JSON.
    if (document.text.empty() && document.metadata.empty()) continue;
    prompts.push_back({std::move(document.text), std::move(document.source)});
  }
  for (const std::string& line : lines_about(counts)) log::warning("--prompts: {}", line);
  if (prompts.empty()) fail_input("{}: it contains no prompt", path);
  return prompts;
}

class Generator {
 public:
  explicit Generator(const GenerateArguments& arguments)
      : arguments_(arguments),
        context_(parse_device(arguments.device)),
        model_(load_model(arguments, context_)),
        copy_(*model_.parameters) {}

  // Answers the rows of the file of conversations on standard output.
  void answer() {
    const ChatTemplate chat =
        ChatTemplate::open(arguments_.chat.choice, model_.directory, model_.tokenizer);
    stop_at_end_of_turn(model_, chat);
    answer_conversations(arguments_.conversations, model_, chat,
                         {arguments_.chat.system, arguments_.max_tokens, arguments_.stop,
                          arguments_.sampling, arguments_.batch},
                         context_, std::cout);
  }

  // Writes the text to standard output as it is generated.
  void stream(const Prompt& prompt) {
    const std::vector<infer::TextRequest> requests = requests_of({prompt});
    start_engine(requests);
    write_text(prompt, requests);
  }

  // The same for each line of standard input, on one engine for any length.
  void run_interactive() {
    infer::EngineOptions options;
    options.limits.max_sequences = 1;
    engine_.emplace(model_, context_, options);
    const bool terminal = isatty(STDIN_FILENO) != 0;
    std::string line;
    for (std::int64_t number = 1; true; ++number) {
      if (terminal) std::cerr << "> " << std::flush;
      if (!std::getline(std::cin, line)) break;
      if (line.ends_with('\r')) line.pop_back();
      if (line.empty()) continue;
      try {
        const Prompt prompt{line, fmt::format("line {}", number)};
        write_text(prompt, requests_of({prompt}));
      } catch (const Error& error) {
        // A person who types prompts may try again.
        if (!terminal || error.kind() != ErrorKind::input) throw;
        log::write(log::Level::error, error.what());
      }
    }
  }

  // Writes one line of JSON per prompt, in the order in which they finish.
  void write_json(const std::vector<Prompt>& prompts) {
    const std::vector<infer::TextRequest> requests = requests_of(prompts);
    start_engine(requests);
    Progress progress("generate", prompts.size());
    std::vector<std::string> texts(prompts.size());
    run(prompts, requests, [&](std::size_t i, const infer::TextEvent& event, const Counts& counts) {
      texts[i] += event.text;
      if (event.finish == infer::FinishReason::none) return;
      const nlohmann::json line{{"index", i},
                                {"prompt", prompts[i].text},
                                {"text", texts[i]},
                                {"prompt_tokens", counts.prompt},
                                {"tokens", counts.generated},
                                {"finish_reason", infer::to_string(event.finish)}};
      // Text may end inside a character, which becomes U+FFFD.
      std::cout << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
      progress.advance(1);
    });
    std::cout.flush();
  }

 private:
  struct Counts {
    std::int64_t prompt = 0, generated = 0;
  };

  // Of a request whose prompt is token ids.
  static std::int64_t prompt_length(const infer::TextRequest& request) {
    return std::ssize(std::get<std::vector<std::int32_t>>(request.prompt));
  }

  // The prompts as token ids, each with a stream of random numbers of its own.
  std::vector<infer::TextRequest> requests_of(const std::vector<Prompt>& prompts) const {
    std::vector<infer::TextRequest> requests;
    for (const Prompt& prompt : prompts) {
      infer::TextRequest request;
      request.prompt = prompt.text;
      if (arguments_.parse_special) request.special_text = SpecialText::parse;
      request.prompt = with_location(
          prompt.name, [&] { return infer::prompt_tokens(model_.tokenizer, request); });
      request.continues_prompt = true;
      request.max_tokens = arguments_.max_tokens;
      request.stop = arguments_.stop;
      request.sampling = arguments_.sampling;
      request.sampling.stream = requests.size();
      requests.push_back(std::move(request));
    }
    return requests;
  }

  // Makes an engine with a cache for the longest of the requests.
  void start_engine(const std::vector<infer::TextRequest>& requests) {
    std::int64_t longest = 0;
    for (const infer::TextRequest& request : requests) {
      longest = std::max(longest, prompt_length(request));
    }
    infer::EngineOptions options;
    options.limits.max_sequences = std::min(arguments_.batch, std::ssize(requests));
    const std::int64_t context = model_.stage->config().max_position;
    // Both parts of the sum are at most the context, so it does not overflow.
    options.max_length = std::max<std::int64_t>(
        2, std::min(longest, context) + std::min(arguments_.max_tokens, context));
    engine_.emplace(model_, context_, options);
  }

  void write_text(const Prompt& prompt, const std::vector<infer::TextRequest>& requests) {
    run({prompt}, requests, [](std::size_t, const infer::TextEvent& event, const Counts&) {
      std::cout << event.text << std::flush;
      if (event.finish != infer::FinishReason::none) std::cout << std::endl;
    });
  }

  // Submits all prompts, or none when one is refused. The index of each by its request.
  std::map<infer::RequestId, std::size_t> submit(const std::vector<Prompt>& prompts,
                                                 const std::vector<infer::TextRequest>& requests) {
    std::map<infer::RequestId, std::size_t> indices;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      try {
        with_location(prompts[i].name, [&] { indices.emplace(engine_->submit(requests[i]), i); });
      } catch (const Error&) {
        for (const auto& [id, index] : indices) engine_->cancel(id);
        throw;
      }
    }
    return indices;
  }

  // Calls take(index of the prompt, event, tokens so far) for each event.
  template <class Take>
  void run(const std::vector<Prompt>& prompts, const std::vector<infer::TextRequest>& requests,
           Take&& take) {
    const auto indices = submit(prompts, requests);
    std::vector<Counts> counts;
    for (const infer::TextRequest& request : requests)
      counts.push_back({prompt_length(request), 0});
    const auto start = std::chrono::steady_clock::now();
    while (!engine_->idle()) {
      for (const infer::TextEvent& event : engine_->step()) {
        const std::size_t i = indices.at(event.request);
        counts[i].generated += std::ssize(event.tokens);
        take(i, event, counts[i]);
      }
      // The first token does not wait for it, and few tokens take a part of it alone.
      if (!engine_->idle()) copy_.advance(16);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    Counts total;
    for (const Counts& c : counts) {
      total.prompt += c.prompt;
      total.generated += c.generated;
    }
    log::info("{} tokens of prompt, {} generated in {}: {:.1f} tokens/s", total.prompt,
              total.generated, human_seconds(took.count()),
              static_cast<double>(total.generated) / took.count());
  }

  const GenerateArguments& arguments_;
  Context context_;
  infer::LoadedModel model_;
  infer::WeightCopy copy_;
  std::optional<infer::TextEngine> engine_;
};

void generate(const GenerateArguments& arguments) {
  check(arguments.sampling);
  if (arguments.batch < 1) fail_input("--batch is {}: use at least 1", arguments.batch);
  if (arguments.max_tokens < 1) {
    fail_input("--max-tokens is {}: use at least 1", arguments.max_tokens);
  }
  for (const std::string& stop : arguments.stop) {
    if (stop.empty())
      fail_input("--stop is empty: give the text to end before, or leave the option out");
  }
  if (!arguments.conversations.empty()) {
    if (!arguments.prompts.empty() || !arguments.prompts_file.empty()) {
      fail_input("--conversations cannot be used together with --prompt or --prompts");
    }
    return Generator(arguments).answer();
  }
  if (!arguments.chat.choice.empty() || arguments.chat.system) {
    fail_input("--template and --system are for --conversations; a prompt is read as it is");
  }
  std::vector<Prompt> prompts;
  for (const std::string& text : arguments.prompts) {
    prompts.push_back({text, fmt::format("prompt {}", prompts.size() + 1)});
  }
  if (!arguments.prompts_file.empty()) {
    if (!prompts.empty()) fail_input("--prompt and --prompts cannot be used together");
    prompts = read_prompts(arguments.prompts_file);
  }
  Generator generator(arguments);
  if (prompts.empty()) return generator.run_interactive();
  if (prompts.size() == 1 && arguments.prompts_file.empty()) return generator.stream(prompts[0]);
  generator.write_json(prompts);
}

}  // namespace

void add_generate(CLI::App& app) {
  auto arguments = std::make_shared<GenerateArguments>();
  CLI::App* c = app.add_subcommand("generate", "Generate text with a trained model");
  GenerateArguments& a = *arguments;
  add_generation_options(*c, a);
  c->add_option("--prompt", a.prompts,
                "text to continue; may be repeated, which prints JSON lines");
  c->add_option("--prompts", a.prompts_file,
                "file with one prompt per line, JSON lines (also compressed), or Parquet")
      ->type_name("FILE");
  c->add_option("--conversations", a.conversations,
                "file of conversations as JSON lines or Parquet, each written with its answer")
      ->type_name("FILE");
  add_template_options(*c, a.chat);
  c->add_option("--max-tokens", a.max_tokens, "maximum number of tokens to generate")
      ->capture_default_str();
  c->add_option("--stop", a.stop, "end the text before this string; may be repeated");
  c->add_flag("--parse-special", a.parse_special,
              "read text that spells a special token, such as \"</s>\", as the token");
  c->add_option("--batch", a.batch, "sequences generated at once")->capture_default_str();
  c->footer(
      "Without prompts and conversations, each line of standard input is a prompt.\n"
      "Example: fathom generate runs/tiny --prompt \"Once upon a time\" --temperature 0.8\n"
      "  fathom generate chat-model --conversations questions.jsonl > answers.jsonl");
  c->callback([arguments] { generate(*arguments); });
}

}  // namespace fathom::cli
