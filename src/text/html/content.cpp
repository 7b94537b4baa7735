#include "text/html/content.h"

#include "text/html/boilerplate.h"
#include "text/html/root.h"
#include "text/html/thread.h"
#include "text/html/thresholds.h"

namespace fathom::html {
namespace {

void drop_behind(PageFacts& page, std::uint32_t root, std::uint32_t wide) {
  const Tree& tree = page.tree();
  for (std::uint32_t i = tree[root].end; i < tree[wide].end; i = tree[i].end) page.drop(i);
  page.add_up();
}

std::uint32_t find_article(PageFacts& page) {
  drop_named(page, PageKind::article);
  drop_teasers(page);
  std::uint32_t root = marked_root(page);
  if (root == 0) root = densest_root(page, min_root_share);
  const std::uint32_t wide = with_lead(page, root);
  drop_behind(page, root, wide);
  drop_link_lists(page, wide);
  trim(page, wide);
  return wide;
}

}  // namespace

std::uint32_t find_content(PageFacts& page) {
  drop_hidden(page);
  drop_phrases(page);
  const PageFacts all = page;
  const std::uint32_t root = find_article(page);
  if (!is_thread(all, page[root].good)) return root;
  page.restore(all);
  return find_thread(page);
}

}  // namespace fathom::html
