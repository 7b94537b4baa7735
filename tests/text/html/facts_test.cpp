// What is known of each block of a page: sizes, links, and whether it reads like running text.
#include "text/html/facts.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom::html {
namespace {

std::string letters(std::size_t count) {
  return std::string(count, 'x');
}
std::string link_of(std::size_t count) {
  return "<a href=/>" + letters(count) + "</a>";
}

std::uint32_t first(const Tree& tree, Tag tag) {
  for (std::uint32_t i = 0; i < tree.nodes().size(); ++i) {
    if (tree[i].tag == tag) return i;
  }
  ADD_FAILURE() << "there is no such element";
  return 0;
}

Sizes own_sizes(const std::string& html, Tag tag = Tag::p) {
  const Tree tree(html);
  return PageFacts(tree)[first(tree, tag)].own;
}

bool is_good(const std::string& html, Tag tag = Tag::p) {
  const Tree tree(html);
  return PageFacts(tree).is_good(first(tree, tag));
}

TEST(PageFacts, SizesAreBytesWithoutBlanks) {
  const Sizes sizes = own_sizes("<p>a b\t中\n<a href=/>cd e</a> <a name=q>fg</a>");
  EXPECT_EQ(sizes.text, 2u + 3 + 3 + 2);
  EXPECT_EQ(sizes.link, 3u);
  EXPECT_EQ(sizes.marks, 0u);
  EXPECT_DOUBLE_EQ(sizes.link_density(), 0.3);
  EXPECT_EQ(Sizes{}.link_density(), 0);
}

TEST(PageFacts, MarksEndAWordOrAreChinese) {
  const auto marks = [](const std::string& text) { return own_sizes("<p>" + text).marks; };
  EXPECT_EQ(marks("a, b; c! d? e."), 5u);
  EXPECT_EQ(marks("1,000 3.5 a;b c!d e?f"), 0u);
  EXPECT_EQ(marks("、。，！；？"), 6u);
  EXPECT_EQ(marks("〃《：（"), 0u);
  EXPECT_EQ(marks(": - '"), 0u);
}

TEST(PageFacts, TextIsOfTheNearestBlock) {
  const std::string page = "<div>ab<p>c<b>d</b></p>ef</div>";
  const Tree tree(page);
  const PageFacts facts(tree);
  const std::uint32_t div = first(tree, Tag::div), p = first(tree, Tag::p);
  EXPECT_EQ(facts[div].own.text, 4u);
  EXPECT_EQ(facts[div].all.text, 6u);
  EXPECT_EQ(facts[p].own.text, 2u);
  EXPECT_EQ(facts[p].all.text, 2u);
  EXPECT_EQ(facts[p].block, p);
  EXPECT_EQ(facts[0].all.text, 6u);
}

TEST(PageFacts, ScriptsAndOtherMediaHaveNoText) {
  EXPECT_EQ(own_sizes("<p>ab<button>cd</button><svg>e</svg><script>f</script>").text, 2u);
}

// At each threshold, and one byte below it.
TEST(PageFacts, ParagraphsAreLongOrHaveAMark) {
  EXPECT_TRUE(is_good("<p>" + letters(80)));
  EXPECT_FALSE(is_good("<p>" + letters(79)));
  EXPECT_TRUE(is_good("<p>" + letters(29) + "."));
  EXPECT_FALSE(is_good("<p>" + letters(28) + "."));
  const std::string bare = letters(80);
  const Tree page(bare);
  EXPECT_TRUE(PageFacts(page).is_good(0)) << "text of the page itself";
  EXPECT_EQ(PageFacts(page)[0].good, 80u);
}

// Text in links is no running text, however long the block is with it.
TEST(PageFacts, LinksDoNotCount) {
  EXPECT_FALSE(is_good("<div>" + letters(65) + link_of(35) + "</div>", Tag::div));
  EXPECT_TRUE(is_good("<div>" + letters(80) + link_of(35) + "</div>", Tag::div));
  EXPECT_FALSE(is_good("<p>" + letters(28) + "." + link_of(35)));
  EXPECT_TRUE(is_good("<p>" + letters(29) + "." + link_of(35)));
}

TEST(PageFacts, BlocksOfManyLinksAreLists) {
  EXPECT_TRUE(is_good("<p>" + letters(100) + link_of(400)));
  EXPECT_FALSE(is_good("<p>" + letters(100) + link_of(401)));
  EXPECT_TRUE(is_good("<div>" + letters(300) + link_of(200) + "</div>", Tag::div));
  EXPECT_FALSE(is_good("<div>" + letters(300) + link_of(201) + "</div>", Tag::div));
}

TEST(PageFacts, HeadingsAreTextWhenTheyAreLongSentences) {
  const auto good = [](const std::string& tag, std::size_t count, const std::string& mark) {
    return is_good("<" + tag + ">" + letters(count - mark.size()) + mark, tag_of(tag));
  };
  EXPECT_TRUE(good("h2", 100, "."));
  EXPECT_TRUE(good("h6", 100, "."));
  EXPECT_FALSE(good("h2", 99, "."));
  EXPECT_FALSE(good("h2", 200, ""));
  EXPECT_FALSE(good("h1", 200, "."));
}

TEST(PageFacts, RunningTextAddsUpWithoutItsLinks) {
  const std::string page = "<main><p>" + letters(90) + link_of(10) + "</p><p>short</p><div>" +
                           letters(85) + "</div></main>";
  const Tree tree(page);
  PageFacts facts(tree);
  const std::uint32_t main = first(tree, Tag::main), p = first(tree, Tag::p);
  EXPECT_EQ(facts[p].good, 90u);
  EXPECT_EQ(facts[main].good, 90u + 85);
  EXPECT_EQ(facts[main].all.text, 100u + 5 + 85);
  EXPECT_EQ(facts[main].all.link, 10u);
  const PageFacts before = facts;
  facts.drop(p);
  facts.add_up();
  EXPECT_EQ(facts[main].good, 85u);
  EXPECT_EQ(facts[main].all.text, 5u + 85);
  EXPECT_TRUE(facts[p + 1].dropped) << "with all below";
  facts.restore(before);
  EXPECT_EQ(facts[main].good, 90u + 85);
}

TEST(PageFacts, ShortPostsAreTextOnceTheyAreTrusted) {
  const std::string page = "<div class=postbody><p>" + letters(6) + link_of(2) + "</p><h2>" +
                           letters(5) + "</h2><ul><li>" + letters(5) + "</ul></div><dl><dd>" +
                           letters(6) + "</dl><span class=postbody><section>" + letters(6);
  const Tree tree(page);
  PageFacts facts(tree);
  const std::uint32_t post = first(tree, Tag::div), p = first(tree, Tag::p);
  EXPECT_TRUE(facts[p].in_post);
  EXPECT_FALSE(facts[first(tree, Tag::dd)].in_post);
  EXPECT_FALSE(facts[first(tree, Tag::section)].in_post) << "only blocks hold posts";
  EXPECT_EQ(facts[post].posts, 6u + 2 * 5);
  EXPECT_EQ(facts[post].good, 0u);
  facts.trust_posts();
  EXPECT_TRUE(facts.is_good(p));
  EXPECT_FALSE(facts.is_good(first(tree, Tag::h2)));
  EXPECT_FALSE(facts.is_good(first(tree, Tag::li)));
  EXPECT_FALSE(facts.is_good(first(tree, Tag::dd)));
  EXPECT_EQ(facts[post].good, 6u);
}

}  // namespace
}  // namespace fathom::html
