#include "tokenizer/bpe.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "text/utf8.h"
#include "tokenizer/byte_level.h"

namespace fathom::tokenizer {
namespace {

// Up to this many symbols, searching all of them for the next merge is faster than a heap.
constexpr std::size_t scan_limit = 160;

}  // namespace

Bpe::Bpe(const BpeSpec& spec, bool pieces_are_bytes, const std::string& where)
    : pairs_(spec.merges.size()), bytes_(pieces_are_bytes) {
  if (spec.vocab.size() > PairMap::max_ids || spec.merges.size() >= PairMap::max_rank) {
    fail_input("{}: model: {} ids and {} merges; at most {} and {} are supported", where,
               spec.vocab.size(), spec.merges.size(), PairMap::max_ids, PairMap::max_rank - 1);
  }
  fuse_unk_ = spec.fuse_unk;
  byte_fallback_ = spec.byte_fallback;
  results_.reserve(spec.merges.size());
  for (const auto& merge : spec.merges) {
    pairs_.insert(static_cast<std::uint32_t>(merge.left), static_cast<std::uint32_t>(merge.right),
                  static_cast<std::uint32_t>(results_.size()));
    results_.push_back(static_cast<std::uint32_t>(merge.result));
  }
  index_symbols(spec, where);
}

void Bpe::index_symbols(const BpeSpec& spec, const std::string& where) {
  fallback_.fill(-1);
  std::array<std::int64_t, 256> byte_ids;
  byte_ids.fill(-1);
  prefix_ = spec.continuing_subword_prefix;
  suffix_ = spec.end_of_word_suffix;
  const bool has_affixes = !prefix_.empty() || !suffix_.empty();
  for (std::size_t id = 0; id < spec.vocab.size(); ++id) {
    const std::string& token = spec.vocab[id];
    if (token.empty()) continue;
    if (has_affixes) affixed_.emplace(token, id);
    const auto symbol = static_cast<std::uint32_t>(id);
    const char* p = token.data();
    const char32_t c = utf8::next(p);
    if (p == token.data() + token.size()) {
      char_symbol_.emplace(c, symbol);
      if (char_to_byte(c) >= 0) byte_ids[static_cast<std::size_t>(char_to_byte(c))] = symbol;
    }
    if (const auto byte = byte_of_fallback(token)) fallback_[*byte] = symbol;
    if (token == spec.unk_token) unk_ = symbol;
    if (!spec.ignore_merges) continue;
    if (!bytes_) {
      whole_.emplace(token, symbol);
    } else if (auto bytes = from_byte_level(token)) {
      whole_.emplace(std::move(*bytes), symbol);
    }
  }
  all_bytes_ =
      bytes_ && !has_affixes && std::ranges::all_of(byte_ids, [](auto id) { return id >= 0; });
  if (all_bytes_) {
    std::ranges::transform(byte_ids, byte_symbol_.begin(),
                           [](auto id) { return static_cast<std::uint32_t>(id); });
  }
  // If every byte is a token, nothing is unknown, and the name does not matter.
  if (spec.unk_token && unk_ < 0 && !all_bytes_) {
    fail_input("{}: 'model.unk_token' is '{}', which is not in the vocabulary", where,
               *spec.unk_token);
  }
}

void Bpe::encode(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const {
  if (scratch.cache.find(piece, ids)) return;
  const std::size_t before = ids.size();
  encode_new(piece, scratch, ids);
  scratch.cache.insert(piece, std::span(ids).subspan(before));
}

void Bpe::encode_invalid(std::string_view bytes, Scratch& scratch,
                         std::vector<std::int32_t>& ids) const {
  if (bytes_) return encode_new(bytes, scratch, ids);
  for (const char byte : bytes) {
    const std::int64_t id = byte_fallback_ ? fallback_[static_cast<unsigned char>(byte)] : -1;
    if (id >= 0 || unk_ >= 0) ids.push_back(static_cast<std::int32_t>(id >= 0 ? id : unk_));
  }
}

void Bpe::encode_new(std::string_view piece, Scratch& scratch,
                     std::vector<std::int32_t>& ids) const {
  if (!whole_.empty()) {
    const auto found = whole_.find(std::string(piece));
    if (found != whole_.end()) return ids.push_back(found->second);
  }
  auto& symbols = scratch.symbols;
  symbols.clear();
  if (all_bytes_) {
    for (const char byte : piece) symbols.push_back(byte_symbol_[static_cast<unsigned char>(byte)]);
  } else if (bytes_) {
    scratch.spelled.clear();
    append_byte_level(scratch.spelled, piece);
    symbols_of_chars(scratch.spelled, symbols);
  } else {
    symbols_of_chars(piece, symbols);
  }
  if (symbols.size() > scan_limit) {
    merge_long(scratch);
  } else if (symbols.size() > 1) {
    merge(scratch);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

void Bpe::symbols_of_chars(std::string_view text, std::vector<std::uint32_t>& symbols) const {
  if (!affixed_.empty()) return symbols_of_affixed(text, symbols);
  bool pending_unk = false;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const char* const start = p;
    const auto found = char_symbol_.find(utf8::next(p));
    add_symbol(found == char_symbol_.end() ? -1 : std::int64_t{found->second},
               {start, static_cast<std::size_t>(p - start)}, pending_unk, symbols);
  }
  if (pending_unk) symbols.push_back(static_cast<std::uint32_t>(unk_));
}

// The same for a vocabulary that spells a character by its place in the piece.
void Bpe::symbols_of_affixed(std::string_view text, std::vector<std::uint32_t>& symbols) const {
  bool pending_unk = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8::length(text[at]);
    std::string spelled = at > 0 ? prefix_ : "";
    spelled += text.substr(at, length);
    at += length;
    if (at == text.size()) spelled += suffix_;
    const auto found = affixed_.find(spelled);
    add_symbol(found == affixed_.end() ? -1 : found->second, spelled, pending_unk, symbols);
  }
  if (pending_unk) symbols.push_back(static_cast<std::uint32_t>(unk_));
}

// A character outside the vocabulary (a symbol of -1) becomes its bytes if the model
// falls back to bytes, else the unknown token, else nothing. As in Hugging Face's
// implementation the unknown token is added just before the next known character, so that
// bytes come before it.
void Bpe::add_symbol(std::int64_t symbol, std::string_view spelled, bool& pending_unk,
                     std::vector<std::uint32_t>& symbols) const {
  const auto flush_unk = [&] {
    if (pending_unk) symbols.push_back(static_cast<std::uint32_t>(unk_));
    pending_unk = false;
  };
  if (symbol >= 0) {
    flush_unk();
    symbols.push_back(static_cast<std::uint32_t>(symbol));
  } else if (!byte_fallback_ || !add_fallback(spelled, symbols)) {
    if (unk_ < 0) return;
    if (!fuse_unk_) flush_unk();
    pending_unk = true;
  }
}

bool Bpe::add_fallback(std::string_view character, std::vector<std::uint32_t>& symbols) const {
  const auto id = [&](char byte) { return fallback_[static_cast<unsigned char>(byte)]; };
  if (!std::ranges::all_of(character, [&](char byte) { return id(byte) >= 0; })) return false;
  for (const char byte : character) symbols.push_back(static_cast<std::uint32_t>(id(byte)));
  return true;
}

void Bpe::merge(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& ranks = scratch.ranks;  // of the pair (i, i + 1)
  std::size_t pairs = symbols.size() - 1;
  ranks.resize(pairs);
  for (std::size_t i = 0; i < pairs; ++i) ranks[i] = pairs_.rank(symbols[i], symbols[i + 1]);
  while (pairs > 0) {
    std::uint32_t best = PairMap::none;
    for (std::size_t i = 0; i < pairs; ++i) best = std::min(best, ranks[i]);
    if (best == PairMap::none) break;
    const auto at = static_cast<std::size_t>(
        std::find(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(pairs), best) -
        ranks.begin());
    symbols[at] = results_[best];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    ranks.erase(ranks.begin() + static_cast<std::ptrdiff_t>(at));
    --pairs;
    if (at > 0) ranks[at - 1] = pairs_.rank(symbols[at - 1], symbols[at]);
    if (at < pairs) ranks[at] = pairs_.rank(symbols[at], symbols[at + 1]);
  }
}

// The same for long pieces in n log n: a heap of (rank, position) over a linked list.
// An entry is stale when the pair at its position now has another rank.
void Bpe::merge_long(Scratch& scratch) const {
  // Plain references: clang refuses a lambda that captures a structured binding.
  auto &symbols = scratch.symbols, &ranks = scratch.ranks, &next = scratch.next;
  auto& previous = scratch.previous;
  auto& heap = scratch.heap;
  const auto count = static_cast<std::uint32_t>(symbols.size());
  constexpr std::uint32_t gone = PairMap::none;
  ranks.assign(count, gone);
  next.resize(count);
  previous.resize(count);
  heap.clear();
  const auto entry = [&](std::uint32_t i) {
    return static_cast<std::uint64_t>(ranks[i]) << 32 | i;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
    if (i + 1 < count) ranks[i] = pairs_.rank(symbols[i], symbols[i + 1]);
    if (ranks[i] != gone) heap.push_back(entry(i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto renew = [&](std::uint32_t i) {
    ranks[i] = next[i] < count ? pairs_.rank(symbols[i], symbols[next[i]]) : gone;
    if (ranks[i] == gone) return;
    heap.push_back(entry(i));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto rank = static_cast<std::uint32_t>(heap.back() >> 32);
    const auto at = static_cast<std::uint32_t>(heap.back());
    heap.pop_back();
    if (ranks[at] != rank) continue;
    const std::uint32_t right = next[at];
    symbols[at] = results_[rank];
    ranks[right] = gone;
    next[at] = next[right];
    if (next[at] < count) previous[next[at]] = at;
    renew(at);
    if (at > 0) renew(previous[at]);
  }
  std::size_t kept = 0;
  for (std::uint32_t i = 0; i < count; i = next[i]) symbols[kept++] = symbols[i];
  symbols.resize(kept);
}

}  // namespace fathom::tokenizer
