// API keys of the commands that serve and that ask a server.
#pragma once

#include <string>
#include <vector>

namespace fathom::cli {

// The keys of `file`, one a line, or where `file` is empty of the variable FATHOM_API_KEY; none
// when neither is given. Throws an input Error for a file or variable without a key.
std::vector<std::string> api_keys(const std::string& file);

}  // namespace fathom::cli
