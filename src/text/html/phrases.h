// Short blocks that speak of the page instead of its subject, known by what they begin with or
// hold.
#pragma once

#include <string_view>

namespace fathom::html {

// "Advertisement", "Read more: ...", "相关阅读", "© 2024 ... All rights reserved". `text`: of a
// block without the blocks in it, at most max_phrase bytes long; blanks as they are in the page.
// Pure.
bool is_boilerplate_phrase(std::string_view text);

}  // namespace fathom::html
