#include "train/text_samples.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/log.h"
#include "infer/text_engine.h"
#include "infer/text_stream.h"
#include "io/json_object.h"
#include "text/utf8.h"
#include "train/rank_options.h"

namespace fathom {
namespace {

std::vector<std::int32_t> encode_text(const Tokenizer& tokenizer, const std::string& prompt) {
  infer::TextRequest request;
  request.prompt = prompt;
  return infer::prompt_tokens(tokenizer, request);
}

}  // namespace

TextSamples::TextSamples(const TrainPlan& plan, const RunTokenizer& tokenizer,
                         const RankGroups& ranks, EncodePrompt encode) {
  if (plan.sample_rows() == 0) return;
  const std::string& path = tokenizer.path;
  const bool here = std::filesystem::exists(path);
  const std::vector<int> all = gather_values(ranks.world(), int{here});
  if (std::ranges::count(all, int{here}) != std::ssize(all)) {
    fail_input("{}: only some of the ranks have it: copy it to each host", path);
  }
  if (here) {
    read(plan, path, PromptContinuer::max_length(learner_options(plan, ranks)),
         encode ? encode : encode_text);
    options_.end_tokens = tokenizer.end_tokens;
  } else if (ranks.first()) {
    log::info("{}: not there: the run writes no samples of text", path);
  }
  wait_for_disks(ranks.world());
}

void TextSamples::read(const TrainPlan& plan, const std::string& tokenizer_path,
                       std::int64_t max_length, const EncodePrompt& encode) {
  const ValidationConfig& config = plan.config.validation;
  tokenizer_ = Tokenizer::load(tokenizer_path);
  masked_tokens_ = infer::rows_without_token(*tokenizer_, plan.config.model.vocab_size);
  options_.max_tokens = config.sample_tokens;
  options_.sampling.temperature = config.sample_temperature;
  options_.sampling.seed = static_cast<std::uint64_t>(plan.config.seed);
  for (const std::string& prompt : config.sample_prompts) {
    const std::vector<std::int32_t> tokens = encode(*tokenizer_, prompt);
    if (tokens.empty()) {
      fail_input("validation.sample_prompts: {} has no tokens: leave it out", json_quoted(prompt));
    }
    if (std::ssize(tokens) > max_length) {
      fail_input(
          "validation.sample_prompts: {} is {} tokens, and a sequence of {} has no room to go on "
          "from it: shorten it, or use sample_tokens = 0",
          json_quoted(prompt), tokens.size(), max_length);
    }
    prompts_.push_back(prompt);
    utf8::replace_invalid(prompts_.back());
    prompt_tokens_.push_back(tokens);
  }
}

std::string TextSamples::text_of(std::span<const std::int32_t> tokens) const {
  infer::TextStream stream(*tokenizer_, {});
  std::string text;
  for (const std::int32_t token : tokens) text += stream.push(token);
  text += stream.finish();
  utf8::replace_invalid(text);
  return text;
}

std::vector<TextSample> TextSamples::draw(Learner& learner, DeviceBatch& memory) const {
  if (!tokenizer_) return {};
  const auto continuations =
      PromptContinuer(learner, memory, masked_tokens_).run(prompt_tokens_, options_);
  std::vector<TextSample> samples;
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    samples.push_back({prompts_[i], text_of(continuations[i].tokens)});
  }
  return samples;
}

void TextSamples::warm_up(Learner& learner, DeviceBatch& memory) const {
  if (!tokenizer_) return;
  PromptContinuer(learner, memory, masked_tokens_).warm_up(prompt_tokens_, options_);
}

}  // namespace fathom
