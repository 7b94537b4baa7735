// The first 256 bytes of a token shard. Internal to data (and its fuzz target).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "io/checksum.h"

namespace fathom {

struct ShardHeader {
  static constexpr char expected_magic[8] = {'F', 'A', 'T', 'H', 'O', 'M', 'T', 'S'};
  static constexpr std::uint32_t current_version = 1;

  char magic[8];
  std::uint32_t version;
  std::uint32_t token_bytes;  // 2 or 4
  std::uint64_t vocab_size;
  std::uint64_t tokenizer_hash;
  std::uint64_t tokens;
  std::uint64_t documents;
  std::uint64_t text_bytes;
  std::uint64_t content_checksum;  // of everything after the header
  std::uint32_t eos;
  std::uint32_t reserved;
  char source[128];  // ends with zeros
  char unused[48];
  std::uint64_t header_checksum;  // of the bytes before this field
};
static_assert(sizeof(ShardHeader) == 256 && std::is_trivial_v<ShardHeader>);

inline std::uint64_t header_checksum_of(const ShardHeader& header) {
  return checksum_of(std::span(reinterpret_cast<const std::byte*>(&header),
                               offsetof(ShardHeader, header_checksum)));
}

constexpr std::uint64_t round_up_to_8(std::uint64_t bytes) {
  return (bytes + 7) / 8 * 8;
}

}  // namespace fathom
