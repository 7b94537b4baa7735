// What the class, id and role of an element say about its content: the vocabulary by which pages
// name their parts.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/html/tokenizer.h"

namespace fathom::html {

enum class Hint : std::uint16_t {
  boilerplate = 1 << 0,  // navigation, advertising, sharing, cookies: never part of the text
  aside = 1 << 1,        // often none of the text: headers, bylines, tags, related pages
  comments = 1 << 2,     // what readers wrote below the text
  whole = 1 << 3,        // names the thing that a page is about: article, post, entry, story
  body = 1 << 4,         // names its text: body, content, text
  hidden = 1 << 5,       // not shown
  post = 1 << 6,         // one of many by users: reply, message, answer, floor
  caption = 1 << 7,      // below a picture
  popup = 1 << 9,        // over the page: cookies, dialogs
  forum = 1 << 8,        // of a page on which many users write
};

struct Hints {
  std::uint16_t bits = 0;

  bool has(Hint hint) const { return (bits & static_cast<std::uint16_t>(hint)) != 0; }
  bool none() const { return bits == 0; }
  void add(Hint hint) { bits |= static_cast<std::uint16_t>(hint); }
  // The text of what the page is about, by its own words: "articleBody", "entry-content".
  bool marks_text() const { return has(Hint::whole) && has(Hint::body); }
};

// Words are cut at hyphens, underscores, blanks, digits and capitals ("postContent"). Pure.
Hints hints_of(const Attributes& attributes);

}  // namespace fathom::html
