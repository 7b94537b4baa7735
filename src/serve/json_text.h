// JSON that the server writes: fields in the order of OpenAI's documentation.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fathom::serve {

using Json = nlohmann::ordered_json;

// Bytes that are no UTF-8 become U+FFFD.
inline std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fathom::serve
