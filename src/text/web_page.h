// The main text of web pages: from bytes to text (http_response.h, charset.h, html/main_text.h).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/page_problem.h"

namespace fathom {

struct WebPage {
  PageProblem problem = PageProblem::none;  // when it is set, there is no text
  std::string title;                        // one line, may be empty
  std::string text;          // "# " and the title, an empty line, and the main text; valid UTF-8
  std::size_t replaced = 0;  // bytes that are in no character of the page's encoding
};

// `bytes`: an HTML page, in any encoding. Refuses what is not HTML by its first bytes.
WebPage read_page(std::string_view bytes);
// `text`: a page, or a part of one, that is UTF-8 already, whatever encoding its <meta> names.
// Refuses text without any tag.
WebPage read_page_text(std::string_view text);
// `bytes`: an HTTP response with its headers, whose type and encoding count.
WebPage read_response(std::string_view bytes);

}  // namespace fathom
