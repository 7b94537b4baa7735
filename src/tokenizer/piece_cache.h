// Remembers the ids of pieces encoded before. Its size is fixed: a new entry replaces the
// one in its slot. A cache belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace fathom::tokenizer {

class PieceCache {
 public:
  PieceCache() : short_(short_slots), long_(long_slots) {}

  // Appends the ids of `piece` to `ids` if they are known.
  bool find(std::string_view piece, std::vector<std::int32_t>& ids) const {
    if (piece.size() <= short_key) {
      const Key key = pack(piece);
      const Short& entry = short_[slot(key)];
      if (entry.key.low == key.low && entry.key.high == key.high) {
        const std::size_t at = ids.size();
        if (ids.capacity() - at >= 3) [[likely]] {
          ids.resize(at + entry.count);
          std::memcpy(ids.data() + at, entry.ids, entry.count * sizeof(std::int32_t));
        } else {
          ids.insert(ids.end(), entry.ids, entry.ids + entry.count);
        }
        return true;
      }
    }
    if (piece.size() > long_key) return false;
    const Long& entry = long_[long_slot(piece)];
    if (entry.size != piece.size() || std::memcmp(entry.key, piece.data(), piece.size()) != 0) {
      return false;
    }
    ids.insert(ids.end(), entry.ids, entry.ids + entry.count);
    return true;
  }

  void insert(std::string_view piece, std::span<const std::int32_t> ids) {
    if (piece.size() <= short_key && ids.size() <= 3) {
      const Key key = pack(piece);
      Short& entry = short_[slot(key)];
      entry.key = key;
      entry.count = static_cast<std::uint32_t>(ids.size());
      std::memcpy(entry.ids, ids.data(), ids.size_bytes());
    } else if (piece.size() <= long_key && ids.size() <= 14) {
      Long& entry = long_[long_slot(piece)];
      entry.size = static_cast<std::uint8_t>(piece.size());
      entry.count = static_cast<std::uint8_t>(ids.size());
      std::memcpy(entry.key, piece.data(), piece.size());
      std::memcpy(entry.ids, ids.data(), ids.size_bytes());
    }
  }

 private:
  static constexpr std::size_t short_key = 15, long_key = 70;
  static constexpr std::size_t short_slots = 1 << 16, long_slots = 1 << 13;

  struct Key {
    std::uint64_t low = 0, high = 0;
  };
  struct Short {  // 32 bytes; a key of size 0, which no piece has, marks a free entry
    Key key;
    std::int32_t ids[3] = {};
    std::uint32_t count = 0;
  };
  struct Long {  // 128 bytes
    char key[long_key] = {};
    std::uint8_t size = 0, count = 0;
    std::int32_t ids[14] = {};
  };

  static std::uint64_t load(const char* p, std::size_t bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, bytes);
    return word;
  }

  // The bytes and, in the last one, their number; never all zero.
  static Key pack(std::string_view piece) {
    const char* p = piece.data();
    const std::size_t n = piece.size();
    Key key;
    if (n >= 8) {
      key.low = load(p, 8);
      key.high = n == 8 ? 0 : load(p + n - 8, 8) >> (8 * (16 - n));
    } else if (n >= 4) {
      key.low = load(p, 4) | load(p + n - 4, 4) << (8 * (n - 4));
    } else {
      for (std::size_t i = 0; i < n; ++i) {
        key.low |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])) << (8 * i);
      }
    }
    key.high |= static_cast<std::uint64_t>(n) << 56;
    return key;
  }

  static std::size_t slot(const Key& key) {
    const std::uint64_t mixed = (key.low ^ (key.high << 29 | key.high >> 35)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>((mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u >> 48) &
           (short_slots - 1);
  }

  static std::size_t long_slot(std::string_view piece) {
    std::uint64_t hash = piece.size();
    const char* p = piece.data();
    std::size_t n = piece.size();
    for (; n >= 8; n -= 8, p += 8)
      hash = (hash ^ load(p, 8)) * 0x9e3779b97f4a7c15u, hash ^= hash >> 32;
    if (n > 0) hash = (hash ^ load(p, n)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(hash >> 40) & (long_slots - 1);
  }

  std::vector<Short> short_;
  std::vector<Long> long_;
};

}  // namespace fathom::tokenizer
