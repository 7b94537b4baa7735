// A tokenizer of bytes with a few merges and special tokens, for tests of chat templates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/utf8.h"
#include "tokenizer/tokenizer.h"

namespace fathom {

// Bytes are 0 to 255; " a" 256, "\n\n" 257; "<s>" 258, "</s>" 259, "<|im_start|>" 260,
// "<|im_end|>" 261, all special.
inline std::string small_tokenizer_json() {
  std::string vocab;
  const auto spelled = [](int byte) {
    // GPT-2's spelling: printable bytes as they are, the others from U+0100 on.
    const auto printable = [](int b) {
      return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
    };
    std::string token;
    int shifted = 0;
    for (int b = 0; b < byte; ++b) shifted += !printable(b);
    utf8::append(token, static_cast<char32_t>(printable(byte) ? byte : 256 + shifted));
    return token == "\"" || token == "\\" ? "\\" + token : token;
  };
  for (int byte = 0; byte < 256; ++byte) {
    vocab += "\"" + spelled(byte) + "\":" + std::to_string(byte) + ",";
  }
  std::string added;
  std::int32_t id = 258;
  for (const char* token : {"<s>", "</s>", "<|im_start|>", "<|im_end|>"}) {
    added +=
        std::string(added.empty() ? "" : ",") + R"({"id":)" + std::to_string(id++) +
        R"(,"content":")" + token +
        R"(","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
  }
  return R"({"added_tokens":[)" + added +
         R"(],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
         "decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{)" +
         vocab + R"("Ġa":256,"ĊĊ":257},"merges":["Ġ a","Ċ Ċ"]}})";
}

inline Tokenizer small_tokenizer() {
  return Tokenizer::from_json(small_tokenizer_json());
}

// The tokens with the learned ones in brackets: "<s>User: x\n\nAssistant:[ y</s>]".
inline std::string shown(const Tokenizer& tokenizer, const std::vector<std::int32_t>& tokens,
                         const std::vector<std::uint8_t>& learned = {}) {
  std::string text;
  bool open = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool mark = !learned.empty() && learned[i];
    if (mark != open) text += mark ? "[" : "]";
    open = mark;
    text += tokenizer.id_to_bytes(tokens[i]);
  }
  return open ? text + "]" : text;
}

}  // namespace fathom
