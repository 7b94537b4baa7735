// What names say about an element: each row is what one page may write.
#include "text/html/words.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace fathom::html {
namespace {

std::string names_of_hints(Hints hints) {
  std::string names;
  for (const auto& [hint, name] : {std::pair{Hint::boilerplate, "boilerplate"},
                                   {Hint::aside, "aside"},
                                   {Hint::comments, "comments"},
                                   {Hint::whole, "whole"},
                                   {Hint::body, "body"},
                                   {Hint::hidden, "hidden"},
                                   {Hint::post, "post"},
                                   {Hint::forum, "forum"},
                                   {Hint::caption, "caption"},
                                   {Hint::popup, "popup"}}) {
    if (hints.has(hint)) names += (names.empty() ? "" : " ") + std::string(name);
  }
  return names;
}

std::string hints_of_class(std::string_view classes) {
  Attributes attributes;
  attributes.classes = classes;
  return names_of_hints(hints_of(attributes));
}

TEST(Hints, ClassesAreCutIntoWords) {
  const std::vector<std::pair<const char*, const char*>> rows{
      {"", ""},
      {"nav", "boilerplate"},
      {"NAV", "boilerplate"},
      {"top-nav", "boilerplate"},
      {"nav_top", "boilerplate"},
      {"nav2", "boilerplate"},
      {"topNav", "boilerplate"},
      {"aNav", "boilerplate"},
      {"navy", ""},
      {"unav", ""},
      {"entry-content", "whole body"},
      {"entryContent", "whole body"},
      {"ENTRYContent", ""},
      {"x caption", "caption"},
      {"cookie", "popup"},
      {"comment", "comments post"},
      {"answer", "post forum"},
      {"credit", "aside caption"},
      {"editor", "aside body"},
      // Words that end where the vocabulary's do.
      {"ads trending xiangguan", "boilerplate"},
      {"zan", "aside"},
      {"zoom", "whole"},
      {"wrap", "body"},
  };
  for (const auto& [classes, hints] : rows) EXPECT_EQ(hints_of_class(classes), hints) << classes;
}

// The words of each kind; one of several kinds stands in several rows.
TEST(Hints, KnowEveryWord) {
  std::map<std::string, std::string> hints;
  for (
      const auto& [hint, words] : std::initializer_list<std::pair<const char*, const char*>>{
          {"boilerplate",
           "adbox addthis addtoany ads adsbygoogle adsense adslot advert advertisement advertising "
           "adverts bdshare breadcrumb breadcrumbs crumb crumbs daohang dfp disclaimer foot footer "
           "gpt guanggao hotnews jiathis login menu menubar menus nav navbar navigation navigator "
           "navs newsletter newsletters outbrain pager pagination paging paywall popular promo "
           "promos promoted promotion promotions qrcode recirc recirculation recommend "
           "recommendation recommendations recommended recommends register related share sharebar "
           "sharebox shares sharing sidebar sidenav signin signup skiplink sns sociable social "
           "socials sponsor sponsored submenu subnav subscribe subscription taboola teads toolbar "
           "tools topnav trending tuijian xgwz xiangguan"},
          {"aside",
           "action actions ad adjacent also app author authors avatar banner bio bottom btn button "
           "buttons byline callout carousel categories category contact copyright credit credits "
           "date dateline declare donate donation download editor embed embedded follow followus "
           "gallery header help hot info infobox infos interested keywords latest like likes link "
           "links mask meta more next posted prev previous print profile pubdate published rank "
           "ranking rating ratings readmore right rss search see shengming side similar slider "
           "slideshow source statement stats suggested suggestion suggestions tag tagcloud tags "
           "teaser teasers ticker timestamp toc tool toolbox topbar topics user userinfo vote "
           "votes "
           "widget widgets zan"},
          {"comments",
           "cmt cmts comment commentary commentlist comments disqus feedback livefyre pinglun "
           "respond"},
          {"whole",
           "art arti article articles blog detail details entry field main media mod news node "
           "page "
           "pgc post posts rich single story text zoom"},
          {"body", "bd body con cont content contents context copy editor richtext text txt wrap"},
          {"hidden", "invisible noprint screenreader"},
          {"post",
           "answer answers comment comments floor louzhu message messages postbody postlist "
           "postmessage posttext replay replies reply review reviews thread tie"},
          {"forum",
           "answer answers bbs discuss forum forums luntan postlist question thread tieba topic "
           "topics viewthread wenda"},
          {"caption", "caption captions credit figcaption imgcaption"},
          {"popup", "consent cookie cookies gdpr lightbox modal overlay popup"}}) {
    std::istringstream in(words);
    for (std::string word; in >> word;) {
      std::string& all = hints[word];
      all += (all.empty() ? "" : " ") + std::string(hint);
    }
  }
  for (const auto& [word, expected] : hints) {
    EXPECT_EQ(hints_of_class(word), expected) << word;
    EXPECT_EQ(hints_of_class(word + "x"), hints.contains(word + "x") ? hints.at(word + "x") : "")
        << word;
  }
}

TEST(Hints, OtherAttributesSayTheSame) {
  struct Row {
    std::string_view Attributes::*attribute;
    std::string_view value;
    const char* hints;
  };
  for (const auto& [attribute, value, hints] : std::vector<Row>{
           {&Attributes::id, "sidebar", "boilerplate"},
           {&Attributes::itemprop, "articleBody", "whole body"},
           {&Attributes::itemprop, "text", ""},
           {&Attributes::itemtype, "https://schema.org/DiscussionForumPosting", "forum"},
           {&Attributes::itemtype, "https://schema.org/QAPage", "forum"},
           {&Attributes::itemtype, "http://schema.org/Question", "forum"},
           {&Attributes::itemtype, "https://schema.org/Article", ""},
           {&Attributes::role, "navigation", "boilerplate"},
           {&Attributes::role, "menubar", "boilerplate"},
           {&Attributes::role, "banner", "boilerplate"},
           {&Attributes::role, "contentinfo", "boilerplate"},
           {&Attributes::role, "search", "boilerplate"},
           {&Attributes::role, "dialog", "boilerplate"},
           {&Attributes::role, "alert", "boilerplate"},
           {&Attributes::role, "menu", "boilerplate"},
           {&Attributes::role, "alertdialog", "boilerplate"},
           {&Attributes::role, "article", ""},
           {&Attributes::role, "complementary", "aside"},
           {&Attributes::role, "note", "aside"},
           {&Attributes::role, "main", ""},
           {&Attributes::style, "color:red;display:none", "hidden"},
           {&Attributes::style, "display: none", "hidden"},
           {&Attributes::style, "visibility:hidden", "hidden"},
           {&Attributes::style, "display:block", ""},
           {&Attributes::classes, "sr-only", "hidden"},
           {&Attributes::classes, "visually-hidden", "hidden"},
           {&Attributes::classes, "x\thidden", "hidden"},
           {&Attributes::classes, "hidden md:block", ""},
           {&Attributes::classes, "sm:flex hidden", ""},
           {&Attributes::classes, "hidden lg:inline", ""},
           {&Attributes::classes, "hidden lg:inline-block", ""},
           {&Attributes::classes, "hidden md:hidden", "hidden"},
           {&Attributes::classes, "hidden block", "hidden"},
           {&Attributes::classes, "hidden-xs", ""},
           {&Attributes::classes, "hidden md:grid", ""}}) {
    Attributes attributes;
    attributes.*attribute = value;
    EXPECT_EQ(names_of_hints(hints_of(attributes)), hints) << value;
  }
  Attributes hidden;
  hidden.hidden = true;
  EXPECT_EQ(names_of_hints(hints_of(hidden)), "hidden");
}

}  // namespace
}  // namespace fathom::html
