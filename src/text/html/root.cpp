#include "text/html/root.h"

#include "text/html/thresholds.h"

namespace fathom::html {
namespace {

// How a page can mark its text, from the surest to the least sure.
enum class Mark { structured, named, article, main, none };

Mark mark_of(const PageFacts& page, std::uint32_t node) {
  const Tree& tree = page.tree();
  const Attributes& attributes = tree.attributes(tree[node]);
  if (attributes.itemprop == "articleBody") return Mark::structured;
  if (page[node].hints.marks_text()) return Mark::named;
  if (tree[node].tag == Tag::article) return Mark::article;
  if (tree[node].tag == Tag::main || attributes.role == "main") return Mark::main;
  return Mark::none;
}

double min_share_of(Mark mark) {
  if (mark == Mark::structured) return min_structured_share;
  return mark == Mark::named ? min_named_share : min_element_share;
}

std::uint32_t root_marked(const PageFacts& page, Mark mark) {
  std::uint32_t root = 0;
  double least = min_share_of(mark) * page[0].good;
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    if (page[i].dropped || page[i].good <= least || mark_of(page, i) != mark) continue;
    root = i;
    least = inner_mark_share * page[i].good;
    // Elements behind this one must have much more.
    for (; i + 1 < page.tree()[root].end; ++i) {
      if (page[i + 1].dropped || page[i + 1].good <= least) continue;
      if (mark_of(page, i + 1) != mark) continue;
      root = i + 1;
      least = inner_mark_share * page[root].good;
    }
    least = later_mark_factor * page[root].good;
  }
  return root;
}

std::uint32_t own_good(const PageFacts& page, std::uint32_t node) {
  const NodeFacts& facts = page[node];
  if (facts.dropped || facts.block != node || !page.is_good(node)) return 0;
  return facts.own.text - facts.own.link;
}

}  // namespace

std::uint32_t densest_root(const PageFacts& page, double min_share) {
  const Tree& tree = page.tree();
  std::uint32_t root = 0;
  for (std::uint32_t i = 1; i < tree[root].end; ++i) {
    if (page[i].dropped || page[i].block != i) continue;
    if (page[i].good >= min_share * page[root].good) root = i;
  }
  // A paragraph alone would lose its neighbours.
  while (root != 0 && tree[root].tag == Tag::p) root = tree[root].parent;
  return root;
}

std::uint32_t marked_root(const PageFacts& page) {
  for (const Mark mark : {Mark::structured, Mark::named, Mark::article, Mark::main}) {
    if (const std::uint32_t root = root_marked(page, mark)) return root;
  }
  return 0;
}

std::uint32_t with_lead(const PageFacts& page, std::uint32_t root) {
  const Tree& tree = page.tree();
  std::uint32_t wide = root, lead = 0;
  while (wide != 0) {
    const std::uint32_t parent = tree[wide].parent;
    lead += own_good(page, parent);
    for (std::uint32_t i = parent + 1; i < wide; ++i) lead += own_good(page, i);
    if (lead > max_lead_share * page[root].good) break;
    wide = parent;
  }
  return wide;
}

}  // namespace fathom::html
