// Tokenised conversations: what SFT and DPO learn from, whatever format they were read from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// A conversation as token ids, with the template's own special tokens (BOS, end of turn) in place.
struct Example {
  std::span<const std::int32_t> tokens;
  // [tokens] 1 where the token is learned: it is a target, predicted from those before it.
  std::span<const std::uint8_t> learned;
};

class ExampleSet {
 public:
  void add(const Example& example);

  std::int64_t size() const { return std::ssize(begins_) - 1; }
  Example operator[](std::int64_t index) const;
  std::int64_t num_tokens() const { return std::ssize(tokens_); }
  // Learned tokens, without those that stand first and so have nothing before them.
  std::int64_t num_targets() const { return num_targets_; }
  // XXH3 of all tokens and marks, in order.
  std::uint64_t hash() const;

 private:
  std::vector<std::int32_t> tokens_;
  std::vector<std::uint8_t> learned_;
  std::vector<std::int64_t> begins_ = {0};  // [size + 1] of the examples in the above
  std::int64_t num_targets_ = 0;
};

// A prompt with a better and a worse answer. Prompt and answer follow each other without a gap;
// the answer's tokens, its end of turn included, are what the answer's log-probability counts.
struct PreferencePair {
  std::span<const std::int32_t> prompt, chosen, rejected;
};

class PreferenceSet {
 public:
  void add(const PreferencePair& pair);

  std::int64_t size() const { return std::ssize(parts_); }
  std::int64_t num_tokens() const { return std::ssize(tokens_); }  // each prompt once
  PreferencePair operator[](std::int64_t index) const;
  std::uint64_t hash() const;
  // XXH3 of one pair's tokens and of where its parts begin.
  std::uint64_t hash_of(std::int64_t index) const;

 private:
  struct Parts {
    std::int64_t begin, prompt, chosen, rejected;  // tokens before the pair, then of each part
  };
  std::vector<std::int32_t> tokens_;
  std::vector<Parts> parts_;
};

}  // namespace fathom
