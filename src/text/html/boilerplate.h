// Drops the parts of a page that are not its content.
#pragma once

#include <cstdint>

#include "text/html/facts.h"

namespace fathom::html {

// Elements that are not shown, and dialogs over the page.
void drop_hidden(PageFacts& page);

// Blocks that begin like boilerplate ("Advertisement", "相关阅读"), without running text below.
void drop_phrases(PageFacts& page);

enum class PageKind { article, thread };
// Navigation, sidebars, footers and the like, by element, role and name; comments of an article.
void drop_named(PageFacts& page, PageKind kind);

// Pointers to other pages: a heading that is a link, with at most an excerpt.
void drop_teasers(PageFacts& page);

// Lists of links below `root`.
void drop_link_lists(PageFacts& page, std::uint32_t root);

// What is before the first and behind the last running text below `root`.
void trim(PageFacts& page, std::uint32_t root);

}  // namespace fathom::html
