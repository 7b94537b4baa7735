// Any bytes as a tokenizer.json: an Error or a tokenizer that works, nothing else.
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  try {
    const auto tokenizer =
        Tokenizer::from_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    const auto ids =
        tokenizer.encode("ab <s> \xe4\xb8\xad\xe6 12\n e\xcc\x81 \xff", encode_parsing_specials);
    tokenizer.decode(ids, SpecialTokens::keep);
    StreamDecoder stream(tokenizer);
    for (const auto id : ids) stream.push(id);
    Tokenizer::from_json(tokenizer.to_json(), "written");
  } catch (const Error&) {
  }
  return 0;
}
