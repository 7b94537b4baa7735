// A model of this process, on the generation engine.
#pragma once

#include "align/chat_template.h"
#include "core/context.h"
#include "eval/token_model.h"
#include "infer/model_loader.h"
#include "infer/text_engine.h"

namespace fathom::eval {

struct EngineModelOptions {
  std::int64_t max_sequences = 64;  // at once
  std::size_t cache_bytes = std::size_t{4} << 30;
  std::int64_t max_length = 0;  // of context and continuation in tokens; 0: the model's context
  const ChatTemplate* chat = nullptr;  // for requests with a chat; must outlive the model
  ChatOptions chat_options = {};
  std::function<bool()> stopped = {};  // as TokenModelOptions'
};

// Requests that begin alike are read once: they are sorted, so that the beginnings that they share
// are still in the engine's cache, and continuations of one token behind the same context are one
// request.
class EngineModel : public TokenModel {
 public:
  // `model` and `context` must outlive this.
  EngineModel(const infer::LoadedModel& model, Context& context, const EngineModelOptions& options);

  // Takes the engine's memory once, for all texts to come; else it is taken for each call. Prefixes
  // are forgotten between calls: the weights may have changed.
  void hold();

  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override;
  Work work() const override;

 private:
  void score_tokens(std::vector<ScoredTokens> requests, const TakeScore& take) override;
  infer::EngineOptions engine_options(std::int64_t longest) const;
  // The engine that is held, or one in `own`.
  infer::TextEngine& engine_for(std::int64_t longest, std::optional<infer::TextEngine>& own);

  const infer::LoadedModel& model_;
  Context& context_;
  EngineModelOptions options_;
  std::optional<infer::TextEngine> held_;
  Work work_;
};

}  // namespace fathom::eval
