// fathom dpo sample: makes preference pairs of a model's own answers.
#include "cli/dpo_sample.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "align/answer_files.h"
#include "align/answer_sampler.h"
#include "align/base_model.h"
#include "cli/generation_options.h"
#include "cli/own_options.h"
#include "core/enum_names.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "io/atomic_file.h"
#include "io/line_reader.h"

namespace fathom::cli {
namespace {

struct DpoSampleArguments {
  std::string model, output, chat_template, system, answers_file, from_answers, scores, reward;
  std::string rule = "complete", device = "cpu", dtype = "auto";
  std::vector<std::string> prompts;
  int threads = 0;
  SampleOptions sample;
};

std::vector<SampledPrompt> draw(const DpoSampleArguments& arguments) {
  const std::vector<Conversation> prompts = read_prompts(arguments.prompts);
  Context context(parse_device(arguments.device));
  const BaseModel base = open_base_model(arguments.model, arguments.chat_template);
  infer::LoadedModel model = infer::load_model(
      arguments.model,
      {"", parse_dtype(arguments.dtype), MatrixStorage::dtype, infer::FileWeights::copied},
      context);
  model.end_tokens = base.files.end_tokens;
  ChatOptions chat;
  if (!arguments.system.empty()) {
    chat.system = SystemPrompt::add;
    chat.system_text = arguments.system;
  }
  std::vector<std::vector<std::int32_t>> tokens;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    tokens.push_back(with_location(fmt::format("prompt {}", i + 1), [&] {
      return base.chat.encode_prompt(prompts[i], base.tokenizer, chat);
    }));
  }
  std::vector<SampledPrompt> all;
  Progress progress("answers", prompts.size());
  sample_answers(model, context, tokens, arguments.sample,
                 [&](std::size_t prompt, std::vector<AnswerSample> answers) {
                   all.push_back({prompts[prompt].messages, std::move(answers)});
                   progress.advance(1);
                 });
  progress.finish();
  return all;
}

// What the user's program writes when it reads the file of answers.
std::string output_of(const std::string& command, const std::string& answers_file) {
  std::string quoted;
  for (const char c : answers_file) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  // The group reads the file as a whole: a pipeline gives it to its first command.
  FILE* const pipe = popen(("{ " + command + "\n} < '" + quoted + "'").c_str(), "r");
  if (!pipe) fail_runtime("--reward: {}: cannot be started", command);
  std::string text;
  char buffer[4096];
  for (std::size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    text.append(buffer, n);
  }
  const int status = pclose(pipe);
  if (status != 0) fail_runtime("--reward: {}: ended with status {}", command, status);
  return text;
}

std::vector<std::vector<double>> scores_of(const DpoSampleArguments& arguments,
                                           const std::vector<SampledPrompt>& all) {
  if (!arguments.scores.empty()) {
    return parse_scores(read_text(arguments.scores), arguments.scores, all);
  }
  if (!arguments.reward.empty()) {
    const std::string& file =
        arguments.from_answers.empty() ? arguments.answers_file : arguments.from_answers;
    return parse_scores(output_of(arguments.reward, file), "--reward", all);
  }
  const AnswerRule rule = enum_of<AnswerRule>(arguments.rule).value();
  std::vector<std::vector<double>> scores;
  for (const SampledPrompt& sampled : all) scores.push_back(scores_by_rule(sampled.answers, rule));
  return scores;
}

void check_options(const DpoSampleArguments& arguments) {
  const bool reads = !arguments.from_answers.empty();
  if (reads == !arguments.prompts.empty()) {
    fail_input("give either a file of prompts, to draw answers, or --from-answers");
  }
  if (!reads && arguments.model.empty()) fail_input("--model is missing: it draws the answers");
  if (!arguments.scores.empty() && !reads) {
    fail_input("--scores belongs to a file of answers: give it by --from-answers");
  }
  if (!arguments.reward.empty() && !reads && arguments.answers_file.empty()) {
    fail_input("--reward reads a file of answers: name it by --answers-file");
  }
  check(arguments.sample.sampling);
}

void sample(const DpoSampleArguments& arguments) {
  check_options(arguments);
  if (arguments.threads > 0) set_num_threads(arguments.threads);
  const std::vector<SampledPrompt> all =
      arguments.from_answers.empty() ? draw(arguments) : read_answers(arguments.from_answers);
  if (!arguments.answers_file.empty()) {
    AtomicFile file(arguments.answers_file);
    for (const SampledPrompt& sampled : all) file.write(answers_line(sampled) + "\n");
    file.commit();
  }
  if (arguments.output.empty()) return;
  const std::vector<std::vector<double>> scores = scores_of(arguments, all);
  AtomicFile file(arguments.output);
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string line = pair_line(all[i], scores[i]);
    if (line.empty()) continue;
    file.write(line + "\n");
    ++pairs;
  }
  file.commit();
  log::info("{} pairs in {}; {} prompts have no answers of different scores", pairs,
            arguments.output, all.size() - pairs);
}

}  // namespace

