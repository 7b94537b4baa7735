// What extraction knows about each node of a page: hints, sizes of its text, and whether it is
// dropped.
#pragma once

#include <cstdint>
#include <vector>

#include "text/html/tree.h"
#include "text/html/words.h"

namespace fathom::html {

// Sizes are bytes of UTF-8 without blanks: a Han character weighs as much as three letters, about
// as much as its share of a word.
struct Sizes {
  std::uint32_t text = 0, link = 0;  // all, and that in links
  std::uint32_t marks = 0;           // commas, full stops and their like
  double link_density() const { return text == 0 ? 0 : static_cast<double>(link) / text; }
  void add(const Sizes& more);
};

struct NodeFacts {
  Hints hints;
  bool dropped = false;
  bool in_link = false;
  bool in_post = false;     // below an element that users' posts are in
  std::uint32_t block = 0;  // the block that its text belongs to; of a block itself
  Sizes own;                // of a block: its text that is in no block below
  Sizes all;                // of everything below, without what is dropped
  std::uint32_t posts = 0;  // of `all`: bytes outside links in posts
  std::uint32_t good = 0;   // of `all`: running text, which is that outside links in good blocks
};

class PageFacts {
 public:
  // `tree` must outlive this.
  explicit PageFacts(const Tree& tree);

  const Tree& tree() const { return tree_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  const NodeFacts& operator[](std::size_t i) const { return nodes_[i]; }

  void drop(std::uint32_t node);  // with all below; add_up() then takes it out of the sizes
  void restore(const PageFacts& before) { nodes_ = before.nodes_; }
  void add_up();
  // Whether the block's own text reads like running text.
  bool is_good(std::uint32_t block) const;
  // From now on short blocks in posts are running text, too; adds up.
  void trust_posts();

 private:
  void measure();

  const Tree& tree_;
  std::vector<NodeFacts> nodes_;
  bool trust_posts_ = false;
};

}  // namespace fathom::html
