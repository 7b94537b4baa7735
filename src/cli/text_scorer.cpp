#include "cli/text_scorer.h"

#include <cmath>
#include <filesystem>
#include <numbers>
#include <numeric>

#include "align/weights_checksum.h"
#include "core/config.h"
#include "core/error.h"
#include "infer/model_loader.h"
#include "infer/scorer.h"
#include "io/checksum.h"

namespace fathom::cli {
namespace {

// The token that a document's first one is predicted behind.
std::int32_t beginning(const Tokenizer& tokenizer) {
  if (const auto id = tokenizer.bos_id()) return *id;
  if (const auto id = tokenizer.eos_id()) return *id;
  fail_input(
      "perplexity.model: its tokenizer has no token for the beginning or the end of a document, "
      "which the first token is predicted behind");
}

class ModelScorer : public clean::TextScorer {
 public:
  explicit ModelScorer(const clean::PerplexityConfig& config)
      : config_(config),
        context_(with_location("perplexity.device", [&] { return parse_device(config.device); })),
        loaded_(load()),
        identity_(identity_of_loaded()),
        beginning_(beginning(loaded_.tokenizer)),
        scorer_(*loaded_.stage, context_) {
    const std::int64_t longest = loaded_.stage->config().max_position;
    if (config_.max_tokens > longest) {
      fail_input("perplexity.max_tokens: {} are more than the model's context of {}",
                 config_.max_tokens, longest);
    }
  }

  std::vector<double> bits_per_byte(std::span<const std::string_view> texts) override {
    std::vector<infer::ScoreRequest> requests;
    std::vector<std::size_t> owners;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      infer::ScoreRequest request = request_of(texts[i]);
      if (request.tokens.size() == 1) continue;  // the tokenizer drops all of the text
      requests.push_back(std::move(request));
      owners.push_back(i);
    }
    const std::vector<std::vector<float>> scores = scorer_.score(requests);
    std::vector<double> results(texts.size());
    for (std::size_t i = 0; i < owners.size(); ++i) {
      const double sum = std::accumulate(scores[i].begin(), scores[i].end(), 0.0);
      const std::string_view text = texts[owners[i]];
      results[owners[i]] = -sum / std::numbers::ln2 / bytes_of(requests[i], text);
    }
    return results;
  }

  std::string identity() const override { return identity_; }

 private:
  // What scores depend on, of the files as they were loaded.
  std::string identity_of_loaded() const {
    const std::string& path = config_.model;
    const bool file = std::filesystem::is_regular_file(path);
    ModelConfig config = loaded_.stage->config();
    return fmt::format("{} {} {} {}",
                       file ? checksum_text(checksum_of_file(path)) : weights_checksum(path),
                       checksum_text(checksum_of(config_to_toml(config))),
                       checksum_text(loaded_.tokenizer.hash()), name_of(loaded_.stage->dtype()));
  }

  infer::LoadedModel load() {
    // So that a document's score does not depend on those that are read with it.
    context_.batch_invariance = BatchInvariance::on;
    return with_location("perplexity.model",
                         [&] { return infer::load_model(config_.model, {}, context_); });
  }

  infer::ScoreRequest request_of(std::string_view text) const {
    infer::ScoreRequest request;
    request.tokens = loaded_.tokenizer.encode(text, encode_plain);
    if (std::ssize(request.tokens) > config_.max_tokens) {
      request.tokens.resize(static_cast<std::size_t>(config_.max_tokens));
    }
    request.tokens.insert(request.tokens.begin(), beginning_);
    return request;
  }

  // Of what is scored: the text, or of one that is cut its first tokens.
  double bytes_of(const infer::ScoreRequest& request, std::string_view text) const {
    if (std::ssize(request.tokens) <= config_.max_tokens) return static_cast<double>(text.size());
    std::size_t bytes = 0;
    for (const std::int32_t id : std::span(request.tokens).subspan(1)) {
      bytes += loaded_.tokenizer.id_to_bytes(id).size();
    }
    return static_cast<double>(bytes);
  }

  clean::PerplexityConfig config_;
  Context context_;
  infer::LoadedModel loaded_;
  std::string identity_;
  std::int32_t beginning_;
  infer::Scorer scorer_;
};

}  // namespace

std::unique_ptr<clean::TextScorer> open_text_scorer(const clean::PerplexityConfig& config) {
  return std::make_unique<ModelScorer>(config);
}

}  // namespace fathom::cli