CLI::App* add_dpo_sample(CLI::App& dpo) {
  auto arguments = std::make_shared<DpoSampleArguments>();
  DpoSampleArguments& a = *arguments;
  CLI::App* c =
      dpo.add_subcommand("sample", "Make preference pairs of a model's own answers to prompts");
  c->add_option("prompts", a.prompts, "files of prompts: rows with a prompt or with messages")
      ->type_name("FILE");
  c->add_option("--model", a.model, "Hugging Face directory, run directory or checkpoint")
      ->type_name("DIR");
  c->add_option("--output", a.output, "file of pairs to write, as JSON lines; none: answers alone")
      ->type_name("FILE");
  c->add_option("--answers", a.sample.answers, "answers to each prompt")
      ->check(CLI::Range(2, 1024))
      ->capture_default_str();
  c->add_option("--rule", a.rule,
                "complete: an answer that ends by itself and does not repeat is better; shorter, "
                "longer: the same, and then by length")
      ->check(CLI::IsMember({"complete", "shorter", "longer"}))
      ->capture_default_str();
  c->add_option("--answers-file", a.answers_file, "write all answers there, as JSON lines")
      ->type_name("FILE");
  c->add_option("--from-answers", a.from_answers, "rank the answers of such a file, draw none")
      ->type_name("FILE");
  CLI::Option* scores =
      c->add_option("--scores", a.scores,
                    "rank by this file: on each line an array with a score an answer")
          ->type_name("FILE");
  c->add_option("--reward", a.reward,
                "rank by what this shell command writes, such lines, when it reads the answers")
      ->type_name("COMMAND")
      ->excludes(scores);
  c->add_option("--template", a.chat_template,
                "deepseek, chatml, plain, a .jinja file or one of the model's; default: its own")
      ->type_name("NAME|FILE");
  c->add_option("--system", a.system, "system prompt for conversations without one");
  c->add_option("--max-tokens", a.sample.max_tokens, "longest answer in tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--temperature", a.sample.sampling.temperature, "higher is more random")
      ->capture_default_str();
  c->add_option("--top-p", a.sample.sampling.top_p,
                "draw from the fewest tokens whose probabilities reach p together")
      ->capture_default_str();
  c->add_option("--seed", a.sample.sampling.seed, "seed of the random choices")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_option("--batch", a.sample.batch, "answers drawn at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--device", a.device, "cpu, cuda or cuda:N")->capture_default_str();
  c->add_option("--dtype", a.dtype, "auto (as stored), f32 or bf16")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}))
      ->capture_default_str();
  c->add_option("--threads", a.threads, "CPU threads; 0: all cores")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  c->footer("Example: fathom dpo sample prompts.jsonl --model runs/sft/model --output pairs.jsonl");
  c->callback([arguments, c] {
    refuse_own_options(*c);
    sample(*arguments);
  });
  return c;
}

}  // namespace fathom::cli
