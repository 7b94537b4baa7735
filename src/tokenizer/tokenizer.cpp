#include "tokenizer/tokenizer.h"

#include <xxhash.h>

#include <array>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"
#include "text/utf8.h"
#include "tokenizer/impl.h"

namespace fathom {
namespace {

using tokenizer::TokenizerSpec;

// The first of `names` that is an added token.
std::optional<std::int32_t> find_first(const Tokenizer::Impl& impl,
                                       std::span<const std::string_view> names) {
  for (const auto name : names) {
    const auto id = impl.ids.find(name);
    if (id && impl.special[static_cast<std::size_t>(*id)]) return id;
  }
  return std::nullopt;
}

std::size_t check_id(const Tokenizer::Impl& impl, std::int32_t id) {
  if (id < 0 || static_cast<std::size_t>(id) >= impl.tokens.size()) {
    fail_input("{} is not a token id of this tokenizer, which has 0 to {}", id,
               static_cast<std::int64_t>(impl.tokens.size()) - 1);
  }
  return static_cast<std::size_t>(id);
}

}  // namespace

Tokenizer Tokenizer::load(const std::string& path) {
  const MappedFile file(path);
  return from_json(file.text(), path);
}

Tokenizer Tokenizer::from_json(std::string_view text, const std::string& source_name) {
  TokenizerSpec spec = tokenizer::read_spec(text, source_name);
  return Tokenizer(std::make_shared<const Impl>(std::move(spec), source_name));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<std::int32_t> ids;
  ids.reserve(text.size() / 3 + 8);
  encode_to(text, options, ids);
  return ids;
}

void Tokenizer::encode_to(std::string_view text, EncodeOptions options,
                          std::vector<std::int32_t>& ids) const {
  const bool apply = options.post_processor == Template::apply;
  if (apply) ids.insert(ids.end(), impl_->prefix.begin(), impl_->prefix.end());
  impl_->encode(text, options.special_text, ids);
  if (apply) ids.insert(ids.end(), impl_->suffix.begin(), impl_->suffix.end());
}

MarkedTokens Tokenizer::encode_marked(const MarkedText& text) const {
  require(utf8::valid_prefix(text.text) == text.text.size(), "encode_marked() wants valid UTF-8");
  MarkedTokens tokens;
  impl_->encode_marked(text, tokens);
  return tokens;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, SpecialTokens special) const {
  const auto is_shown = [&](std::int32_t id) {
    const std::size_t index = check_id(*impl_, id);
    return !impl_->tokens[index].empty() &&
           (special == SpecialTokens::keep || !impl_->special[index]);
  };
  std::string text;
  std::optional<std::int32_t> held;  // until it is known whether it is the last one
  bool first = true;
  for (const std::int32_t id : ids) {
    if (!is_shown(id)) continue;
    if (held) impl_->decoder.append(text, *held, {.first = first});
    first = first && !held;
    held = id;
  }
  if (held) impl_->decoder.append(text, *held, {.first = first, .last = true});
  std::int64_t strips = impl_->decoder.strip_count();
  impl_->decoder.strip_start(text, strips);
  return text;
}

std::int64_t Tokenizer::vocab_size() const {
  return static_cast<std::int64_t>(impl_->tokens.size());
}

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  return impl_->ids.find(token);
}

std::string_view Tokenizer::id_to_token(std::int32_t id) const {
  return impl_->tokens[check_id(*impl_, id)];
}

std::string_view Tokenizer::id_to_bytes(std::int32_t id) const {
  check_id(*impl_, id);
  return impl_->decoder.bytes(id);
}

bool Tokenizer::is_special(std::int32_t id) const {
  return impl_->special[check_id(*impl_, id)] != 0;
}

std::vector<std::int32_t> Tokenizer::eos_candidates() const {
  std::vector<std::int32_t> ids;
  for (const std::string_view name :
       {"<｜end▁of▁sentence｜>", "</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|eot_id|>",
        "<|im_end|>", "[EOS]", "[eos]", "<eod>"}) {
    if (const auto id = find_first(*impl_, {&name, 1})) ids.push_back(*id);
  }
  return ids;
}

std::optional<std::int32_t> Tokenizer::eos_id() const {
  const auto ids = eos_candidates();
  return ids.empty() ? std::nullopt : std::optional(ids[0]);
}

std::optional<std::int32_t> Tokenizer::bos_id() const {
  static constexpr std::array<std::string_view, 6> names = {
      "<｜begin▁of▁sentence｜>", "<s>", "<|begin_of_text|>", "<|startoftext|>", "<bos>", "[BOS]"};
  return find_first(*impl_, names);
}

std::optional<std::int32_t> Tokenizer::pad_id() const {
  static constexpr std::array<std::string_view, 5> names = {"<｜▁pad▁｜>", "<pad>", "<|pad|>",
                                                            "[PAD]", "<|finetune_right_pad_id|>"};
  return find_first(*impl_, names);
}

std::uint64_t Tokenizer::hash() const {
  const std::string text = to_json();
  return XXH3_64bits(text.data(), text.size());
}

std::string Tokenizer::to_json() const {
  return tokenizer::write_spec(impl_->spec);
}

void Tokenizer::save(const std::string& path) const {
  write_file_atomically(path, to_json());
}

StreamDecoder::StreamDecoder(Tokenizer tokenizer, SpecialTokens special)
    : tokenizer_(std::move(tokenizer)),
      special_(special),
      strips_(tokenizer_.impl_->decoder.strip_count()) {}

std::string StreamDecoder::push(std::int32_t id) {
  const auto& impl = *tokenizer_.impl_;
  const std::size_t index = check_id(impl, id);
  if (special_ == SpecialTokens::skip && impl.special[index]) return "";
  if (impl.tokens[index].empty()) return "";
  if (!impl.decoder.last_differs()) {
    append(id, false);
  } else {
    if (last_) append(*last_, false);
    last_ = id;
  }
  const std::size_t ready = held_.size() - utf8::incomplete_suffix(held_);
  std::string text = held_.substr(0, ready);
  held_.erase(0, ready);
  return text;
}

void StreamDecoder::append(std::int32_t id, bool last) {
  const auto& decoder = tokenizer_.impl_->decoder;
  decoder.append(held_, id, {.first = !started_, .last = last});
  decoder.strip_start(held_, strips_);
  started_ = true;
}

std::string StreamDecoder::finish() {
  if (last_) append(*std::exchange(last_, std::nullopt), true);
  return std::exchange(held_, {});
}

}  // namespace fathom
