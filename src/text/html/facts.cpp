#include "text/html/facts.h"

#include <algorithm>

#include "text/ascii.h"
#include "text/html/thresholds.h"

namespace fathom::html {
namespace {

// Whether a mark of punctuation begins at `i`: . , ; ! ? or one of 、 。 ， ！ ； ？.
bool is_mark(std::string_view text, std::size_t i) {
  switch (text[i]) {
    case ',':
    case ';':
    case '!':
    case '?':
    case '.':
      return i + 1 == text.size() || ascii::is_blank(text[i + 1]);
    case '\xe3':
      return i + 2 < text.size() && text[i + 1] == '\x80' &&
             (text[i + 2] == '\x81' || text[i + 2] == '\x82');
    case '\xef':
      return i + 2 < text.size() && text[i + 1] == '\xbc' &&
             (text[i + 2] == '\x8c' || text[i + 2] == '\x81' || text[i + 2] == '\x9b' ||
              text[i + 2] == '\x9f');
    default:
      return false;
  }
}

Sizes sizes_of(std::string_view text, bool in_link) {
  Sizes sizes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (ascii::is_blank(text[i])) continue;
    ++sizes.text;
    sizes.marks += is_mark(text, i);
  }
  if (in_link) sizes.link = sizes.text;
  return sizes;
}

}  // namespace

void Sizes::add(const Sizes& more) {
  text += more.text;
  link += more.link;
  marks += more.marks;
}

PageFacts::PageFacts(const Tree& tree) : tree_(tree), nodes_(tree.nodes().size()) {
  measure();
  add_up();
}

void PageFacts::measure() {
  if (hints_of(tree_.attributes(tree_[0])).has(Hint::forum)) nodes_[0].hints.add(Hint::forum);
  for (std::uint32_t i = 1; i < size(); ++i) {
    const Node& node = tree_[i];
    NodeFacts& facts = nodes_[i];
    const NodeFacts& parent = nodes_[node.parent];
    const bool link = node.tag == Tag::a && tree_.attributes(node).link;
    facts.in_link = parent.in_link || link;
    facts.block = is_block(node.tag) ? i : parent.block;
    facts.dropped = parent.dropped || is_invisible(node.tag);
    if (node.attributes != 0) facts.hints = hints_of(tree_.attributes(node));
    const bool post = facts.hints.has(Hint::post) || facts.hints.has(Hint::comments);
    facts.in_post = parent.in_post || (post && is_block(node.tag));
    if (node.tag != Tag::text || facts.dropped) continue;
    nodes_[facts.block].own.add(sizes_of(tree_.text(node), facts.in_link));
  }
}

bool PageFacts::is_good(std::uint32_t block) const {
  const Sizes& own = nodes_[block].own;
  const Tag tag = tree_[block].tag;
  if (own.link_density() > (tag == Tag::p ? max_paragraph_links : max_block_links)) return false;
  const std::uint32_t bytes = own.text - own.link;
  if (is_heading(tag)) return tag != Tag::h1 && bytes >= min_sentence_heading && own.marks > 0;
  if (trust_posts_ && nodes_[block].in_post && bytes >= min_post) return true;
  return bytes >= min_paragraph || (bytes >= min_sentence && own.marks > 0);
}

void PageFacts::add_up() {
  for (NodeFacts& facts : nodes_) {
    facts.all = {};
    facts.good = facts.posts = 0;
  }
  for (std::uint32_t i = size(); i-- > 1;) {
    NodeFacts& facts = nodes_[i];
    if (facts.dropped) continue;
    if (facts.block == i) {
      facts.all.add(facts.own);
      if (is_good(i)) facts.good += facts.own.text - facts.own.link;
      if (facts.in_post) facts.posts += facts.own.text - facts.own.link;
    }
    NodeFacts& parent = nodes_[tree_[i].parent];
    parent.all.add(facts.all);
    parent.good += facts.good;
    parent.posts += facts.posts;
  }
  nodes_[0].all.add(nodes_[0].own);
  if (is_good(0)) nodes_[0].good += nodes_[0].own.text - nodes_[0].own.link;
}

void PageFacts::trust_posts() {
  trust_posts_ = true;
  add_up();
}

void PageFacts::drop(std::uint32_t node) {
  for (std::uint32_t i = node; i < tree_[node].end; ++i) nodes_[i].dropped = true;
}

}  // namespace fathom::html
