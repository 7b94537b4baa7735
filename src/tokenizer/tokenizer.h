// Byte-level BPE: text to token ids and back, from and to Hugging Face's
// tokenizer.json. Data preparation, training and generation use this header;
// tokenizer/trainer.h trains a tokenizer.
//
// A Tokenizer is immutable and cheap to copy (copies share their data). Every const
// member may be called from any number of threads at once; the caches that make
// encoding fast belong to one thread at a time and need no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_span.h"

namespace fathom {

// Whether encode() applies the post-processor's template, which for instance adds a
// token at the beginning of the text.
enum class Template { apply, skip };
// Whether encode() reads text that spells a special token, such as "</s>", as plain text
// or as the token. Text from users, documents and the network is encoded as_text, so that
// it cannot end a document or begin another role's turn; only templates, and people who
// ask for it, make special tokens. as_text also covers added tokens that are not marked
// special but are spelled like control tokens ("<|name|>", "<｜name｜>"), because some
// files omit the mark. Other added tokens are always recognised.
enum class SpecialText { as_text, parse };
// Whether decode() writes special tokens or leaves them out.
enum class SpecialTokens { keep, skip };

struct EncodeOptions {
  Template post_processor = Template::apply;
  SpecialText special_text = SpecialText::as_text;
};

// For documents of the training data: no template, no special tokens.
inline constexpr EncodeOptions encode_plain{Template::skip, SpecialText::as_text};
// For prompts of a person who may write special tokens.
inline constexpr EncodeOptions encode_parsing_specials{Template::apply, SpecialText::parse};

// A text of which parts may spell special tokens, such as a rendered chat template. Both lists
// of spans are ascending and disjoint.
struct MarkedText {
  std::string_view text;                 // valid UTF-8
  std::span<const ByteSpan> special_in;  // a special token lies within one of these, or is text
  std::span<const ByteSpan> marked;      // tokens that overlap one of these get a mark
};
struct MarkedTokens {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> marks;  // 1 or 0 for each id
};

class Tokenizer {
 public:
  // Reads a tokenizer.json. Throws an input Error that names the file and the
  // key for a file that cannot be read, is corrupt, or needs a feature that is not
  // supported.
  static Tokenizer load(const std::string& path);
  // The same from memory; messages give `source_name` as the path.
  static Tokenizer from_json(std::string_view text,
                             const std::string& source_name = "tokenizer.json");

  // The ids of `text`, which may be any bytes: a byte-level tokenizer without a
  // normalizer also restores bytes that are not valid UTF-8 in decode().
  std::vector<std::int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  // Appends to `ids` instead: saves the allocation in loops.
  void encode_to(std::string_view text, EncodeOptions options,
                 std::vector<std::int32_t>& ids) const;

  // The ids of a text that only in parts may spell special tokens, without the
  // post-processor's template. They equal those of encode() with SpecialText::parse when no
  // special token is spelled outside `special_in`. Throws an input Error when there are
  // `marked` spans and the tokens do not spell the text, so that their places are unknown.
  MarkedTokens encode_marked(const MarkedText& text) const;

  // The bytes of `ids`, which may end inside a UTF-8 sequence. Throws an input
  // Error for an id outside [0, vocab_size()); an id without a token adds nothing.
  std::string decode(std::span<const std::int32_t> ids,
                     SpecialTokens special = SpecialTokens::skip) const;

  // One more than the largest id, added and special tokens included.
  std::int64_t vocab_size() const;
  // The id of a token as tokenizer.json spells it ("Ġthe", "</s>").
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  // That spelling; empty for an id without a token.
  std::string_view id_to_token(std::int32_t id) const;
  // The bytes of the token in a text (" the"; "</s>" for a special token), as bits
  // per byte and streaming count them. Same errors as decode().
  std::string_view id_to_bytes(std::int32_t id) const;
  bool is_special(std::int32_t id) const;

  // End of document, beginning of document, padding: the special tokens with one of
  // the usual names ("<｜end▁of▁sentence｜>", "</s>", "<|endoftext|>", ...), if any.
  std::optional<std::int32_t> eos_id() const;
  // All special tokens with a usual name for the end of a document; eos_id() is the first.
  std::vector<std::int32_t> eos_candidates() const;
  std::optional<std::int32_t> bos_id() const;
  std::optional<std::int32_t> pad_id() const;

  // XXH3 of to_json(): equal for any two files that describe the same tokenizer.
  std::uint64_t hash() const;

  // tokenizer.json in canonical form: fixed order of keys, vocabulary by id.
  // from_json(to_json()) is the same tokenizer.
  std::string to_json() const;
  // Writes to_json() to `path` atomically (io/atomic_file.h).
  void save(const std::string& path) const;

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  friend class StreamDecoder;
  std::shared_ptr<const Impl> impl_;
};

// Decodes one token at a time for a terminal. It returns whole UTF-8 characters and
// holds back the beginning of one until the rest arrives.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, SpecialTokens special = SpecialTokens::skip);

  // The text that `id` completes; often empty in the middle of a character.
  std::string push(std::int32_t id);
  // The bytes still held back (an incomplete character, a last token), unchanged.
  std::string finish();

 private:
  void append(std::int32_t id, bool last);

  Tokenizer tokenizer_;
  SpecialTokens special_;
  std::string held_;
  std::optional<std::int32_t> last_;  // held back where the last token decodes differently
  std::int64_t strips_ = 0;           // removals left at the beginning of the text
  bool started_ = false;
};

}  // namespace fathom
