#include "tokenizer/impl.h"

#include <algorithm>

#include "core/error.h"
#include "text/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/marked_spans.h"

namespace fathom {
namespace tokenizer {
namespace {

std::size_t favourite_slot(std::size_t slots) {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads.fetch_add(1, std::memory_order_relaxed);
  return mine % slots;
}

// All tokens by id: the model's, and the added ones that the model lacks.
std::vector<std::string> all_tokens(const TokenizerSpec& spec) {
  std::vector<std::string> tokens = spec.model.vocab;
  for (const auto& token : spec.added_tokens) {
    const auto index = static_cast<std::size_t>(token.id);
    if (index >= tokens.size()) tokens.resize(index + 1);
    tokens[index] = token.content;
  }
  return tokens;
}

// The decoder of the tokens in the form that decoding writes: as in Hugging Face's implementation,
// added tokens that are looked for in the normalised text are normalised.
Decoder make_decoder(const TokenizerSpec& spec, const Normalizer& normalizer,
                     const std::vector<std::string>& tokens, const std::string& where) {
  const bool as_they_are =
      normalizer.empty() || std::ranges::none_of(spec.added_tokens, &AddedToken::normalized);
  if (as_they_are) return Decoder(spec.decoders, tokens, where);
  std::vector<std::string> spelled = tokens;
  for (const auto& token : spec.added_tokens) {
    if (token.normalized) normalizer.apply(spelled[static_cast<std::size_t>(token.id)]);
  }
  return Decoder(spec.decoders, spelled, where);
}

// Passes the pieces to the model.
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
      ids(tokens),
      decoder(make_decoder(spec, normalizer, tokens, where)) {
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
    using Kind = PostProcessorStep::Kind;
    if (step.kind == Kind::template_processing) add_template(step, where + ": post_processor");
    if (step.kind == Kind::bert || step.kind == Kind::roberta) {
      wrap({step.begin.id}, {step.end.id}, where + ": post_processor");
    }
  }
}

void Tokenizer::Impl::wrap(const std::vector<std::int32_t>& before,
                           const std::vector<std::int32_t>& after, const std::string& where) {
  for (const auto* part : {&before, &after}) {
    for (const std::int32_t id : *part) {
      if (static_cast<std::size_t>(id) >= tokens.size()) {
        fail_input("{}: the id {} is beyond the vocabulary", where, id);
      }
    }
  }
  prefix.insert(prefix.begin(), before.begin(), before.end());
  suffix.insert(suffix.end(), after.begin(), after.end());
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
    auto& side = seen ? after : before;
    side.insert(side.end(), token->ids.begin(), token->ids.end());
  }
  if (!seen) fail_input("{}.single: wants the sequence A exactly once", where);
  wrap(before, after, where + ".special_tokens");
}

void Tokenizer::Impl::encode(std::string_view text, SpecialText special_text,
                             std::vector<std::int32_t>& out) const {
  auto workspace = pool.take(pre_tokenizer);
  for (bool at_start = true; !text.empty(); at_start = false) {
    const std::size_t valid = utf8::valid_prefix(text);
    const ByteSpan whole{0, valid};
    const std::span<const ByteSpan> nowhere, everywhere(&whole, 1);
    if (valid > 0) {
      encode_valid(
          {text.substr(0, valid), special_text == SpecialText::parse ? everywhere : nowhere, {}},
          at_start, *workspace, out, nullptr);
    }
    text.remove_prefix(valid);
    const std::size_t invalid = utf8::invalid_prefix(text);
    if (invalid > 0) encode_invalid(text.substr(0, invalid), *workspace, out);
    text.remove_prefix(invalid);
  }
  pool.put(std::move(workspace));
}

void Tokenizer::Impl::encode_marked(const MarkedText& text, MarkedTokens& out) const {
  auto workspace = pool.take(pre_tokenizer);
  encode_valid(text, true, *workspace, out.ids, &out.marks);
  pool.put(std::move(workspace));
}

void Tokenizer::Impl::encode_valid(const MarkedText& whole, bool at_start, Workspace& workspace,
                                   std::vector<std::int32_t>& out,
                                   std::vector<std::uint8_t>* marks) const {
  auto& raw = workspace.raw_parts;
  raw.clear();
  raw_matcher.split(whole.text, whole.special_in, raw);
  for (const auto& part : raw) {
    const auto begin = static_cast<std::size_t>(part.text.data() - whole.text.data());
    const ByteSpan place{begin, begin + part.text.size()};
    if (part.id >= 0) {
      out.push_back(part.id);
      if (marks) marks->push_back(overlaps(whole.marked, place));
      continue;
    }
    const std::vector<ByteSpan> special_in = spans_within(whole.special_in, place),
                                marked = spans_within(whole.marked, place);
    encode_part({part.text, special_in, marked}, at_start && begin == 0, workspace, out, marks);
  }
}

void Tokenizer::Impl::encode_part(const MarkedText& raw, bool at_start, Workspace& workspace,
                                  std::vector<std::int32_t>& out,
                                  std::vector<std::uint8_t>* marks) const {
  Encoding sink(bpe, workspace.bpe, out);
  const std::string_view plain = normalized(raw.text, workspace);
  const auto normal = [&](std::span<const ByteSpan> spans, Rounding rounding) {
    return normalized_spans({spans.begin(), spans.end()}, raw.text, plain, normalizer, rounding);
  };
  const std::vector<ByteSpan> marked = normal(raw.marked, Rounding::outward);
  auto& parts = workspace.parts;
  parts.clear();
  normalized_matcher.split(plain, normal(raw.special_in, Rounding::inward), parts);
  for (const auto& part : parts) {
    const auto begin = static_cast<std::size_t>(part.text.data() - plain.data());
    const ByteSpan place{begin, begin + part.text.size()};
    const std::size_t before = out.size();
    if (part.id >= 0) {
      out.push_back(part.id);
      if (marks) marks->push_back(overlaps(marked, place));
      continue;
    }
    pre_tokenizer.split(part.text, at_start && begin == 0, workspace.split, sink);
    if (marks) {
      append_marks(part.text, std::span(out).subspan(before), spans_within(marked, place),
                   {decoder, ids.find(spec.model.unk_token.value_or(""))}, *marks);
    }
  }
}

void Tokenizer::Impl::encode_invalid(std::string_view bytes, Workspace& workspace,
                                     std::vector<std::int32_t>& out) const {
  if (!pre_tokenizer.spells_bytes()) return bpe.encode_invalid(bytes, workspace.bpe, out);
  std::string spelled;
  append_byte_level(spelled, bytes);
  bpe.encode(spelled, workspace.bpe, out);
}

std::string_view Tokenizer::Impl::normalized(std::string_view text, Workspace& workspace) const {
  if (normalizer.empty()) return text;
  workspace.normalized = text;
  normalizer.apply(workspace.normalized);
  return workspace.normalized;
}

void Tokenizer::Impl::pieces(std::string_view text, Workspace& workspace,
                             PreTokenizer::Sink& sink) const {
  for (bool at_start = true; !text.empty(); at_start = false) {
    const std::size_t valid = utf8::valid_prefix(text);
    if (valid > 0) {
      pre_tokenizer.split(normalized(text.substr(0, valid), workspace), at_start, workspace.split,
                          sink);
    }
    text.remove_prefix(valid);
    const std::size_t invalid = utf8::invalid_prefix(text);
    if (invalid > 0) sink.piece(text.substr(0, invalid));
    text.remove_prefix(invalid);
  }
}

}  // namespace fathom
