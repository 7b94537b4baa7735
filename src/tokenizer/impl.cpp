#include "tokenizer/impl.h"

#include <algorithm>

#include "core/error.h"
#include "text/utf8.h"

namespace fathom {
namespace tokenizer {
namespace {

std::size_t favourite_slot(std::size_t slots) {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads.fetch_add(1, std::memory_order_relaxed);
  return mine % slots;
}

// All tokens by id: the model's, and the added ones that it lacks.
std::vector<std::string> all_tokens(const TokenizerSpec& spec) {
  std::vector<std::string> tokens = spec.model.vocab;
  for (const auto& token : spec.added_tokens) {
    const auto index = static_cast<std::size_t>(token.id);
    if (index >= tokens.size()) tokens.resize(index + 1);
    tokens[index] = token.content;
  }
  return tokens;
}

// The same as decoding writes them: added tokens that are looked for in the
// normalised text come back normalised, as Hugging Face's do.
std::vector<std::string> spelled_tokens(const TokenizerSpec& spec, const Normalizer& normalizer,
                                        std::vector<std::string> tokens) {
  for (const auto& token : spec.added_tokens) {
    if (token.normalized) normalizer.apply(tokens[static_cast<std::size_t>(token.id)]);
  }
  return tokens;
}

// Hands the pieces on to the model.
class Encoding final : public PreTokenizer::Sink {
 public:
  Encoding(const Bpe& bpe, Bpe::Scratch& scratch, std::vector<std::int32_t>& ids)
      : bpe_(bpe), scratch_(scratch), ids_(ids) {}
  void piece(std::string_view text) override { bpe_.encode(text, scratch_, ids_); }

 private:
  const Bpe& bpe_;
  Bpe::Scratch& scratch_;
  std::vector<std::int32_t>& ids_;
};

}  // namespace

WorkspacePool::~WorkspacePool() {
  for (auto& slot : slots_) delete slot.load();
}

std::unique_ptr<Workspace> WorkspacePool::take(const PreTokenizer& pre_tokenizer) const {
  auto& slot = slots_[favourite_slot(slots)];
  std::unique_ptr<Workspace> workspace(slot.exchange(nullptr, std::memory_order_acquire));
  return workspace ? std::move(workspace) : std::make_unique<Workspace>(pre_tokenizer);
}

void WorkspacePool::put(std::unique_ptr<Workspace> workspace) const {
  auto& slot = slots_[favourite_slot(slots)];
  delete slot.exchange(workspace.release(), std::memory_order_acq_rel);
}

}  // namespace tokenizer

using namespace tokenizer;

Tokenizer::Impl::Impl(TokenizerSpec parsed, const std::string& where)
    : spec(std::move(parsed)),
      normalizer(spec.normalizers, where + ": normalizer"),
      pre_tokenizer(spec.pre_tokenizers, where + ": pre_tokenizer"),
      bpe(spec.model, pre_tokenizer.ends_byte_level(), where),
      tokens(all_tokens(spec)),
      special(tokens.size(), 0),
      decoder(spec.decoders, spelled_tokens(spec, normalizer, tokens), where) {
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) ids.emplace(tokens[id], static_cast<std::int32_t>(id));
  }
  for (const auto& token : spec.added_tokens) {
    if (token.special) special[static_cast<std::size_t>(token.id)] = 1;
    if (token.normalized) {
      std::string text = token.content;
      normalizer.apply(text);
      normalized_matcher.add(text, token);
    } else {
      raw_matcher.add(token.content, token);
    }
  }
  for (const auto& step : spec.post_processors) {
    if (step.kind == PostProcessorStep::Kind::template_processing) {
      add_template(step, where + ": post_processor");
    }
  }
}

void Tokenizer::Impl::add_template(const PostProcessorStep& step, const std::string& where) {
  std::vector<std::int32_t> before, after;
  bool seen = false;
  for (const auto& item : step.single) {
    if (item.special_token.empty()) {
      if (seen || item.sequence != "A") {
        fail_input("{}.single: wants the sequence A exactly once", where);
      }
      seen = true;
      continue;
    }
    const auto token =
        std::ranges::find(step.special_tokens, item.special_token, &TemplateToken::name);
    if (token == step.special_tokens.end()) {
      fail_input("{}.single: '{}' is missing in special_tokens", where, item.special_token);
    }
    for (const std::int32_t id : token->ids) {
      if (static_cast<std::size_t>(id) >= tokens.size()) {
        fail_input("{}.special_tokens: the id {} is beyond the vocabulary", where, id);
      }
      (seen ? after : before).push_back(id);
    }
  }
  if (!seen) fail_input("{}.single: wants the sequence A exactly once", where);
  prefix.insert(prefix.begin(), before.begin(), before.end());
  suffix.insert(suffix.end(), after.begin(), after.end());
}

void Tokenizer::Impl::encode(std::string_view text, bool skip_special,
                             std::vector<std::int32_t>& out) const {
  auto workspace = pool.take(pre_tokenizer);
  while (!text.empty()) {
    const std::size_t valid = utf8::valid_prefix(text);
    if (valid > 0) encode_valid(text.substr(0, valid), skip_special, *workspace, out);
    text.remove_prefix(valid);
    const std::size_t invalid = utf8::invalid_prefix(text);
    if (invalid > 0) bpe.encode_invalid(text.substr(0, invalid), workspace->bpe, out);
    text.remove_prefix(invalid);
  }
  pool.put(std::move(workspace));
}

void Tokenizer::Impl::encode_valid(std::string_view text, bool skip_special, Workspace& workspace,
                                   std::vector<std::int32_t>& out) const {
  Encoding sink(bpe, workspace.bpe, out);
  auto& raw = workspace.raw_parts;
  raw.clear();
  raw_matcher.split(text, skip_special, raw);
  for (const auto& raw_part : raw) {
    if (raw_part.id >= 0) {
      out.push_back(raw_part.id);
      continue;
    }
    std::string_view plain = raw_part.text;
    if (!normalizer.empty()) {
      workspace.normalized = plain;
      normalizer.apply(workspace.normalized);
      plain = workspace.normalized;
    }
    auto& parts = workspace.parts;
    parts.clear();
    normalized_matcher.split(plain, skip_special, parts);
    for (const auto& part : parts) {
      if (part.id >= 0) {
        out.push_back(part.id);
      } else {
        pre_tokenizer.split(part.text, workspace.split, sink);
      }
    }
  }
}

void Tokenizer::Impl::pieces(std::string_view text, Workspace& workspace,
                             PreTokenizer::Sink& sink) const {
  while (!text.empty()) {
    const std::size_t valid = utf8::valid_prefix(text);
    if (valid > 0) {
      std::string_view plain = text.substr(0, valid);
      if (!normalizer.empty()) {
        workspace.normalized = plain;
        normalizer.apply(workspace.normalized);
        plain = workspace.normalized;
      }
      pre_tokenizer.split(plain, workspace.split, sink);
    }
    text.remove_prefix(valid);
    const std::size_t invalid = utf8::invalid_prefix(text);
    if (invalid > 0) sink.piece(text.substr(0, invalid));
    text.remove_prefix(invalid);
  }
}

}  // namespace fathom
