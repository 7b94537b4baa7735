// The server's web pages: a chat at /, the engine's state at /engine, and below /assets/ the files
// that both load. They hold nothing secret, so they need no key; what they ask the API for does.
#pragma once

#include <string_view>
#include <vector>

#include "serve/service.h"

namespace fathom::serve {

// All paths of the pages and their files.
const std::vector<std::string_view>& page_paths();
bool is_page(std::string_view path);

// The page or file at the request's path, one of page_paths(); 304 when the client has it. Lets it
// load nothing from other hosts, run no script but the server's, and stand in no other site's
// frame.
Reply page_reply(const HttpRequest& request);

}  // namespace fathom::serve
