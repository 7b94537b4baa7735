#include "text/html/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "text/html/reference_names.h"
#include "text/html/references.h"
#include "text/utf8.h"

namespace fathom::html {
namespace {

using testing::ElementsAre;

// The tree as "tag(children)", with texts in quotes and blank ones left out.
std::string shown(const Tree& tree, std::uint32_t node) {
  if (tree[node].tag == Tag::text) return "'" + std::string(tree.text(tree[node])) + "'";
  std::string out = std::to_string(static_cast<int>(tree[node].tag)) + "(";
  for (std::uint32_t i = node + 1; i < tree[node].end; i = tree[i].end) out += shown(tree, i) + " ";
  return out + ")";
}

// Whether two pages have the same tree.
void expect_same(const std::string& a, const std::string& b) {
  EXPECT_EQ(shown(Tree(a), 0), shown(Tree(b), 0)) << a;
}

std::string decoded(std::string_view text) {
  std::string out;
  append_decoded(text, out);
  return out;
}

TEST(HtmlReferences, Decodes) {
  EXPECT_EQ(decoded("a &amp; b &lt;c&gt; &quot;&apos;&#65;&#x4e2D;&hellip;"), "a & b <c> \"'A中…");
  EXPECT_EQ(decoded("&copy 2024 &copy2024 &copyright; &hellip &unknown; & &; &# &#x; &#xg"),
            "© 2024 ©2024 ©right; &hellip &unknown; & &; &# &#x; &#xg");
  EXPECT_EQ(decoded("Fish &ampchips, &nbspx, &eacutetude"), "Fish &chips, \u00a0x, étude");
  EXPECT_EQ(decoded_attribute("a&copy2024&copy;&copyright;&lt"), "a&copy2024©&copyright;<");
  EXPECT_EQ(decoded("&#0;&#xD800;&#x110000;&#99999999999999999999;"), "\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(decoded("&#146;&#x80;&#129;"), "\u2019\u20ac\u0081");
  EXPECT_EQ(decoded("&#127;&#128;&#x9F;&#159;&#160;"), "\u007f\u20ac\u0178\u0178\u00a0");
  EXPECT_EQ(decoded("&#xD7FF;&#xDFFF;&#xE000;&#x10FFFF;"), "\ud7ff\ufffd\ue000\U0010ffff");
  EXPECT_EQ(decoded("&#65&#X41;&#x041 &#00065;"), "AAA A");
  EXPECT_EQ(decoded("&amp;lt;"), "&lt;");
  EXPECT_EQ(decoded("&"), "&");
}

// Each name is found in the table, with its semicolon, and without it where that is allowed.
TEST(HtmlReferences, DecodesEveryName) {
  std::size_t longest = 0;
  for (const auto& [name, character] : named_references) {
    std::string expected;
    utf8::append(expected, character);
    EXPECT_EQ(decoded("&" + std::string(name) + ";."), expected + ".") << name;
    longest = std::max(longest, name.size());
  }
  for (const std::string_view name : without_semicolon) {
    const std::string reference = "&" + std::string(name);
    EXPECT_EQ(decoded(reference), decoded(reference + ";")) << name;
    EXPECT_EQ(decoded_attribute(reference + " "), decoded(reference + " ")) << name;
  }
  EXPECT_EQ(longest, 8u);
  EXPECT_EQ(decoded("&thetasym; &alefsym; &lt; &Pi;"), "\u03d1 \u2135 < \u03a0");
  EXPECT_EQ(decoded("&thetasym &thetasyms; &hearts"), "&thetasym &thetasyms; &hearts");
}

std::vector<std::string> tokens_of(std::string_view html) {
  std::vector<std::string> out;
  Tokenizer tokens(html);
  for (Token token = tokens.next(); token.kind != Token::Kind::end; token = tokens.next()) {
    if (token.kind == Token::Kind::text) out.emplace_back(token.text);
    if (token.kind == Token::Kind::open) out.push_back("<" + std::string(token.name) + ">");
    if (token.kind == Token::Kind::close) out.push_back("</" + std::string(token.name) + ">");
  }
  return out;
}

TEST(HtmlTokenizer, CutsTagsAndText) {
  EXPECT_THAT(tokens_of("a<b>c</b>d"), ElementsAre("a", "<b>", "c", "</b>", "d"));
  EXPECT_THAT(tokens_of("1 < 2 <3 <"), ElementsAre("1 < 2 <3 <"));
  EXPECT_THAT(tokens_of("<!doctype html><!-- <p> -->x<!-->y<?xml ?>z</ 5>!"),
              ElementsAre("x", "y", "z", "!"));
  EXPECT_THAT(tokens_of("x<!-- never closed <p>"), ElementsAre("x"));
  EXPECT_THAT(tokens_of("x<p class='never closed>"), ElementsAre("x"));
  for (const char* cut : {"x<p/", "x<p /", "x<p a", "x<p a=", "x<p a='", "x<p a=b", "x</p", "x</p/",
                          "x<!", "x<!-", "x<!--", "x<?"}) {
    EXPECT_THAT(tokens_of(cut), ElementsAre("x")) << cut;
  }
  EXPECT_THAT(tokens_of("x</"), ElementsAre("x"));
  EXPECT_THAT(tokens_of("<SCRIPT>if (a</b) '<p>'</scripts></script >x"),
              ElementsAre("<SCRIPT>", "if (a</b) '<p>'</scripts>", "</script>", "x"));
  EXPECT_THAT(tokens_of("<title>a <b> c"), ElementsAre("<title>", "a <b> c"));
}

TEST(HtmlTokenizer, ReadsAttributes) {
  Tokenizer tokens(R"(<div CLASS = "a b" id=c class=d hidden data-x='>' role=main/>)");
  const Token token = tokens.next();
  EXPECT_EQ(token.tag, Tag::div);
  EXPECT_EQ(token.attributes.classes, "a b");
  EXPECT_EQ(token.attributes.id, "c");
  EXPECT_EQ(token.attributes.role, "main/");
  EXPECT_TRUE(token.attributes.hidden);
  EXPECT_EQ(tokens.next().kind, Token::Kind::end);
}

// The first of two counts, in any case, with each way to write a value.
TEST(HtmlTokenizer, ReadsEveryAttribute) {
  struct Row {
    const char* name;
    std::string_view Attributes::*slot;
  };
  for (const Row& row :
       {Row{"id", &Attributes::id}, Row{"role", &Attributes::role}, Row{"name", &Attributes::name},
        Row{"class", &Attributes::classes}, Row{"style", &Attributes::style},
        Row{"content", &Attributes::content}, Row{"charset", &Attributes::charset},
        Row{"itemprop", &Attributes::itemprop}, Row{"itemtype", &Attributes::itemtype},
        Row{"property", &Attributes::property}, Row{"http-equiv", &Attributes::http_equiv}}) {
    std::string large = row.name;
    for (char& c : large) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    for (const std::string& tag : {"<p " + std::string(row.name) + "=a " + row.name + "=b>",
                                   "<p " + large + "='a'" + row.name + "=\"b\">",
                                   "<p\n" + std::string(row.name) + " = a\t" + large + "=b/>",
                                   "<p x " + std::string(row.name) + "=\"a\" " + row.name + ">",
                                   "<p " + std::string(row.name) + "='' " + row.name + "=a>"}) {
      Tokenizer tokens(tag);
      const Attributes attributes = tokens.next().attributes;
      EXPECT_EQ(attributes.*row.slot, "a") << tag;
      for (const Row& other : {Row{"id", &Attributes::id}, Row{"class", &Attributes::classes},
                               Row{"content", &Attributes::content}}) {
        EXPECT_EQ(attributes.*other.slot, other.slot == row.slot ? "a" : "") << tag;
      }
      EXPECT_FALSE(attributes.empty()) << tag;
    }
  }
  const auto of = [](const std::string& written) {
    const std::string tag = "<a " + written + ">";
    Tokenizer tokens(tag);
    const Attributes attributes = tokens.next().attributes;
    return std::string(attributes.hidden ? "hidden" : "") + (attributes.link ? "link" : "") +
           (attributes.empty() ? "none" : "");
  };
  for (const char* hidden : {"hidden", "HIDDEN", "hidden=''", "hidden=false", "aria-hidden=true"})
    EXPECT_EQ(of(hidden), "hidden") << hidden;
  for (const char* link : {"href=/", "HREF='x'", "href=\"x#y\""})
    EXPECT_EQ(of(link), "link") << link;
  for (const char* none : {"hidden=until-found", "aria-hidden=false", "aria-hidden", "href",
                           "href=''", "href=#x", "src=x", "data-id=x", "idx=a"}) {
    EXPECT_EQ(of(none), "none") << none;
  }
}

TEST(HtmlTree, ClosesWhatHasNoEndTag) {
  expect_same("<p>a<p>b<div>c", "<p>a</p><p>b</p><div>c</div>");
  expect_same("<ul><li>a<ul><li>b</ul><li>c</ul>d",
              "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>d");
  expect_same("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>");
  expect_same("<table><tr><td>a<td>b<tr><th>c</table>",
              "<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>");
  expect_same("<h2>a<h3>b</h2>c", "<h2>a</h2><h3>b</h3>c");
  expect_same("<a>x<a>y</a>", "<a>x</a><a>y</a>");
  expect_same("<b>x</B>y", "<b>x</b>y");
  expect_same("<p>a<table><tr><td><p>b</table>c",
              "<p>a</p><table><tr><td><p>b</p></td></tr></table>c");
  expect_same("a<br>b<br/>c<img>d", "a</br>b<br>c<img></img>d");
}

TEST(HtmlTree, SvgHoldsNoElements) {
  std::string paths;
  for (int i = 0; i < 600; ++i) paths += "<path d='M0'/>";
  expect_same("<p>a<svg>" + paths + "</svg>b", "<p>a<svg><g></svg>b");
  expect_same("<p>a<svg><title/><path/></svg>b", "<p>a<svg><g></svg>b");
  expect_same("<p>a<svg><path>b", "<p>a<svg/><path>b");
  expect_same("<p>a<svg><text>c</SVG>b<svg>d", "<p>a<svg/>b<svg/>d");
}

TEST(HtmlTree, XhtmlEndsRawTextAtOnce) {
  const std::string page = "<script src=a.js /><p>a</p>";
  EXPECT_EQ(Tree(page).text(), "");
  EXPECT_EQ(Tree(page, Syntax::xhtml).text(), "a");
  EXPECT_EQ(Tree("<?xml version='1.0'?>" + page).text(), "a");
}

TEST(HtmlTree, LinksAroundBlocksStay) {
  const Tree tree("<a href=/1><div>x<a href=/2>y</a>z</div>w</a>");
  ASSERT_EQ(tree.nodes().size(), 8u);
  EXPECT_EQ(tree[1].end, 8u);
  EXPECT_EQ(tree[2].end, 7u);  // of the <div>
  EXPECT_EQ(tree.text(tree[2]), "xyz");
  EXPECT_FALSE(tree.attributes(tree[1]).link);  // its end tag is missing on most such pages
  EXPECT_TRUE(tree.attributes(tree[4]).link);
}

TEST(HtmlTree, IgnoresEndTagsOfNothing) {
  expect_same("<div>a</p></span></li>b</div>", "<div>a<!-- -->b</div>");
  expect_same("<div><td>a</table></div>", "<div><td>a</td></div>");
  // An end tag in a cell closes nothing around the table.
  expect_same("<div><table><tr><td>a</div>b</table>c</div>",
              "<div><table><tr><td>a<!-- -->b</td></tr></table>c</div>");
  // That of <b> closes no block, and that of another name nothing.
  expect_same("<b><div>a</b>b</div>", "<b><div>a<!-- -->b</div></b>");
  expect_same("<my-app><div>a</font>b</div></my-app>", "<my-app><div>a<!-- -->b</div></my-app>");
}

TEST(HtmlTree, TextIsInTheOrderOfThePage) {
  const Tree tree("<title>T &amp; t</title><body class=c>a<p>b<script>x</script>c</p>d");
  EXPECT_EQ(tree.text(), "T & tabcd");
  EXPECT_EQ(tree.text(tree[0]), tree.text());
  EXPECT_EQ(tree.attributes(tree[0]).classes, "c");
  for (std::uint32_t i = 1; i < tree.nodes().size(); ++i) {
    EXPECT_LT(tree[i].parent, i);
    EXPECT_GT(tree[i].end, i);
    EXPECT_LE(tree[i].end, tree[tree[i].parent].end);
  }
}

TEST(HtmlTree, BoundsDepthAndTime) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<div>";
  deep += "text";
  for (int i = 0; i < 100'000; ++i) deep += "</p></div>";
  deep += "end";
  const Tree tree(deep);
  int max_depth = 0;
  for (const Node& node : tree.nodes()) max_depth = std::max<int>(max_depth, node.depth);
  EXPECT_LE(max_depth, 257);
  EXPECT_EQ(tree.text(), "textend");

  std::string nodes;
  for (int i = 0; i < 1'100'000; ++i) nodes += "x<i>";
  EXPECT_LE(Tree(nodes).nodes().size(), 1'000'001u);

  std::string ends;
  for (int i = 0; i < 500; ++i) ends += "<i>";
  for (int i = 0; i < 1'000'000; ++i) ends += "</b>";
  EXPECT_EQ(Tree(ends + "a").text(), "a");

  const std::string value(10 << 20, 'v');
  EXPECT_EQ(Tree("<p class='" + value + "'>a</p>").text(), "a");
  EXPECT_EQ(Tree("<p " + value + ">a</p>").text(), "a");
  EXPECT_EQ(Tree("<" + value + ">a").text(), "a");
}

TEST(HtmlTree, TakesAnyBytes) {
  EXPECT_EQ(Tree(std::string("a\0b<p\0>c", 8)).text(), std::string("a\0bc", 4));
  EXPECT_EQ(Tree("\xff<p>\xe4\xb8</p>").text(), "\xff\xe4\xb8");
  EXPECT_EQ(Tree("").nodes().size(), 1u);
}

}  // namespace
}  // namespace fathom::html
