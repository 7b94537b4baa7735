#include "train/repetition_meter.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "infer/text_engine.h"
#include "infer/text_stream.h"
#include "text/utf8.h"
#include "train/benchmarks.h"
#include "train/rank_options.h"

namespace fathom {
namespace {

using Tokens = std::vector<std::int32_t>;

// Most keys and values of answers that are under way, where one text needs less.
constexpr std::size_t cache_bytes = std::size_t{1} << 30;

infer::EngineOptions engine_options(const TrainPlan& plan) {
  const RepetitionConfig& config = plan.config.repetition;
  infer::EngineOptions options;
  options.limits.max_sequences = config.batch;
  options.limits.max_tokens_per_step = std::max<std::int64_t>(512, config.batch);
  // Not a sum of both, which might overflow.
  const std::int64_t context = plan.config.train.sequence_length;
  options.max_length =
      std::max<std::int64_t>(2, std::min(context, std::min(config.prompt_tokens, context) +
                                                      std::min(config.max_tokens, context)));
  const std::int64_t pages = (options.max_length + options.page_size - 1) / options.page_size;
  const std::size_t page_bytes =
      infer::KvCache::page_bytes(plan.config.model, plan.dtype, options.page_size);
  options.cache_bytes = std::max(cache_bytes, static_cast<std::size_t>(pages) * page_bytes);
  options.max_log_probabilities = 0;
  return options;
}

void check_prompt(const MeterPrompt& prompt, const RepetitionConfig& config, std::int64_t length) {
  const std::int64_t tokens = std::ssize(prompt.tokens);
  if (tokens == 0) fail_input("{}: the prompt has no tokens: leave it out", prompt.where);
  if (tokens > config.prompt_tokens) {
    fail_input(
        "{}: the prompt is {} tokens, more than repetition.prompt_tokens = {}: shorten it, or "
        "raise "
        "that",
        prompt.where, tokens, config.prompt_tokens);
  }
  if (config.max_tokens > length - tokens) {
    fail_input(
        "{}: the prompt's {} tokens and an answer of repetition.max_tokens = {} are more than a "
        "sequence of {}: lower repetition.max_tokens, or shorten the prompt",
        prompt.where, tokens, config.max_tokens, length);
  }
}

// Answers as text for gather_texts(): of each its number of tokens, whether it ended, its tokens.
std::string packed(std::span<const infer::Answer> answers) {
  Tokens values;
  for (const infer::Answer& answer : answers) {
    values.push_back(static_cast<std::int32_t>(answer.tokens.size()));
    values.push_back(answer.ended);
    values.insert(values.end(), answer.tokens.begin(), answer.tokens.end());
  }
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::int32_t)};
}

std::vector<infer::Answer> unpacked(const std::string& text) {
  Tokens values(text.size() / sizeof(std::int32_t));
  std::memcpy(values.data(), text.data(), values.size() * sizeof(std::int32_t));
  std::vector<infer::Answer> answers;
  for (auto at = values.begin(); at != values.end();) {
    const std::int32_t count = *at++;
    const bool ended = *at++ != 0;
    answers.push_back({Tokens(at, at + count), ended});
    at += count;
  }
  return answers;
}

}  // namespace

RepetitionMeter::RepetitionMeter(const TrainPlan& plan, const RankGroups& ranks,
                                 const Tokenizer& tokenizer, std::vector<MeterPrompt> prompts,
                                 std::vector<std::int32_t> end_tokens)
    : ranks_(ranks),
      tokenizer_(tokenizer),
      prompts_(std::move(prompts)),
      end_tokens_(std::move(end_tokens)),
      masked_tokens_(infer::rows_without_token(tokenizer_, plan.config.model.vocab_size)),
      max_tokens_(plan.config.repetition.max_tokens) {
  require(!prompts_.empty(), "a repetition meter without prompts");
  const std::int64_t length = PromptContinuer::max_length(learner_options(plan, ranks));
  const auto replicas = static_cast<std::size_t>(plan.parallel.layout.dp);
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    check_prompt(prompts_[i], plan.config.repetition, length);
    if (i % replicas == static_cast<std::size_t>(ranks.place().dp)) {
      own_prompts_.push_back(prompts_[i].tokens);
    }
  }
  if (ranks_share_model(plan)) return;
  engine_options_ = engine_options(plan);
  engine_options_->masked_tokens = masked_tokens_;
}

infer::Engine::Bytes RepetitionMeter::bytes(const TrainPlan& plan) {
  if (!plan.config.repetition.enabled() || ranks_share_model(plan)) return {};
  return infer::Engine::planned_bytes(plan.config.model, plan.dtype, plan.device,
                                      engine_options(plan));
}

std::int64_t RepetitionMeter::logit_rows(const TrainPlan& plan) {
  const RepetitionConfig& config = plan.config.repetition;
  return config.enabled() && ranks_share_model(plan) ? config.batch : 0;
}

