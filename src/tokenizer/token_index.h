// The ids of tokens by their spelling: an open-addressing table of numbers beside the list that
// holds the texts. Internal to src/tokenizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tokenizer {

class TokenIndex {
 public:
  TokenIndex() = default;
  // `tokens` by id, which must outlive the index; an empty text is no token. Where two are spelled
  // alike the first is found.
  explicit TokenIndex(std::span<const std::string> tokens);

  std::optional<std::int32_t> find(std::string_view token) const;

  struct Alike {
    std::int32_t first, second;
  };
  // The first token that is spelled as an earlier one.
  const std::optional<Alike>& alike() const { return alike_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;  // its upper half, which tells most texts apart without reading them
    std::int32_t id = -1;    // -1: empty
  };
  // The number of the token's slot, or of the empty one where it belongs.
  std::size_t slot_of(std::string_view token, std::uint64_t hash) const;

  std::span<const std::string> tokens_;
  std::vector<Slot> slots_;  // a power of two, at most half full
  std::optional<Alike> alike_;
};

}  // namespace fathom::tokenizer
