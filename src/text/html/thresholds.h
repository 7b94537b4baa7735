// The thresholds of extraction, all in one place. Sizes are bytes of UTF-8 without blanks; shares
// are of a page's running text, which is that of all blocks that read like sentences.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fathom::html {

// A paragraph may have this share of its text in links and still be running text.
inline constexpr double max_paragraph_links = 0.8;
// The same for any other block.
inline constexpr double max_block_links = 0.4;
// A block is running text when it has this much outside links,
inline constexpr std::uint32_t min_paragraph = 80;
// or this much and a mark of punctuation.
inline constexpr std::uint32_t min_sentence = 30;
// A heading below the first level is running text when it has this much and a mark.
inline constexpr std::uint32_t min_sentence_heading = 100;
// In the posts of a thread a block with this much, two Han characters, is running text.
inline constexpr std::uint32_t min_post = 6;

// A hidden element is dropped unless it has more than this share: some pages show all by a script.
inline constexpr double max_hidden_share = 0.5;
// A dialog over the page, unless it has more than this, or holds the page's heading or article.
inline constexpr double max_popup_share = 0.8;
// An element that is named as boilerplate (navigation, sharing), unless it has more than this.
inline constexpr double max_boilerplate_share = 0.4;
// One whose name is that of boilerplate as often as not (header, tags), unless it has more.
inline constexpr double max_aside_share = 0.1;
// Comments below an article, unless they are nearly the whole page.
inline constexpr double max_comments_share = 0.9;
// When names leave less than this, they are wrong on this page: only elements count then.
inline constexpr double min_left_by_names = 0.4;
// A block with a larger share of its text in links and no paragraph is a list of links.
inline constexpr double max_list_links = 0.6;
// A block with more text than this is none of the known phrases of boilerplate.
inline constexpr std::uint32_t max_phrase = 200;

// A teaser has at most this much running text,
inline constexpr std::uint32_t max_teaser = 400;
// its heading this share of its text in links,
inline constexpr double min_teaser_link = 0.9;
// and at most this much text beside that and its heading.
inline constexpr std::uint32_t max_teaser_extras = 120;
// Fewer than this are headings of the text that happen to be links.
inline constexpr std::size_t min_teasers = 3;
// When teasers have a larger share, the page is a list of them, and they are its text.
inline constexpr double max_teaser_share = 0.6;

// The root of an article is the smallest element with this share of the one around it.
inline constexpr double min_root_share = 0.75;
// The same for a thread, whose posts are equals.
inline constexpr double min_thread_share = 0.9;
// An element that the page itself marks as its text, by structured data, class, <article> or
// <main>, is the root when it has this share.
inline constexpr double min_structured_share = 0.2;
inline constexpr double min_named_share = 0.3;
inline constexpr double min_element_share = 0.4;
// Of several marked elements the first is the root, unless a later one has this much more,
inline constexpr double later_mark_factor = 2.0;
// and an element inside that has this share is closer to the text.
inline constexpr double inner_mark_share = 0.8;
// Text before the root belongs to it (a summary above the body) when it is at most this share of
// it.
inline constexpr double max_lead_share = 0.25;

// A page is a thread when this many elements have names of forums (its software counts as many),
inline constexpr int min_forum_names = 3;
// and posts have this share of the text of the article that was found.
inline constexpr double min_posts_share = 0.3;
// Without such names: when posts have so many times the article's text,
inline constexpr double many_posts = 3.0;
// which is shorter than this.
inline constexpr std::uint32_t max_opening = 400;
// In a post, an element named as metadata (author, date) is dropped when it is shorter than this.
inline constexpr std::uint32_t max_post_metadata = 100;

// A table is for layout, not data, when one of its cells has more running text than this.
inline constexpr std::uint32_t max_cell = 300;

}  // namespace fathom::html
