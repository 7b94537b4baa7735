// The parts of a Tokenizer. Internal to src/tokenizer.
#pragma once

#include <atomic>
#include <mutex>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/spec.h"
#include "tokenizer/token_index.h"
#include "tokenizer/tokenizer.h"

namespace fathom {
namespace tokenizer {

// Working memory of one thread while it encodes.
struct Workspace {
  explicit Workspace(const PreTokenizer& pre_tokenizer) : split(pre_tokenizer.make_scratch()) {}
  PreTokenizer::Scratch split;
  Bpe::Scratch bpe;
  std::vector<TextPart> raw_parts, parts;
  std::string normalized;
};

// Workspaces that are not in use. Each thread has a preferred slot, so that it finds its
// own caches again; taking a workspace and putting it back is one atomic exchange each.
class WorkspacePool {
 public:
  WorkspacePool() = default;
  ~WorkspacePool();
  std::unique_ptr<Workspace> take(const PreTokenizer& pre_tokenizer) const;
  void put(std::unique_ptr<Workspace> workspace) const;

 private:
  static constexpr std::size_t slots = 128;
  mutable std::array<std::atomic<Workspace*>, slots> slots_{};
};

}  // namespace tokenizer

struct Tokenizer::Impl {
  // Throws an input Error starting with `where` when parts of `spec` contradict each other.
  Impl(tokenizer::TokenizerSpec spec, const std::string& where);

  // Appends the ids of `text`, without the template.
  void encode(std::string_view text, SpecialText special_text,
              std::vector<std::int32_t>& ids) const;
  // Appends the tokens of a valid text, without the template.
  void encode_marked(const MarkedText& text, MarkedTokens& out) const;
  // Gives `sink` the pieces of `text` that the model would see, for training. Added tokens
  // are not looked for; bytes that are not valid UTF-8 are pieces of their own.
  void pieces(std::string_view text, tokenizer::Workspace& workspace,
              tokenizer::PreTokenizer::Sink& sink) const;

  tokenizer::TokenizerSpec spec;
  tokenizer::Normalizer normalizer;
  tokenizer::PreTokenizer pre_tokenizer;
  tokenizer::Bpe bpe;
  tokenizer::AddedTokenMatcher raw_matcher, normalized_matcher;
  std::vector<std::string> tokens;           // by id, added ones included; empty: none
  std::vector<char> special;                 // by id
  tokenizer::TokenIndex ids;                 // of tokens
  std::vector<std::int32_t> prefix, suffix;  // ids that the template adds
  tokenizer::Decoder decoder;
  tokenizer::WorkspacePool pool;

 private:
  // Marks the tokens as well when `marks` is given.
  void encode_valid(const MarkedText& text, bool at_start, tokenizer::Workspace& workspace,
                    std::vector<std::int32_t>& out, std::vector<std::uint8_t>* marks) const;
  // The same for a text without added tokens that are looked for before normalizing.
  void encode_part(const MarkedText& text, bool at_start, tokenizer::Workspace& workspace,
                   std::vector<std::int32_t>& out, std::vector<std::uint8_t>* marks) const;
  void encode_invalid(std::string_view bytes, tokenizer::Workspace& workspace,
                      std::vector<std::int32_t>& out) const;
  // `text`, or its normal form in the workspace.
  std::string_view normalized(std::string_view text, tokenizer::Workspace& workspace) const;
  void add_template(const tokenizer::PostProcessorStep& step, const std::string& where);
  // Puts more ids around those that the template adds.
  void wrap(const std::vector<std::int32_t>& before, const std::vector<std::int32_t>& after,
            const std::string& where);
};

}  // namespace fathom
