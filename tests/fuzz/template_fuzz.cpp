// Any bytes as a chat template: an Error or a text whose spans are in order, nothing else.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "align/jinja/template.h"
#include "core/error.h"
#include "text/utf8.h"

namespace {

void check(const std::vector<fathom::ByteSpan>& spans, std::size_t size) {
  std::size_t done = 0;
  for (const fathom::ByteSpan& span : spans) {
    if (span.begin < done || span.begin >= span.end || span.end > size) std::abort();
    done = span.end + 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  static const auto variables = nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "user", "content": " Hé <s> "}, {"role": "assistant", "content": null}],
    "tools": [{"function": {"name": "f", "arguments": {"x": [1, 2.5, true]}}}],
    "s": "a,b\nc", "n": 3, "l": [3, 1, 2], "d": {"b": 1, "a": {}}, "bos_token": "<s>"})");
  RenderOptions options;
  options.now.emplace();
  options.trusted = {"bos_token"};
  options.limits.steps = 20'000;
  options.limits.memory = 1 << 20;
  options.limits.output = 1 << 18;
  try {
    const auto parsed = JinjaTemplate::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    const RenderedText rendered = parsed.render(variables, options);
    check(rendered.from_template, rendered.text.size());
    check(rendered.generated, rendered.text.size());
    if (utf8::valid_prefix(rendered.text) != rendered.text.size()) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
