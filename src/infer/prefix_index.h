// Which pages of the KV cache hold the keys and values of which tokens.
//
// The keys and values of a page depend on all tokens before it too, so a page is known by its
// tokens and by the content of the page before it. Tokens are compared, not their hashes: two
// prefixes are never taken for each other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace fathom::infer {

class PrefixIndex {
 public:
  // Stands for the tokens of a page and all before it; 0: for no tokens. Never used again.
  using Content = std::uint64_t;
  struct Entry {
    Content content;
    std::int32_t page;
  };

  // The page of `tokens` behind `before`.
  std::optional<Entry> find(Content before, std::span<const std::int32_t> tokens) const;
  // Makes `page` known; where another page with the same content is known, that one stays. Returns
  // the content in either case.
  Content add(Content before, std::span<const std::int32_t> tokens, std::int32_t page);
  // True if the index maps this content to `page`.
  bool is_known(Content content, std::int32_t page) const;
  void forget(Content content);
  void clear();

 private:
  struct Key {
    Content before;
    std::vector<std::int32_t> tokens;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const;
  };
  using Entries = std::unordered_map<Key, Entry, Hash>;

  Entries entries_;
  std::unordered_map<Content, Entries::iterator> by_content_;
  Content last_ = 0;
};

}  // namespace fathom::infer
