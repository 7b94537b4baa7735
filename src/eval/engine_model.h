// A model of this process, on the generation engine.
#pragma once

#include "align/chat_template.h"
#include "core/context.h"
#include "eval/language_model.h"
#include "infer/engine.h"
#include "infer/model_loader.h"

namespace fathom::eval {

struct EngineModelOptions {
  std::int64_t max_sequences = 64;  // at once
  std::size_t cache_bytes = std::size_t{4} << 30;
  std::int64_t max_length = 0;  // of context and continuation in tokens; 0: the model's context
  const ChatTemplate* chat = nullptr;  // for requests with a chat; must outlive the model
  ChatOptions chat_options = {};
};

// Requests that begin alike are read once: they are sorted, so that the beginnings that they share
// are still in the engine's cache, and continuations of one token behind the same context are one
// request.
class EngineModel : public LanguageModel {
 public:
  // `model` and `context` must outlive this.
  EngineModel(const infer::LoadedModel& model, Context& context, const EngineModelOptions& options);

  void score(std::span<const TextPair> pairs, const TakeScore& take) override;
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override;
  void score_documents(std::span<const std::string> documents, const TakeScore& take) override;
  Work work() const override;

 private:
  // Tokens to score, and which request they belong to.
  struct Tokens {
    std::vector<std::int32_t> tokens;
    std::int64_t first = 1;  // the first one to score
    std::size_t index = 0;
  };
  std::int32_t prefix() const;
  std::vector<std::int32_t> encode(const std::string& text) const;
  std::vector<std::int32_t> encode(const Conversation& chat) const;
  Tokens tokens_of(const TextPair& pair, std::size_t index) const;
  void add_windows(const std::string& document, std::size_t index, std::vector<Tokens>& windows) const;
  // Runs requests and gives the scores of each.
  void run(std::vector<Tokens> requests, const TakeScore& take);
  infer::EngineOptions engine_options(std::int64_t longest) const;

  const infer::LoadedModel& model_;
  Context& context_;
  EngineModelOptions options_;
  std::int64_t max_length_;
  Work work_;
};

}  // namespace fathom::eval
