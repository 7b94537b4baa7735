// The BPE model: the ids of one piece, by merging its neighbouring tokens in the
// order of the merges' ranks until none is left (Sennrich et al. 2016).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/pair_map.h"
#include "tokenizer/piece_cache.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

class Bpe {
 public:
  // Working memory of one piece at a time.
  struct Scratch {
    PieceCache cache;
    std::vector<std::uint32_t> symbols, ranks, next, previous;
    std::vector<std::uint64_t> heap;
    std::string spelled;
  };

  // `pieces_are_bytes`: the vocabulary spells bytes byte-level (see
  // PreTokenizer::ends_byte_level). Throws an input Error starting with `where`.
  Bpe(const BpeSpec& spec, bool pieces_are_bytes, const std::string& where);

  // Appends the ids of a piece of valid UTF-8 (of any bytes in a byte-level
  // vocabulary).
  void encode(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const;
  // Appends ids for bytes that are not valid UTF-8.
  void encode_invalid(std::string_view bytes, Scratch& scratch,
                      std::vector<std::int32_t>& ids) const;

 private:
  void index_symbols(const BpeSpec& spec, const std::string& where);
  void encode_new(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const;
  void symbols_of_chars(std::string_view text, std::vector<std::uint32_t>& symbols) const;
  void symbols_of_affixed(std::string_view text, std::vector<std::uint32_t>& symbols) const;
  void add_symbol(std::int64_t symbol, std::string_view spelled, bool& pending_unk,
                  std::vector<std::uint32_t>& symbols) const;
  bool add_fallback(std::string_view character, std::vector<std::uint32_t>& symbols) const;
  void merge(Scratch& scratch) const;
  void merge_long(Scratch& scratch) const;

  PairMap pairs_;
  std::vector<std::uint32_t> results_;  // by rank
  bool bytes_ = false;                  // pieces are bytes, spelled byte-level
  bool all_bytes_ = false;              // and each of the 256 is a token
  std::array<std::uint32_t, 256> byte_symbol_{};
  std::array<std::int64_t, 256> fallback_{};  // "<0x41>": -1 where missing
  std::unordered_map<char32_t, std::uint32_t> char_symbol_;
  std::unordered_map<std::string, std::int32_t> whole_;  // pieces that are tokens, if ignore_merges
  std::string prefix_, suffix_;                          // of symbols after the first, of the last
  std::unordered_map<std::string, std::int64_t> affixed_;  // all tokens, if either is set
  std::int64_t unk_ = -1;
  bool fuse_unk_ = false, byte_fallback_ = false;
};

}  // namespace fathom::tokenizer
