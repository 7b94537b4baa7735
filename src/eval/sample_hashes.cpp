#include "eval/sample_hashes.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fathom::eval {
namespace {

using Json = nlohmann::ordered_json;

// Python's repr() of a text, but for letters that it would not print.
std::string python_quoted(const std::string& text) {
  const bool double_quotes = text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = double_quotes ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c == quote) {
          out += std::string("\\") + c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + quote;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  require(EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha256(), nullptr) == 1, "SHA-256 failed");
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string doc_hash(const Json& doc) {
  return sha256_hex(doc.dump(2, ' ', false, Json::error_handler_t::replace));
}

std::string python_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& element : value) {
    out += (out.empty() ? "" : ", ") +
           (element.is_string() ? python_quoted(element.get<std::string>()) : python_text(element));
  }
  return "[" + out + "]";
}

std::string target_hash(const Json& target) {
  return sha256_hex(python_text(target));
}

}  // namespace fathom::eval
