// What each element is and ends: rows of all names, so that a line of the tables that is changed is
// noticed.
#include "text/html/tags.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "text/html/implied_ends.h"

namespace fathom::html {
namespace {

const std::string all_names =
    "a address applet area article aside audio base blockquote body br button canvas caption "
    "center "
    "code col colgroup datalist dd details dialog dir div dl dt embed fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe img input label li link "
    "listing main marquee menu meta nav noembed noframes noscript object ol optgroup option p "
    "param "
    "picture plaintext pre script search section select source style summary svg table tbody td "
    "template textarea tfoot th thead time title tr track ul video wbr xmp";

std::set<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> all;
  for (std::string word; in >> word;) all.insert(word);
  return all;
}

std::set<std::string> names_where(const std::function<bool(Tag)>& holds) {
  std::set<std::string> all;
  for (const std::string& name : words(all_names)) {
    if (holds(tag_of(name))) all.insert(name);
  }
  EXPECT_FALSE(holds(Tag::other));
  EXPECT_FALSE(holds(Tag::text));
  return all;
}

TEST(HtmlTags, EachNameIsItsOwn) {
  std::set<Tag> tags;
  for (const std::string& name : words(all_names)) tags.insert(tag_of(name));
  EXPECT_EQ(tags.size(), words(all_names).size());
  EXPECT_FALSE(tags.contains(Tag::other));
  EXPECT_FALSE(tags.contains(Tag::text));
  EXPECT_EQ(tag_of("FigCaption"), Tag::figcaption);
  EXPECT_EQ(tag_of("image"), Tag::img);
  for (const char* name : {"", "b", "h7", "figcaptions", "text", "x-p", "blockquoteblockquote"}) {
    EXPECT_EQ(tag_of(name), Tag::other) << name;
  }
}

TEST(HtmlTags, HeadingsAreOfSixLevels) {
  EXPECT_EQ(names_where(is_heading), words("h1 h2 h3 h4 h5 h6"));
}

// The standard's list, section 13.1.2, and <param> of older ones.
TEST(HtmlTags, VoidElementsHaveNoContent) {
  EXPECT_EQ(names_where(is_void),
            words("area base br col embed hr img input link meta param source track wbr"));
}

TEST(HtmlTags, BlocksBeginALine) {
  EXPECT_EQ(names_where(is_block),
            words("address article aside blockquote body caption center dd details dialog dir div "
                  "dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr "
                  "html li listing main menu nav ol p plaintext pre search section summary table "
                  "tbody td tfoot th thead tr ul xmp"));
}

TEST(HtmlTags, RawTextHoldsNoElements) {
  EXPECT_EQ(names_where(is_raw_text),
            words("iframe noembed noframes script style textarea title xmp"));
}

TEST(HtmlTags, SomeElementsAreNeverRead) {
  EXPECT_EQ(names_where(is_invisible),
            words("applet audio button canvas datalist dialog embed head iframe noembed noframes "
                  "noscript object script select style svg template textarea title video"));
}

TEST(HtmlImpliedEnds, ScopesAndTableParts) {
  const std::string scopes = "applet caption html marquee object table td template th";
  EXPECT_EQ(names_where(is_scope), words(scopes));
  EXPECT_EQ(names_where(is_table_part), words("caption colgroup table tbody td tfoot th thead tr"));
}

TEST(HtmlImpliedEnds, StartTagsEndElementsOfTheirKind) {
  const std::map<std::string, std::string> ended = {{"li", "li"},
                                                    {"dd", "dd dt"},
                                                    {"dt", "dd dt"},
                                                    {"td", "td th"},
                                                    {"th", "td th"},
                                                    {"tr", "td th tr"},
                                                    {"tbody", "td th tr tbody tfoot thead caption"},
                                                    {"tfoot", "td th tr tbody tfoot thead caption"},
                                                    {"thead", "td th tr tbody tfoot thead caption"},
                                                    {"option", "option"},
                                                    {"optgroup", "option optgroup"},
                                                    {"a", "a"}};
  for (const std::string& opened : words(all_names)) {
    const auto row = ended.find(opened);
    EXPECT_EQ(names_where([&](Tag open) { return ends_open(tag_of(opened), open); }),
              words(row == ended.end() ? "" : row->second))
        << opened;
  }
}

TEST(HtmlImpliedEnds, SearchesStopAtWhatHoldsTheKind) {
  const std::string scopes = "applet caption html marquee object table td template th ";
  const std::map<std::string, std::string> stops = {{"li", scopes + "ul ol menu dir"},
                                                    {"dd", scopes + "dl"},
                                                    {"dt", scopes + "dl"},
                                                    {"td", "tr table"},
                                                    {"th", "tr table"},
                                                    {"tr", "table"},
                                                    {"tbody", "table"},
                                                    {"tfoot", "table"},
                                                    {"thead", "table"},
                                                    {"option", scopes + "select"},
                                                    {"optgroup", scopes + "select"}};
  for (const std::string& opened : words(all_names)) {
    std::set<std::string> expected = words(scopes);
    if (const auto row = stops.find(opened); row != stops.end()) expected = words(row->second);
    if (opened == "a") expected.merge(names_where(is_block));
    EXPECT_EQ(names_where([&](Tag open) { return stops_search(tag_of(opened), open); }), expected)
        << opened;
  }
}

}  // namespace
}  // namespace fathom::html