void RepetitionMeter::start(Learner& learner, DeviceBatch& memory) {
  if (engine_options_) {
    const Stage* const model = learner.whole_model();
    require(model != nullptr, "the rank's layout holds a part of the model");
    engine_.emplace(*model, learner.context(), *engine_options_);
  }
  if (learner.options().device.type == DeviceType::cpu) return;
  if (engine_) {
    write_by_engine(2);  // a prompt's forward and a token's
  } else {
    PromptContinuer(learner, memory, masked_tokens_)
        .warm_up(own_prompts_, {.max_tokens = max_tokens_});
  }
}

std::vector<infer::Answer> RepetitionMeter::write_by_engine(std::int64_t max_tokens) {
  engine_->forget_prefixes();  // their keys and values are of earlier weights
  std::map<infer::SequenceId, std::size_t> places;
  for (const Tokens& prompt : own_prompts_) {
    infer::Request request;
    request.prompt = prompt;
    request.max_tokens = max_tokens;
    request.end_tokens = end_tokens_;
    request.sampling.temperature = 0;
    places.emplace(engine_->submit(std::move(request)), places.size());
  }
  std::vector<infer::Answer> answers(own_prompts_.size());
  while (!engine_->idle()) {
    for (const infer::GeneratedToken& token : engine_->step()) {
      infer::Answer& answer = answers[places.at(token.sequence)];
      answer.ended = token.finish == infer::FinishReason::end_of_text;
      if (!answer.ended) answer.tokens.push_back(token.drawn.token);
    }
  }
  return answers;
}

std::vector<infer::Answer> RepetitionMeter::write(Learner& learner, DeviceBatch& memory,
                                                  std::int64_t max_tokens) {
  learner.parameters();  // the engine must not read weights that replicas still gather
  if (engine_) return write_by_engine(max_tokens);
  ContinueOptions options;
  options.max_tokens = max_tokens;
  options.sampling.temperature = 0;
  options.end_tokens = end_tokens_;
  return PromptContinuer(learner, memory, masked_tokens_).run(own_prompts_, options);
}

std::vector<infer::Answer> RepetitionMeter::gather(std::span<const infer::Answer> own) const {
  std::vector<infer::Answer> all(prompts_.size());
  const std::vector<std::string> texts = gather_texts(ranks_.data(), packed(own));
  for (std::size_t replica = 0; replica < texts.size(); ++replica) {
    std::size_t place = replica;
    for (infer::Answer& answer : unpacked(texts[replica])) {
      all[place] = std::move(answer);
      place += texts.size();
    }
  }
  return all;
}

std::string RepetitionMeter::text_of(std::span<const std::int32_t> tokens) const {
  infer::TextStream stream(tokenizer_, {});
  std::string text;
  for (const std::int32_t token : tokens) text += stream.push(token);
  text += stream.finish();
  utf8::replace_invalid(text);
  return text;
}

RepetitionResult RepetitionMeter::measure(Learner& learner, DeviceBatch& memory) {
  const std::vector<infer::Answer> answers = gather(write(learner, memory, max_tokens_));
  RepetitionResult result{infer::repetition_of(answers), {}};
  for (std::size_t i = 0; i < answers.size(); ++i) {
    result.answers.push_back({prompts_[i].shown, text_of(answers[i].tokens)});
  }
  return result;
}

std::vector<std::int32_t> encode_as_text(const Tokenizer& tokenizer,
                                         const RepetitionPrompt& prompt) {
  if (!prompt.conversation.empty()) {
    fail_input("{}: a conversation needs a chat template, and this run has none: use \"prompt\"",
               prompt.where);
  }
  infer::TextRequest request;
  request.prompt = prompt.text;
  return infer::prompt_tokens(tokenizer, request);
}

std::unique_ptr<RepetitionMeter> make_repetition_meter(const TrainPlan& plan,
                                                       const RankGroups& ranks,
                                                       const RunTokenizer& files,
                                                       const EncodeMeterPrompt& encode) {
  if (!plan.config.repetition.enabled()) return nullptr;
  if (!std::filesystem::exists(files.path)) {
    fail_input("{}: not there, and [repetition] needs it to read its prompts", files.path);
  }
  const Tokenizer tokenizer = Tokenizer::load(files.path);
  std::vector<MeterPrompt> prompts;
  for (const RepetitionPrompt& prompt : read_repetition_prompts(plan.config.repetition)) {
    std::string shown = prompt.conversation.empty() ? prompt.text : prompt.conversation;
    utf8::replace_invalid(shown);
    prompts.push_back({std::move(shown), encode(tokenizer, prompt), prompt.where});
  }
  wait_for_disks(ranks.world());
  return std::make_unique<RepetitionMeter>(plan, ranks, tokenizer, std::move(prompts),
                                           files.end_tokens);
}

}  // namespace fathom
