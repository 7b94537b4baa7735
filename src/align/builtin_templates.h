// Chat templates that come with Fathom, for models without one of their own.
#pragma once

#include <string_view>

namespace fathom {

// The source of "deepseek", "chatml" or "plain"; empty for another name.
std::string_view builtin_template(std::string_view name);

}  // namespace fathom
