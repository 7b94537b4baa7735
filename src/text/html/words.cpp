#include "text/html/words.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "text/ascii.h"

namespace fathom::html {
namespace {

struct Entry {
  Hint hint;
  std::string_view words;
};

// clang-format off
constexpr Entry vocabulary[] = {
    {Hint::boilerplate,
     "adbox addthis addtoany ads adsbygoogle adsense adslot advert advertisement advertising "
     "adverts bdshare breadcrumb breadcrumbs crumb crumbs daohang dfp disclaimer foot footer gpt "
     "guanggao hotnews jiathis login menu menubar menus nav navbar navigation navigator navs "
     "newsletter newsletters outbrain pager pagination paging paywall popular promo promos "
     "promoted promotion promotions qrcode recirc recirculation recommend recommendation "
     "recommendations recommended recommends register related share sharebar sharebox shares "
     "sharing sidebar sidenav signin signup skiplink sns sociable social socials sponsor "
     "sponsored submenu subnav subscribe subscription taboola teads toolbar tools topnav "
     "trending tuijian xgwz xiangguan"},
    {Hint::aside,
     "action actions ad adjacent also app author authors avatar banner bio bottom btn button "
     "buttons byline callout carousel categories category contact copyright credit credits date "
     "dateline declare donate donation download editor embed embedded follow followus gallery "
     "header help hot info infobox infos interested keywords latest like likes link links mask "
     "meta more next posted prev previous print profile pubdate published rank ranking rating "
     "ratings readmore right rss search see shengming side similar slider slideshow source "
     "statement stats suggested suggestion suggestions tag tagcloud tags teaser teasers ticker "
     "timestamp toc tool toolbox topbar topics user userinfo vote votes widget widgets zan"},
    {Hint::comments,
     "cmt cmts comment commentary commentlist comments disqus feedback livefyre pinglun respond"},
    {Hint::whole,
     "art arti article articles blog detail details entry field main media mod news node page "
     "pgc post posts rich single story text zoom"},
    {Hint::body,
     "bd body con cont content contents context copy editor richtext text txt wrap"},
    {Hint::hidden,
     "invisible noprint screenreader"},
    {Hint::popup,
     "consent cookie cookies gdpr lightbox modal overlay popup"},
    {Hint::post,
     "answer answers comment comments floor louzhu message messages postbody postlist "
     "postmessage posttext replay replies reply review reviews thread tie"},
    {Hint::forum,
     "answer answers bbs discuss forum forums luntan postlist question thread tieba topic topics "
     "viewthread wenda"},
    {Hint::caption,
     "caption captions credit figcaption imgcaption"},
};
// clang-format on

struct Hash {
  std::size_t operator()(std::string_view word) const {
    std::uint32_t hash = 2166136261u;
    for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return hash;
  }
};

using HintTable = std::unordered_map<std::string_view, Hints, Hash>;

HintTable make_hint_table() {
  HintTable table;
  for (const auto& [hint, words] : vocabulary) {
    for (std::size_t at = 0; at < words.size();) {
      const std::size_t end = std::min(words.find(' ', at), words.size());
      if (end > at) table[words.substr(at, end - at)].add(hint);
      at = end + 1;
    }
  }
  return table;
}

bool is_small(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

void add_hints(std::string_view names, Hints& hints) {
  static const HintTable table = make_hint_table();
  std::array<char, 24> word;
  std::size_t length = 0;
  const auto look_up = [&] {
    if (const auto found = table.find({word.data(), length}); found != table.end()) {
      hints.bits |= found->second.bits;
    }
    length = 0;
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    const char c = names[i];
    const bool capital = is_capital(c);
    if (!is_small(c) && !capital) {
      look_up();
      continue;
    }
    if (capital && i > 0 && is_small(names[i - 1])) look_up();
    if (length < word.size()) word[length++] = ascii::small(c);
  }
  look_up();
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

void add_role(std::string_view role, Hints& hints) {
  constexpr std::string_view boilerplate[] = {"navigation", "banner",      "contentinfo",
                                              "search",     "dialog",      "alert",
                                              "menu",       "alertdialog", "menubar"};
  if (std::ranges::find(boilerplate, role) != std::end(boilerplate)) hints.add(Hint::boilerplate);
  if (role == "complementary" || role == "note") hints.add(Hint::aside);
}

// "md:block": shown on some screens.
bool shows(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view display = word.substr(colon + 1);
  return display == "block" || display == "flex" || display == "grid" ||
         display.starts_with("inline");
}

// The class `hidden` of stylesheets: "overflow-hidden" and "hidden-xs" hide little or nothing.
bool has_hidden_class(std::string_view classes) {
  bool hidden = false;
  while (!classes.empty()) {
    const auto end = std::ranges::find_if(classes, ascii::is_blank);
    const std::string_view word(classes.begin(), end);
    hidden = hidden || word == "hidden";
    if (shows(word)) return false;
    classes.remove_prefix(std::min(word.size() + 1, classes.size()));
  }
  return hidden;
}

void add_visibility(const Attributes& attributes, Hints& hints) {
  const bool styled = contains(attributes.style, "display:none") ||
                      contains(attributes.style, "display: none") ||
                      contains(attributes.style, "visibility:hidden");
  const bool classed = has_hidden_class(attributes.classes) ||
                       contains(attributes.classes, "sr-only") ||
                       contains(attributes.classes, "visually-hidden");
  if (attributes.hidden || styled || classed) hints.add(Hint::hidden);
}

}  // namespace

Hints hints_of(const Attributes& attributes) {
  Hints hints;
  add_hints(attributes.classes, hints);
  add_hints(attributes.id, hints);
  add_role(attributes.role, hints);
  add_visibility(attributes, hints);
  if (contains(attributes.itemtype, "DiscussionForumPosting") ||
      contains(attributes.itemtype, "QAPage") || contains(attributes.itemtype, "org/Question")) {
    hints.add(Hint::forum);
  }
  if (attributes.itemprop == "articleBody") {
    hints.add(Hint::whole);
    hints.add(Hint::body);
  }
  return hints;
}

}  // namespace fathom::html
