// Any bytes are a page: its text is valid UTF-8 when the page is, is not much longer than the page,
// and the tree keeps its order.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "text/charset.h"
#include "text/html/main_text.h"
#include "text/html/tree.h"
#include "text/utf8.h"

namespace {

void demand(bool holds) {
  if (!holds) std::abort();
}

bool is_utf8(std::string_view text) {
  return fathom::utf8::valid_prefix(text) == text.size();
}

void check_tree(std::string_view page) {
  const fathom::html::Tree tree(page);
  for (std::size_t i = 1; i < tree.nodes().size(); ++i) {
    const fathom::html::Node& node = tree[i];
    demand(node.parent < i && i < node.end && node.end <= tree[node.parent].end);
    demand(tree[node.parent].text_begin <= node.text_begin && node.text_begin <= node.text_end);
    demand(node.text_end <= tree[node.parent].text_end);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_tree(bytes);
  fathom::html::main_text(bytes);
  std::size_t replaced = 0;
  const auto page = fathom::decode_page(bytes, {}, replaced);
  if (!page) return 0;
  demand(is_utf8(*page));
  const fathom::html::MainText found = fathom::html::main_text(*page);
  demand(is_utf8(found.text) && is_utf8(found.title));
  demand(found.text.size() <= 10 * (page->size() + 10));  // with marks and indents of items
  return 0;
}
