#include "tokenizer/merge_learner.h"

#include <algorithm>
#include <array>
#include <queue>
#include <unordered_map>

#include "text/utf8.h"
#include "tokenizer/byte_level.h"

namespace fathom::tokenizer {
namespace {

constexpr std::uint64_t make_key(std::uint32_t left, std::uint32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | right;
}

// Maps a pair to its number in order of appearance: open addressing, without erasure.
class PairIndex {
 public:
  PairIndex() : slots_(1 << 16) {}
  // The pair's number; sets `fresh` when the pair is new and got the next one.
  std::uint32_t find_or_add(std::uint64_t key, bool& fresh) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = find(slots_, key);
    fresh = slot.number == none;
    if (fresh) slot = {key, used_++};
    return slot.number;
  }

 private:
  static constexpr std::uint32_t none = ~0u;
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t number = none;
  };
  static Slot& find(std::vector<Slot>& slots, std::uint64_t key) {
    const std::size_t mask = slots.size() - 1;
    std::uint64_t mixed = key * 0x9e3779b97f4a7c15u;
    std::size_t at = (mixed ^ mixed >> 32) & mask;
    while (slots[at].number != none && slots[at].key != key) at = (at + 1) & mask;
    return slots[at];
  }
  void grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    for (const Slot& slot : slots_) {
      if (slot.number != none) find(larger, slot.key) = slot;
    }
    slots_ = std::move(larger);
  }
  std::vector<Slot> slots_;
  std::uint32_t used_ = 0;
};

class Learner {
 public:
  Learner(std::span<const PieceCounter> parts, const LearnOptions& options) : options_(options) {
    start_vocabulary();
    for (const PieceCounter& pieces : parts) load_words(pieces);
    touched_.clear();
    for (Pair& pair : pairs_) pair.touched = false;
    for (std::uint32_t number = 0; number < pairs_.size(); ++number) offer(number);
  }

  BpeSpec run() {
    while (spec_.vocab.size() < options_.vocab_size && !queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const std::int64_t count = pairs_[top.number].count;
      if (top.count != count) {  // out of date: pushed again with the present count
        offer(top.number);
        continue;
      }
      if (static_cast<std::uint64_t>(count) < options_.min_frequency) break;
      merge(top.number);
      if (options_.on_merge) options_.on_merge();
    }
    return std::move(spec_);
  }

 private:
  struct Word {
    std::uint64_t begin = 0;  // in symbols_
    std::uint32_t size = 0;
    std::int64_t count = 0;
  };
  struct Pair {
    std::uint64_t key = 0;
    std::int64_t count = 0;
    std::vector<std::uint32_t> words;  // that contain it, or did before
    bool touched = false;
  };
  struct Candidate {
    std::int64_t count;
    std::uint64_t key;
    std::uint32_t number;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };

  void start_vocabulary() {
    std::vector<std::pair<char32_t, std::uint32_t>> alphabet;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      alphabet.emplace_back(byte_to_char()[byte], byte);
    }
    std::ranges::sort(alphabet);
    for (const auto& [character, byte] : alphabet) {
      byte_symbol_[byte] = static_cast<std::uint32_t>(spec_.vocab.size());
      std::string token;
      utf8::append(token, character);
      token_ids_.emplace(token, byte_symbol_[byte]);
      spec_.vocab.push_back(std::move(token));
    }
  }

  void load_words(const PieceCounter& pieces) {
    pieces.for_each([&](std::string_view piece, std::uint64_t count) {
      if (piece.size() < 2) return;
      const Word word{symbols_.size(), static_cast<std::uint32_t>(piece.size()),
                      static_cast<std::int64_t>(count)};
      for (const char byte : piece) {
        symbols_.push_back(byte_symbol_[static_cast<unsigned char>(byte)]);
      }
      const auto number = static_cast<std::uint32_t>(words_.size());
      words_.push_back(word);
      for (std::uint64_t i = word.begin; i + 1 < symbols_.size(); ++i) {
        change(make_key(symbols_[i], symbols_[i + 1]), word.count, number);
      }
    });
  }

  // Adds to a pair's count; an increase notes the word that caused it.
  void change(std::uint64_t key, std::int64_t amount, std::uint32_t word) {
    bool fresh = false;
    const std::uint32_t number = index_.find_or_add(key, fresh);
    if (fresh) {
      pairs_.emplace_back();
      pairs_.back().key = key;
    }
    Pair& pair = pairs_[number];
    pair.count += amount;
    if (amount < 0) return;
    if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
    if (!pair.touched) touched_.push_back(number);
    pair.touched = true;
  }

  void offer(std::uint32_t number) {
    const Pair& pair = pairs_[number];
    if (pair.count > 0) queue_.push({pair.count, pair.key, number});
  }

  std::uint32_t token_of(std::uint32_t left, std::uint32_t right) {
    std::string token = spec_.vocab[left] + spec_.vocab[right];
    const auto [found, fresh] =
        token_ids_.emplace(token, static_cast<std::uint32_t>(spec_.vocab.size()));
    if (fresh) spec_.vocab.push_back(std::move(token));
    return found->second;
  }

  void merge(std::uint32_t number) {
    const std::uint64_t key = pairs_[number].key;
    const auto left = static_cast<std::uint32_t>(key >> 32);
    const auto right = static_cast<std::uint32_t>(key);
    const std::uint32_t result = token_of(left, right);
    spec_.merges.push_back({static_cast<std::int32_t>(left), static_cast<std::int32_t>(right),
                            static_cast<std::int32_t>(result)});
    const std::vector<std::uint32_t> words = std::move(pairs_[number].words);
    pairs_[number].words.clear();
    for (const std::uint32_t word : words) merge_in(word, left, right, result);
    pairs_[number].count = 0;
    for (const std::uint32_t touched : touched_) {
      pairs_[touched].touched = false;
      offer(touched);
    }
    touched_.clear();
  }

  // Merges the pair in one word, from left to right, and updates the counts of the pairs
  // around each merge.
  void merge_in(std::uint32_t number, std::uint32_t left, std::uint32_t right,
                std::uint32_t result) {
    Word& word = words_[number];
    std::uint32_t* const s = symbols_.data() + word.begin;
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < word.size; ++i) {
      if (s[i] != left || i + 1 >= word.size || s[i + 1] != right) {
        s[kept++] = s[i];
        continue;
      }
      if (kept > 0) {
        change(make_key(s[kept - 1], left), -word.count, number);
        change(make_key(s[kept - 1], result), word.count, number);
      }
      if (i + 2 < word.size) {
        change(make_key(right, s[i + 2]), -word.count, number);
        change(make_key(result, s[i + 2]), word.count, number);
      }
      s[kept++] = result;
      ++i;
    }
    word.size = kept;
  }

  const LearnOptions& options_;
  BpeSpec spec_;
  std::array<std::uint32_t, 256> byte_symbol_{};
  std::unordered_map<std::string, std::uint32_t> token_ids_;
  std::vector<std::uint32_t> symbols_;
  std::vector<Word> words_;
  std::vector<Pair> pairs_;
  PairIndex index_;
  std::vector<std::uint32_t> touched_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

BpeSpec learn_merges(std::span<const PieceCounter> parts, const LearnOptions& options) {
  return Learner(parts, options).run();
}

}  // namespace fathom::tokenizer
