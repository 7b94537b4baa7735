#include "text/html/boilerplate.h"

#include <algorithm>
#include <string>
#include <vector>

#include "text/html/phrases.h"
#include "text/html/thresholds.h"

namespace fathom::html {
namespace {

double share_of(std::uint32_t part, std::uint32_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / whole;
}

bool is_boilerplate_tag(Tag tag) {
  return tag == Tag::nav || tag == Tag::footer || tag == Tag::aside || tag == Tag::menu ||
         tag == Tag::search || tag == Tag::figcaption;
}

// Whether the element holds what a page has once: its article, its first heading.
bool holds_article(const Tree& tree, std::uint32_t node) {
  for (std::uint32_t i = node; i < tree[node].end; ++i) {
    const Tag tag = tree[i].tag;
    if (tag == Tag::article || tag == Tag::main || tag == Tag::h1) return true;
  }
  return false;
}

// The block's own text that is shown, cut where it is too long for a phrase.
std::string own_text(const PageFacts& page, std::uint32_t block) {
  const Tree& tree = page.tree();
  std::string text;
  for (std::uint32_t i = block + 1; i < tree[block].end && text.size() < 2 * max_phrase; ++i) {
    if (page[i].dropped || page[i].block == i) {
      i = tree[i].end - 1;
    } else if (tree[i].tag == Tag::text) {
      text += tree.text(tree[i]).substr(0, 2 * max_phrase);
    }
  }
  return text;
}

bool holds_running_text_below(const PageFacts& page, std::uint32_t block) {
  const NodeFacts& facts = page[block];
  const std::uint32_t own = page.is_good(block) ? facts.own.text - facts.own.link : 0;
  return facts.good > own;
}

// Which names count.
enum class Names { all, none };

bool is_boilerplate(const PageFacts& page, std::uint32_t node, double share, PageKind kind,
                    Names names) {
  const NodeFacts& facts = page[node];
  const Hints hints = facts.hints;
  if (hints.has(Hint::caption) && share < max_aside_share) return true;
  if (kind == PageKind::article && hints.has(Hint::comments) && share < max_comments_share) {
    return true;
  }
  if (names == Names::none) {
    return hints.none() && is_boilerplate_tag(page.tree()[node].tag) &&
           share < max_boilerplate_share;
  }
  const bool named = hints.has(Hint::boilerplate) || is_boilerplate_tag(page.tree()[node].tag);
  if (named && share < max_boilerplate_share) return true;
  const bool in_post = kind == PageKind::thread && facts.in_post;
  return hints.has(Hint::aside) && !hints.marks_text() && !in_post && share < max_aside_share;
}

void drop_named(PageFacts& page, PageKind kind, Names names) {
  const std::uint32_t good = page[0].good;
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const NodeFacts& facts = page[i];
    if (facts.dropped) continue;
    // Names of links and emphasis within running text say nothing about it.
    if (facts.block != i && (facts.in_link || page.is_good(facts.block))) continue;
    if (is_boilerplate(page, i, share_of(facts.good, good), kind, names)) page.drop(i);
  }
  page.add_up();
}

// The largest element around a heading that has no more than a teaser has; the heading when there
// is none.
std::uint32_t teaser_around(const PageFacts& page, std::uint32_t heading) {
  std::uint32_t teaser = heading;
  for (std::uint32_t up = page.tree()[heading].parent; up != 0; up = page.tree()[up].parent) {
    const NodeFacts& facts = page[up];
    if (facts.good > max_teaser) break;
    if (facts.all.text > page[heading].all.text + facts.good + max_teaser_extras) break;
    teaser = up;
  }
  return teaser;
}

bool has_text(const Tree& tree, std::uint32_t node) {
  return tree.text(tree[node]).find_first_not_of(" \t\r\n\f") != std::string_view::npos;
}

bool is_running_text(const PageFacts& page, std::uint32_t node) {
  const Node& run = page.tree()[node];
  return !page[node].dropped && run.tag == Tag::text && page.is_good(page[node].block) &&
         has_text(page.tree(), node);
}

}  // namespace

void drop_hidden(PageFacts& page) {
  const std::uint32_t good = page[0].good;
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const NodeFacts& facts = page[i];
    if (facts.dropped) continue;
    const double share = share_of(facts.good, good);
    const bool hidden = facts.hints.has(Hint::hidden) && share <= max_hidden_share;
    const bool popup = facts.hints.has(Hint::popup) && share <= max_popup_share;
    if (hidden || (popup && !holds_article(page.tree(), i))) page.drop(i);
  }
  page.add_up();
}

void drop_phrases(PageFacts& page) {
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const NodeFacts& facts = page[i];
    if (facts.dropped || facts.block != i || facts.all.text == 0) continue;
    if (facts.all.text > max_phrase || holds_running_text_below(page, i)) continue;
    if (is_boilerplate_phrase(own_text(page, i))) page.drop(i);
  }
  page.add_up();
}

void drop_named(PageFacts& page, PageKind kind) {
  const PageFacts before = page;
  drop_named(page, kind, Names::all);
  if (kind == PageKind::thread || page[0].good >= min_left_by_names * before[0].good) return;
  page.restore(before);
  drop_named(page, kind, Names::none);
}

void drop_teasers(PageFacts& page) {
  const Tree& tree = page.tree();
  std::vector<std::uint32_t> teasers;
  std::uint32_t good = 0;
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const NodeFacts& facts = page[i];
    if (facts.dropped || !is_heading(tree[i].tag) || facts.all.text == 0) continue;
    if (!teasers.empty() && i < tree[teasers.back()].end) continue;
    if (facts.all.link_density() < min_teaser_link) continue;
    const std::uint32_t teaser = teaser_around(page, i);
    if (teaser == i) continue;
    teasers.push_back(teaser);
    good += page[teaser].good;
  }
  if (teasers.size() < min_teasers || good > max_teaser_share * page[0].good) return;
  for (const std::uint32_t teaser : teasers) page.drop(teaser);
  page.add_up();
}

void drop_link_lists(PageFacts& page, std::uint32_t root) {
  for (std::uint32_t i = root + 1; i < page.tree()[root].end; ++i) {
    const NodeFacts& facts = page[i];
    if (facts.dropped || facts.block != i || facts.all.text == 0) continue;
    if (facts.all.link_density() > max_list_links && facts.good < min_paragraph) page.drop(i);
  }
  page.add_up();
}

void trim(PageFacts& page, std::uint32_t root) {
  const Tree& tree = page.tree();
  std::uint32_t first = 0, last = 0, heading = 0;
  for (std::uint32_t i = root; i < tree[root].end; ++i) {
    if (page[i].dropped) continue;
    if (is_running_text(page, i)) {
      if (first == 0) first = heading == 0 ? i : heading;
      last = i;
    }
    if (is_heading(tree[i].tag) && tree[i].tag != Tag::h1 && page[i].all.text > 0) {
      heading = i;
    } else if (tree[i].tag == Tag::text && i >= tree[heading].end && has_text(tree, i)) {
      heading = 0;
    }
  }
  if (first == 0) return;
  for (std::uint32_t i = root + 1; i < tree[root].end; ++i) {
    if (tree[i].end <= first || i > last) page.drop(i);
  }
  page.add_up();
}

}  // namespace fathom::html
