// Variables of a template, from JSON as Python's json module loads it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "align/jinja/value.h"

namespace fathom::jinja {

// `trusted` are paths of texts that count as the template's own, such as "bos_token" or
// "messages.*.role"; * is any element of a list.
Value from_json(Rendering& rendering, const nlohmann::ordered_json& json,
                const std::vector<std::string>& trusted);

}  // namespace fathom::jinja
