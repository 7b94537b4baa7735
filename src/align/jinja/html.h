// Escaping for HTML, as the filters `escape` and `safe` know it.
#pragma once

#include "align/jinja/text.h"

namespace fathom::jinja {

inline Text escape_html(Rendering& rendering, const Text& text) {
  TextBuilder escaped(rendering);
  const std::string& bytes = text.bytes();
  std::size_t done = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string_view entity;
    switch (bytes[at]) {
      case '&':
        entity = "&amp;";
        break;
      case '<':
        entity = "&lt;";
        break;
      case '>':
        entity = "&gt;";
        break;
      case '\'':
        entity = "&#39;";
        break;
      case '"':
        entity = "&#34;";
        break;
      default:
        continue;
    }
    escaped.add(text, done, at);
    escaped.add(entity, text.flags_at(at));
    done = at + 1;
  }
  escaped.add(text, done, bytes.size());
  return escaped.take();
}

}  // namespace fathom::jinja
