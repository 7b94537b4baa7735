// What names say about an element: each row is what one page may write.
#include "text/html/words.h"

#include <gtest/gtest.h>

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
