// The main text of a web page: what its author wrote, without the site around it.
#pragma once

#include <string>
#include <string_view>

#include "text/html/tokenizer.h"

namespace fathom::html {

struct MainText {
  std::string title;  // one line; empty when the page has none
  std::string text;   // see render(); empty when the page has no running text
};

// `page`: HTML in UTF-8. Pure; linear in the page's size. Any thread may call it.
MainText main_text(std::string_view page, Syntax syntax = Syntax::html);

}  // namespace fathom::html
