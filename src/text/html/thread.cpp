#include "text/html/thread.h"

#include <algorithm>

#include "text/html/boilerplate.h"
#include "text/html/root.h"
#include "text/html/thresholds.h"

namespace fathom::html {
namespace {

// What <meta name="generator"> says on forums.
constexpr std::string_view forum_software[] = {"Discuz",    "phpBB",  "vBulletin", "XenForo",
                                               "Discourse", "MyBB",   "UBB",       "bbPress",
                                               "NodeBB",    "Flarum", "Invision"};

bool names_forum_software(const Tree& tree, const Node& node) {
  const Attributes& attributes = tree.attributes(node);
  return node.tag == Tag::meta && attributes.name == "generator" &&
         std::ranges::any_of(forum_software, [&](std::string_view name) {
           return attributes.content.find(name) != std::string_view::npos;
         });
}

int forum_names(const PageFacts& page) {
  int names = page[0].hints.has(Hint::forum);
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const Hints hints = page[i].hints;
    names += hints.has(Hint::forum) && !hints.has(Hint::comments);
    if (names_forum_software(page.tree(), page.tree()[i])) names += min_forum_names;
  }
  return names;
}

// Whether an element names none of its parts as somebody's words.
bool has_no_words(const PageFacts& page, std::uint32_t node) {
  for (std::uint32_t i = node + 1; i < page.tree()[node].end; ++i) {
    const Hints hints = page[i].hints;
    if (hints.has(Hint::body) || hints.has(Hint::post) || hints.has(Hint::comments)) return false;
  }
  return true;
}

// Authors, dates, numbers of votes.
void drop_metadata(PageFacts& page) {
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const NodeFacts& facts = page[i];
    if (facts.dropped || !facts.in_post) continue;
    if (!facts.hints.has(Hint::aside) || facts.hints.has(Hint::body)) continue;
    const bool small = facts.all.text < max_post_metadata && facts.all.marks == 0;
    if (small && has_no_words(page, i)) page.drop(i);
  }
}

}  // namespace

bool is_thread(const PageFacts& page, std::uint32_t article) {
  const double posts = page[0].posts;
  if (posts > many_posts * article && article < max_opening) return true;
  return posts > min_posts_share * article && forum_names(page) >= min_forum_names;
}

std::uint32_t find_thread(PageFacts& page) {
  drop_metadata(page);
  page.trust_posts();
  drop_named(page, PageKind::thread);
  drop_teasers(page);
  const std::uint32_t root = densest_root(page, min_thread_share);
  drop_link_lists(page, root);
  trim(page, root);
  return root;
}

}  // namespace fathom::html
