// Keeps track of the pages of the KV cache: which are free, which belong to sequences, and which
// hold the beginning of a text that may come again. KvCache owns the memory itself.
//
// A full page stays in the prefix index after its sequence ends. When no other is free, the page
// released longest ago is used again; a sequence releases its last page first. Sequences that begin
// alike share pages; nobody writes to a page that is full.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "infer/prefix_index.h"

namespace fathom::infer {

// Page numbers of one sequence in the order of its tokens: token t is in page
// table[t / page_size], row t % page_size.
using BlockTable = std::vector<std::int32_t>;

class BlockManager {
 public:
  BlockManager(std::int64_t pages, std::int64_t page_size);

  std::int64_t page_size() const { return page_size_; }
  std::int64_t total_pages() const { return static_cast<std::int64_t>(pages_.size()); }
  // Pages that no sequence holds.
  std::int64_t free_pages() const { return std::ssize(free_) + std::ssize(unheld_); }
  // Pages that hold `tokens` tokens.
  std::int64_t pages_for(std::int64_t tokens) const {
    return (tokens + page_size_ - 1) / page_size_;
  }

  // Extends `table` until it holds `tokens` tokens. False, with nothing changed,
  // when there are not enough free pages.
  bool grow(BlockTable& table, std::int64_t tokens);
  // Gives up all pages of `table` and empties it. Throws a run-time Error for a page that nobody
  // holds.
  void release(BlockTable& table);

  // Fills the empty `table` with the known pages that `tokens` begin with, but not with the last
  // token's: a sequence reads at least that one. Returns how many tokens they hold.
  std::int64_t take_known(BlockTable& table, std::span<const std::int32_t> tokens);
  // Makes known the full pages among those that hold the first `count` of the tokens.
  void make_known(const BlockTable& table, std::span<const std::int32_t> tokens,
                  std::int64_t count);
  // Forgets all contents, as when the model's weights have changed.
  void forget_contents();

 private:
  struct Page {
    int holders = 0;
    PrefixIndex::Content content = 0;
    std::uint64_t released = 0;  // its place in unheld_
  };

  Page& page(std::int32_t number) { return pages_[static_cast<std::size_t>(number)]; }
  std::int32_t take_free();
  void hold(std::int32_t number);
  void give_up(std::int32_t number);
  std::span<const std::int32_t> block(std::span<const std::int32_t> tokens, std::size_t i) const;

  std::int64_t page_size_;
  std::vector<Page> pages_;
  std::vector<std::int32_t> free_;  // a stack: the page used last is the likeliest in cache
  std::map<std::uint64_t, std::int32_t> unheld_;  // known pages that nobody holds, by their release
  std::uint64_t releases_ = 0;
  PrefixIndex index_;
};

}  // namespace fathom::infer
