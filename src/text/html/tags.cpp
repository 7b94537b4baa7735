#include "text/html/tags.h"

#include <array>
#include <cstddef>

#include "text/ascii.h"

namespace fathom::html {
namespace {

using enum Tag;

struct NamedTag {
  std::string_view name;
  Tag tag;
};

constexpr NamedTag named_tags[] = {
    {"a", a},
    {"address", address},
    {"applet", applet},
    {"area", area},
    {"article", article},
    {"aside", aside},
    {"audio", audio},
    {"base", base},
    {"blockquote", blockquote},
    {"body", body},
    {"br", br},
    {"button", button},
    {"canvas", canvas},
    {"caption", caption},
    {"center", center},
    {"code", code},
    {"col", col},
    {"colgroup", colgroup},
    {"datalist", datalist},
    {"dd", dd},
    {"details", details},
    {"dialog", dialog},
    {"dir", dir},
    {"div", div},
    {"dl", dl},
    {"dt", dt},
    {"embed", embed},
    {"fieldset", fieldset},
    {"figcaption", figcaption},
    {"figure", figure},
    {"footer", footer},
    {"form", form},
    {"h1", h1},
    {"h2", h2},
    {"h3", h3},
    {"h4", h4},
    {"h5", h5},
    {"h6", h6},
    {"head", head},
    {"header", header},
    {"hgroup", hgroup},
    {"hr", hr},
    {"html", html},
    {"iframe", iframe},
    {"image", img},
    {"img", img},
    {"input", input},
    {"label", label},
    {"li", li},
    {"link", link},
    {"listing", listing},
    {"main", main},
    {"marquee", marquee},
    {"menu", menu},
    {"meta", meta},
    {"nav", nav},
    {"noembed", noembed},
    {"noframes", noframes},
    {"noscript", noscript},
    {"object", object},
    {"ol", ol},
    {"optgroup", optgroup},
    {"option", option},
    {"p", p},
    {"param", param},
    {"picture", picture},
    {"plaintext", plaintext},
    {"pre", pre},
    {"script", script},
    {"search", search},
    {"section", section},
    {"select", select},
    {"source", source},
    {"style", style},
    {"summary", summary},
    {"svg", svg},
    {"table", table},
    {"tbody", tbody},
    {"td", td},
    {"template", template_},
    {"textarea", textarea},
    {"tfoot", tfoot},
    {"th", th},
    {"thead", thead},
    {"time", time},
    {"title", title},
    {"tr", tr},
    {"track", track},
    {"ul", ul},
    {"video", video},
    {"wbr", wbr},
    {"xmp", xmp},
};

constexpr std::size_t max_tag_name = 10;  // blockquote, figcaption

constexpr std::size_t slot_of(std::string_view name) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(ascii::small(c))) * 16777619u;
  return (hash ^ hash >> 15) % 512;
}

// Open addressing; an empty name ends a search.
constexpr std::array<NamedTag, 512> make_slots() {
  std::array<NamedTag, 512> slots{};
  for (const NamedTag& tag : named_tags) {
    std::size_t slot = slot_of(tag.name);
    while (!slots[slot].name.empty()) slot = (slot + 1) % slots.size();
    slots[slot] = tag;
  }
  return slots;
}
constexpr std::array<NamedTag, 512> slots = make_slots();

}  // namespace

Tag tag_of(std::string_view name) {
  if (name.empty() || name.size() > max_tag_name) return other;
  for (std::size_t slot = slot_of(name); !slots[slot].name.empty();
       slot = (slot + 1) % slots.size()) {
    if (ascii::equal_ignoring_case(slots[slot].name, name)) return slots[slot].tag;
  }
  return other;
}

bool is_void(Tag tag) {
  switch (tag) {
    case area:
    case base:
    case br:
    case col:
    case embed:
    case hr:
    case img:
    case input:
    case link:
    case meta:
    case param:
    case source:
    case track:
    case wbr:
      return true;
    default:
      return false;
  }
}

bool is_block(Tag tag) {
  switch (tag) {
    case address:
    case article:
    case aside:
    case blockquote:
    case body:
    case caption:
    case center:
    case dd:
    case details:
    case dialog:
    case dir:
    case div:
    case dl:
    case dt:
    case fieldset:
    case figcaption:
    case figure:
    case footer:
    case form:
    case h1:
    case h2:
    case h3:
    case h4:
    case h5:
    case h6:
    case header:
    case hgroup:
    case hr:
    case html:
    case li:
    case listing:
    case main:
    case menu:
    case nav:
    case ol:
    case p:
    case plaintext:
    case pre:
    case search:
    case section:
    case summary:
    case table:
    case tbody:
    case td:
    case tfoot:
    case th:
    case thead:
    case tr:
    case ul:
    case xmp:
      return true;
    default:
      return false;
  }
}

bool is_heading(Tag tag) {
  return tag >= h1 && tag <= h6;
}

bool is_raw_text(Tag tag) {
  switch (tag) {
    case iframe:
    case noembed:
    case noframes:
    case script:
    case style:
    case textarea:
    case title:
    case xmp:
      return true;
    default:
      return false;
  }
}

bool is_invisible(Tag tag) {
  switch (tag) {
    case applet:
    case audio:
    case button:
    case canvas:
    case datalist:
    case dialog:
    case embed:
    case head:
    case iframe:
    case noembed:
    case noframes:
    case noscript:
    case object:
    case script:
    case select:
    case style:
    case svg:
    case template_:
    case textarea:
    case title:
    case video:
      return true;
    default:
      return false;
  }
}

}  // namespace fathom::html
