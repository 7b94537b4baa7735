#include "text/html/main_text.h"

#include "text/html/content.h"
#include "text/html/references.h"
#include "text/html/render.h"

namespace fathom::html {
namespace {

// The headline, which <meta property="og:title"> has without the site's name, else the <title>.
std::string title_of(const PageFacts& page) {
  const Tree& tree = page.tree();
  std::string title;
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const Attributes& attributes = tree.attributes(tree[i]);
    if (attributes.property == "og:title" && !attributes.content.empty()) {
      title = decoded_attribute(attributes.content);
      make_spaces(title);
      return collapsed(title);
    }
    if (tree[i].tag == Tag::title && title.empty()) title = collapsed(tree.text(tree[i]));
  }
  return title;
}

}  // namespace

MainText main_text(std::string_view html, Syntax syntax) {
  const Tree tree(html, syntax);
  PageFacts page(tree);
  MainText result;
  result.title = title_of(page);
  const std::uint32_t root = find_content(page);
  if (page[root].good > 0) result.text = render(page, root);
  return result;
}

}  // namespace fathom::html
