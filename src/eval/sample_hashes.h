// The three hashes by which lm-evaluation-harness's samples name a row, its prompt and its target.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace fathom::eval {

// SHA-256 as 64 hexadecimal digits.
std::string sha256_hex(std::string_view text);

// Of json.dumps(doc, indent=2, ensure_ascii=False).
std::string doc_hash(const nlohmann::ordered_json& doc);

// Of Python's str(target): a text as it is, a number, a list of texts as ['a', "it's"].
std::string target_hash(const nlohmann::ordered_json& target);
std::string python_text(const nlohmann::ordered_json& value);

}  // namespace fathom::eval
