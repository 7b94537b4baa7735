// A page as a tree of elements and runs of text, in the order of the page.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/html/tags.h"
#include "text/html/tokenizer.h"

namespace fathom::html {

// Nodes stand in the order of the page, so the nodes below node i are those from i + 1 up to its
// `end`, and their text is one range of the tree's text. Walks are loops: nothing recurses.
struct Node {
  Tag tag = Tag::other;
  std::uint32_t parent = 0;
  std::uint32_t end = 0;         // one behind the last node below it
  std::uint32_t text_begin = 0;  // in the tree's text, of all text below
  std::uint32_t text_end = 0;
  std::uint32_t attributes = 0;  // in the tree's attributes
  std::uint16_t depth = 0;       // of the root 0
};

class Tree {
 public:
  // Never fails: what is wrong is mended as in the HTML standard (section 13.2.6), but for
  // misplaced content of tables, which stays where it is, and formatting that overlaps blocks,
  // which ends with them. What is deeper than 256 elements becomes text of the 256th. What is
  // behind a million nodes, raw text other than the title's, what an <svg> holds, and comments are
  // dropped. `html` must be UTF-8 of less than 1 GiB and outlive the tree.
  explicit Tree(std::string_view html, Syntax syntax = Syntax::html);

  std::span<const Node> nodes() const { return nodes_; }  // the first is the root
  const Node& operator[](std::size_t i) const { return nodes_[i]; }
  const Attributes& attributes(const Node& node) const { return attributes_[node.attributes]; }
  // All text, with its blanks as they are in the page, but for U+00A0 and U+3000, which are
  // spaces, and character references decoded.
  std::string_view text() const { return text_; }
  std::string_view text(const Node& node) const {
    return text().substr(node.text_begin, node.text_end - node.text_begin);
  }

 private:
  friend class TreeBuilder;

  std::vector<Node> nodes_;
  std::vector<Attributes> attributes_ = {{}};  // the first is that of all nodes without any
  std::string text_;
};

}  // namespace fathom::html
