// Learning and applying merges against the simplest code that does the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "text/utf8.h"
#include "tokenizer/bpe.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/merge_learner.h"

namespace fathom::tokenizer {
namespace {

using Word = std::vector<std::int32_t>;

// Replaces (left, right) by `result`, from left to right.
void replace_pair(Word& word, std::int32_t left, std::int32_t right, std::int32_t result) {
  Word out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (i + 1 < word.size() && word[i] == left && word[i + 1] == right) {
      out.push_back(result);
      ++i;
    } else {
      out.push_back(word[i]);
    }
  }
  word = out;
}

BpeSpec byte_vocabulary() {
  BpeSpec spec;
  std::vector<std::string> characters;
  for (const char32_t c : byte_to_char()) utf8::append(characters.emplace_back(), c);
  std::ranges::sort(characters);
  spec.vocab = characters;
  return spec;
}

std::int32_t id_of(const BpeSpec& spec, const std::string& token) {
  const auto found = std::ranges::find(spec.vocab, token);
  return found == spec.vocab.end() ? -1 : static_cast<std::int32_t>(found - spec.vocab.begin());
}

Word bytes_of(const BpeSpec& spec, const std::string& piece) {
  Word word;
  for (const char byte : piece) {
    std::string token;
    append_byte_level(token, {&byte, 1});
    word.push_back(id_of(spec, token));
  }
  return word;
}

// Counts all pairs anew before each merge.
BpeSpec naive_learn(const std::map<std::string, std::uint64_t>& pieces, std::size_t vocab_size,
                    std::uint64_t min_frequency) {
  BpeSpec spec = byte_vocabulary();
  std::vector<std::pair<Word, std::uint64_t>> words;
  for (const auto& [piece, count] : pieces) words.emplace_back(bytes_of(spec, piece), count);
  while (spec.vocab.size() < vocab_size) {
    std::map<std::pair<std::int32_t, std::int32_t>, std::uint64_t> counts;
    for (const auto& [word, count] : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) counts[{word[i], word[i + 1]}] += count;
    }
    // The most frequent; of several the first in order of ids.
    const auto best =
        std::ranges::max_element(counts, {}, [](auto& entry) { return entry.second; });
    if (best == counts.end() || best->second < min_frequency) break;
    const auto [left, right] = best->first;
    const std::string token =
        spec.vocab[static_cast<std::size_t>(left)] + spec.vocab[static_cast<std::size_t>(right)];
    std::int32_t result = id_of(spec, token);
    if (result < 0) {
      result = static_cast<std::int32_t>(spec.vocab.size());
      spec.vocab.push_back(token);
    }
    spec.merges.push_back({left, right, result});
    for (auto& [word, count] : words) replace_pair(word, left, right, result);
  }
  return spec;
}

// The lowest rank that applies, at its leftmost place, again and again.
Word naive_merge(const BpeSpec& spec, Word word) {
  for (;;) {
    std::size_t best_rank = spec.merges.size(), at = 0;
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      for (std::size_t rank = 0; rank < best_rank; ++rank) {
        if (spec.merges[rank].left == word[i] && spec.merges[rank].right == word[i + 1]) {
          best_rank = rank;
          at = i;
        }
      }
    }
    if (best_rank == spec.merges.size()) return word;
    word[at] = spec.merges[best_rank].result;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

// Words of few letters, so that pairs repeat, overlap and tie.
std::string random_word(std::mt19937& random, std::size_t max_size, const std::string& letters) {
  std::string word;
  for (std::size_t i = 1 + random() % max_size; i > 0; --i) {
    word += letters[random() % letters.size()];
  }
  return word;
}

std::map<std::string, std::uint64_t> random_pieces(std::mt19937& random) {
  std::map<std::string, std::uint64_t> pieces;
  const std::string letters = std::string("aabbc d\xc3\xa9").substr(0, 3 + random() % 6);
  for (int i = 0; i < 60; ++i) pieces[random_word(random, 14, letters)] += 1 + random() % 9;
  return pieces;
}

BpeSpec learn(const std::map<std::string, std::uint64_t>& pieces, std::size_t vocab_size,
              std::uint64_t min_frequency) {
  std::vector<PieceCounter> parts(3);
  std::size_t i = 0;
  for (const auto& [piece, count] : pieces) parts[i++ % 3].add(piece, count);
  return learn_merges(parts, {vocab_size, min_frequency, {}});
}

void expect_same(const BpeSpec& got, const BpeSpec& wanted) {
  EXPECT_EQ(got.vocab, wanted.vocab);
  ASSERT_EQ(got.merges.size(), wanted.merges.size());
  for (std::size_t rank = 0; rank < wanted.merges.size(); ++rank) {
    EXPECT_EQ(got.merges[rank].left, wanted.merges[rank].left) << rank;
    EXPECT_EQ(got.merges[rank].right, wanted.merges[rank].right) << rank;
    EXPECT_EQ(got.merges[rank].result, wanted.merges[rank].result) << rank;
  }
}

TEST(Merges, AreLearntAsTheNaiveTrainerLearnsThem) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    const auto pieces = random_pieces(random);
    const std::uint64_t min_frequency = 1 + random() % 20;
    const std::size_t vocab_size = 256 + random() % 80;
    SCOPED_TRACE(round);
    expect_same(learn(pieces, vocab_size, min_frequency),
                naive_learn(pieces, vocab_size, min_frequency));
  }
}

TEST(Merges, ApplyAsTheNaiveMergeDoes) {
  std::mt19937 random(8);
  for (int round = 0; round < 12; ++round) {
    const BpeSpec spec = naive_learn(random_pieces(random), 256 + 60, 1);
    const Bpe bpe(spec, true, "test");
    Bpe::Scratch scratch;
    for (int i = 0; i < 60; ++i) {
      // Below, around and above the 160 symbols from which on a heap is used.
      const std::size_t size = i % 3 == 0 ? 400 : i % 3 == 1 ? 170 : 30;
      const std::string piece = random_word(random, size, "aabbc d\xc3\xa9");
      const Word wanted = naive_merge(spec, bytes_of(spec, piece));
      for (int again = 0; again < 2; ++again) {  // the second time from the cache
        Word ids = {-7};
        bpe.encode(piece, scratch, ids);
        ASSERT_EQ(ids[0], -7);
        ASSERT_EQ(Word(ids.begin() + 1, ids.end()), wanted) << piece;
      }
    }
  }
}

// Pieces of every length, of which many share the cache's slots.
TEST(Merges, CacheGivesEachPieceItsOwnIds) {
  const BpeSpec spec = byte_vocabulary();
  const Bpe bpe(spec, true, "test");
  Bpe::Scratch scratch;
  std::mt19937 random(9);
  for (int i = 0; i < 15000; ++i) {
    std::string piece(1 + static_cast<std::size_t>(i) % 72, 'x');
    piece[random() % piece.size()] = static_cast<char>('a' + random() % 26);
    piece.back() = static_cast<char>('a' + random() % 26);
    Word ids;
    bpe.encode(piece, scratch, ids);
    ASSERT_EQ(ids, bytes_of(spec, piece)) << piece;
  }
}

}  // namespace
}  // namespace fathom::tokenizer
