#include "text/html/main_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fathom::html {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string paragraph =
    "The old mill by the river was built in 1820, and it ground the corn of three villages.";
const std::string second =
    "When the railway came, the miller sold his horses and bought shares of the line instead.";

// A page with the site around the article that most pages have.
std::string english_page(const std::string& article) {
  return R"(<!doctype html><html><head><title>The mill - The Daily</title>
<meta property="og:title" content="The mill &amp; the river"><style>p { color: red }</style>
<script>var text = "<p>No text at all, although it looks like a long paragraph of text.</p>";</script>
</head><body>
<div class="cookie-banner"><p>We use cookies and similar things, so that this site works for you, and
to show you advertising that you may like. You can change this at any time.</p></div>
<header><a href="/">The Daily</a><nav><ul><li><a href="/a">News</a><li><a href="/b">Sport</a></ul></nav>
</header><div class="breadcrumbs"><a href="/">Home</a> &gt; <a href="/x">Local</a></div>
<main><article><h1>The mill &amp; the river</h1><div class="byline">By A. Writer, 3 May</div>
<div class="share-bar">Share this on <a href="#">Facebook</a> <a href="#">Twitter</a></div>
<div class="article-body">)" +
         article + R"(</div></article></main>
<aside class="related"><h3>More from us</h3><ul><li><a href="/1">A bridge is mended after a year</a>
<li><a href="/2">The school has a new roof</a></ul></aside>
<div id="comments"><div class="comment"><p>I went there as a child, and I liked it very much, too, I
think.</p></div></div>
<footer><p>Copyright 2024 The Daily. All rights reserved, and no part may be printed again.</p></footer>
</body></html>)";
}

TEST(MainText, EnglishArticle) {
  const MainText found = main_text(english_page("<p>" + paragraph + "</p>\n<p>" + second + "</p>"));
  EXPECT_EQ(found.title, "The mill & the river");
  EXPECT_EQ(found.text, paragraph + "\n\n" + second);
}

TEST(MainText, HasTheTitleOfThePage) {
  const auto title = [](const std::string& head) {
    return main_text("<html><head>" + head + "</head><body><p>" + paragraph).title;
  };
  const std::string news = "<title> The\n  News </title>";
  EXPECT_EQ(title(""), "");
  EXPECT_EQ(title(news), "The News");
  EXPECT_EQ(title(news + "<title>Other</title>"), "The News");
  EXPECT_EQ(title("<title> </title>" + news), "The News");
  EXPECT_EQ(title("<title>a &amp; b&nbsp;c</title>"), "a & b c");
  for (const std::string& both :
       {news + "<meta property=og:title content=' A&nbsp;B&amp;C '>",
        "<meta property=\"og:title\" content=' A&nbsp;B&amp;C '>" + news}) {
    EXPECT_EQ(title(both), "A B&C") << both;
  }
  EXPECT_EQ(title("<meta property=og:title content=''>" + news), "The News");
  EXPECT_EQ(title("<meta property=og:title>" + news), "The News");
  EXPECT_EQ(
      title("<meta property=og:title content=''>" + news + "<meta property=og:title content=X>"),
      "X");
  for (const char* other : {"og:site_name", "og:title:x", "title"}) {
    EXPECT_EQ(title(news + "<meta property=" + other + " content=X>"), "The News") << other;
  }
}

// Each level of headings and of lists, rules and breaks.
TEST(MainText, WritesEachLevel) {
  const auto between = [](const std::string& html) {
    const std::string text =
        main_text("<article><p>" + paragraph + "</p>" + html + "<p>" + second).text;
    const std::size_t begin = paragraph.size() + 2;
    return text.substr(begin, text.size() - second.size() - 2 - begin);
  };
  for (int level = 2; level <= 6; ++level) {
    const std::string tag = "h" + std::to_string(level) + ">";
    EXPECT_EQ(between("<" + tag + " a\n<b>b</b> </" + tag),
              std::string(static_cast<std::size_t>(level), '#') + " a b");
  }
  std::string lists, expected;
  for (std::size_t i = 0; i < 11; ++i) {
    const std::string name = std::to_string(i);
    lists += "<ul><li>" + name;
    expected +=
        (i > 0 ? "\n" : "") + std::string(2 * std::min<std::size_t>(i, 8), ' ') + "- " + name;
  }
  for (std::size_t i = 0; i < 11; ++i) lists += "</ul>";
  EXPECT_EQ(between(lists), expected);
  EXPECT_EQ(between("<div>a<br>b<hr>c</div>"), "a\nb\n\nc");
  EXPECT_EQ(between("<dl><dt>a<dd>b<dt>c</dl>"), "a\nb\nc");
  EXPECT_EQ(between("<ol><li><p>a</p><p>b</p></li><li>c</li></ol>"), "- a\nb\n- c");
  EXPECT_EQ(between("<div>a<b>b</b> c<i> d</i></div>"), "ab c d");
  EXPECT_EQ(between("<table><tr><td>a<br>b<td>c<p>d</table>"), "| a b | c d");
  EXPECT_EQ(between("<table><tr><td>a<td><tr><td>b<td>c</table>"), "| a\n| b | c");
  EXPECT_EQ(between("<pre>a\n  b\n\n\n</pre>"), "```\na\n  b\n```");
}

TEST(MainText, KeepsHeadingsListsCodeAndTables) {
  const std::string article = "<p>" + paragraph +
                              "</p><h2>What it <em>ground</em></h2><ul><li>corn</li><li>oats"
                              "<ul><li>rolled</ul></li></ul>"
                              "<pre><code>while (corn) {\n  grind();\n}\n</code></pre>"
                              "<table><tr><th>Year<th>Sacks</tr><tr><td>1820<td>300</tr></table>"
                              "<blockquote>It is <b>never</b><br>still.</blockquote><p>" +
                              second + "</p>";
  EXPECT_EQ(main_text(english_page(article)).text,
            paragraph +
                "\n\n## What it ground\n\n- corn\n- oats\n  - rolled\n\n"
                "```\nwhile (corn) {\n  grind();\n}\n```\n\n"
                "| Year | Sacks\n| 1820 | 300\n\nIt is never\nstill.\n\n" +
                second);
}

TEST(MainText, EmptyElementsLeaveNoTrace) {
  const auto text_of = [](const std::string& between) {
    return main_text("<article><p>" + paragraph + "</p>" + between + "<p>" + second).text;
  };
  for (const std::string empty : {"<ul><li><img></li></ul>", "<pre> \n</pre>", "<h2></h2>"}) {
    EXPECT_EQ(text_of(empty), paragraph + "\n\n" + second) << empty;
  }
  EXPECT_EQ(text_of("<table><tr><th><th>2019<th>2020<tr><td>Corn<td><td>300"
                    "<tr><td>Oats<td>20<td><tr><td>Rye</table>"),
            paragraph + "\n\n| | 2019 | 2020\n| Corn | | 300\n| Oats | 20\n| Rye\n\n" + second);
}

TEST(MainText, CodeInCellsIsOneLine) {
  EXPECT_EQ(
      main_text("<p>" + paragraph + "<table><tr><td>a<td><pre>x<br>y\n z</pre></table><p>" + second)
          .text,
      paragraph + "\n\n| a | x y z\n\n" + second);
}

TEST(MainText, CodeKeepsItsLines) {
  const auto code_of = [](const std::string& code) {
    return main_text("<article><p>" + paragraph + "</p><pre>" + code + "</pre><p>" + second).text;
  };
  const auto fenced = [](const std::string& code) {
    return paragraph + "\n\n```\n" + code + "\n```\n\n" + second;
  };
  EXPECT_EQ(code_of("\nif x:\n&nbsp; return\n"), fenced("if x:\n  return"));
  EXPECT_EQ(code_of("\r\n\n a"), fenced("\n a"));
  EXPECT_EQ(code_of("<div>a = 1</div><div>b = 2</div>"), fenced("a = 1\nb = 2"));
}

TEST(MainText, TablesForLayoutAreNoData) {
  const std::string column =
      paragraph + " " + paragraph + " " + paragraph + " " + paragraph + " " + paragraph;
  EXPECT_EQ(main_text("<table><tr><td><p>" + second + "</p><td><p>" + column + "</p></table>").text,
            second + "\n\n" + column);
  EXPECT_EQ(main_text("<table><tr><td>" + second + "<td>" + paragraph + "</table>").text,
            "| " + second + " | " + paragraph);
}

// Without a class that names the text.
TEST(MainText, CommentsInAnArticleAreNotItsText) {
  EXPECT_EQ(main_text("<article><p>" + paragraph + "</p><p>" + paragraph +
                      "</p><section class=comments><p>" + second + "</p></section></article>")
                .text,
            paragraph + "\n\n" + paragraph);
}

TEST(MainText, DropsTeasersButKeepsPagesOfThem) {
  std::string teasers;
  for (int i = 0; i < 8; ++i) {
    teasers +=
        "<div><h3><a href=/>The bridge is mended after a year</a></h3><p>" + second + "</p></div>";
  }
  std::string article;
  for (int i = 0; i < 8; ++i) article += "<p>" + paragraph + "</p>";
  EXPECT_THAT(main_text("<body><div>" + article + teasers + "</div>").text,
              Not(HasSubstr("railway")));
  EXPECT_THAT(main_text("<body><div>" + teasers + "</div>").text, HasSubstr("railway"));
}

TEST(MainText, SummaryAboveTheBodyBelongsToIt) {
  std::string body;
  for (int i = 0; i < 5; ++i) body += "<p>" + paragraph + "</p>";
  const std::string page = "<article><h1>The mill</h1><p>" + second +
                           "</p><div class=entry-content>" + body + "</div><p>" + second +
                           "</p></article>";
  const std::string text = main_text(page).text;
  EXPECT_TRUE(text.starts_with(second + "\n\n" + paragraph));
  EXPECT_TRUE(text.ends_with(paragraph));
}

// The part that a page names as its text goes before a longer one without a name.
TEST(MainText, BelievesThePagesOwnMarks) {
  std::string other;
  for (int i = 0; i < 2; ++i) other += "<p>" + second + "</p>";
  for (const std::string mark :
       {"<div class=post-content>", "<div itemprop=articleBody>", "<article>", "<div role=main>"}) {
    const std::string body = mark + "<p>" + paragraph + "</p><p>" + paragraph + "</p>" +
                             (mark == "<article>" ? "</article>" : "</div>");
    EXPECT_EQ(main_text("<body>" + body + "<div>" + other + "</div>").text,
              paragraph + "\n\n" + paragraph)
        << mark;
  }
}

TEST(MainText, ChineseArticle) {
  const std::string page = R"(<html><head><title>古镇的水磨_某某新闻网</title></head><body>
<div class="top_nav"><a href="/">首页</a> <a href="/b">新闻</a> <a href="/c">体育</a></div>
<div class="crumbs">当前位置：<a href="/">首页</a> &gt; <a href="/x">社会</a></div>
<div class="main"><h1>古镇的水磨</h1><div class="info">2024-05-03 来源：某某网</div>
<div class="article_content" id="content">
<p>　　河边的水磨建于一八二零年，三个村子的粮食都在这里磨。</p>
<p>　　铁路通车以后，磨坊主卖掉了马匹，买了铁路的股票。</p>
<p>责任编辑：张三</p></div>
<div class="share">分享到：<a href="#">微信</a> <a href="#">微博</a></div>
<div class="xgwz"><h3>相关阅读</h3><ul><li><a href="/1">石桥维修一年后重新开放，居民往来方便了许多</a></li>
<li><a href="/2">小学换了新屋顶，孩子们不再担心下雨天漏水</a></li></ul></div></div>
<div class="foot"><p>版权所有 某某新闻网 京ICP备00000000号 未经许可，不得转载本网的任何内容。</p></div>
</body></html>)";
  const MainText found = main_text(page);
  EXPECT_EQ(found.title, "古镇的水磨_某某新闻网");
  EXPECT_EQ(found.text,
            "河边的水磨建于一八二零年，三个村子的粮食都在这里磨。\n\n"
            "铁路通车以后，磨坊主卖掉了马匹，买了铁路的股票。");
}

std::string forum_post(const std::string& author, const std::string& text) {
  return "<div class=\"post\"><div class=\"author\"><a href=\"/u\">" + author +
         "</a><span class=\"date\">2024-05-03 10:00</span></div><div class=\"postbody\">" + text +
         "</div><div class=\"actions\"><a href=\"#\">Quote</a></div></div>";
}

TEST(MainText, ForumsKeepAllPosts) {
  const std::string english =
      "<html><head><meta name=\"generator\" content=\"phpBB\"><title>Mills</title></head><body>"
      "<div class=\"nav\"><a href=/>Index</a> <a href=/s>Search</a></div><div class=\"thread\">" +
      forum_post("anna", "Which mill still works? I would like to see one this summer.") +
      forum_post("bert", "The one by the river.") + forum_post("carl", "Closed since May, sadly.") +
      "</div><div class=\"footer\">Powered by phpBB</div></body></html>";
  const std::string text = main_text(english).text;
  EXPECT_THAT(text, HasSubstr("Which mill still works? I would like to see one this summer."));
  EXPECT_THAT(text, HasSubstr("The one by the river."));
  EXPECT_THAT(text, HasSubstr("Closed since May, sadly."));
  for (const char* other : {"anna", "10:00", "Quote", "Powered", "Index"}) {
    EXPECT_THAT(text, Not(HasSubstr(other)));
  }
  const std::string chinese =
      "<html><head><meta name=\"generator\" content=\"Discuz! X3.4\"></head><body>"
      "<div class=\"nav\"><a href=/>首页</a></div><div id=\"postlist\">" +
      forum_post("阿甲", "还有哪座水磨在用？今年夏天想去看看。") +
      forum_post("阿乙", "河边那座。") + forum_post("阿丙", "五月起关了，可惜。") +
      "</div></body></html>";
  EXPECT_EQ(main_text(chinese).text,
            "还有哪座水磨在用？今年夏天想去看看。\n\n河边那座。\n\n五月起关了，可惜。");
}

TEST(MainText, DropsHiddenPartsAndPopups) {
  const std::string hidden = "<p style='display:none'>" + second + "</p><div hidden><p>" + second +
                             "</p></div><div class='modal'><p>" + second + "</p></div>";
  const std::string three = "<p>" + paragraph + "</p><p>" + paragraph + "</p><p>" + paragraph +
                            "</p><p>" + paragraph + "</p>";
  EXPECT_THAT(main_text("<body>" + hidden + "<div>" + three + "</div>").text,
              Not(HasSubstr("railway")));
  // What is nearly all of the page is kept.
  EXPECT_EQ(main_text("<body><div style='display:none'><p>" + second + "</p></div>").text, second);
}

TEST(MainText, ClassesThatHideOnSomeScreensAlone) {
  const std::string kept = "<p>" + paragraph + "</p>";
  const auto text_of = [&](const std::string& classes) {
    return main_text("<main>" + kept + kept + "<div class='" + classes + "'><p>" + second).text;
  };
  for (const char* classes : {"rounded overflow-hidden", "hidden md:block", "hidden lg:inline-flex",
                              "hidden-xs", "hidden-print"}) {
    EXPECT_THAT(text_of(classes), HasSubstr("railway")) << classes;
  }
  for (const char* classes : {"hidden", "a hidden b", "hidden md:p-4"}) {
    EXPECT_THAT(text_of(classes), Not(HasSubstr("railway"))) << classes;
  }
}

TEST(MainText, AnchorsAreNoLinks) {
  EXPECT_EQ(main_text("<p><a name=q>" + paragraph + "</a></p>").text, paragraph);
  EXPECT_EQ(main_text("<p><a href='#q'>" + paragraph + "</a></p>").text, paragraph);
  EXPECT_EQ(main_text("<p><a href=/q>" + paragraph + "</a></p>").text, "");
  std::string sections;
  for (int i = 0; i < 4; ++i) sections += "<div><h2><a href='#s'>S</a></h2><p>" + second + "</div>";
  std::string page = "<main>";
  for (int i = 0; i < 6; ++i) page += "<p>" + paragraph + "</p>";
  EXPECT_THAT(main_text(page + sections).text, HasSubstr("## S\n\n" + second));
}

TEST(MainText, PhrasesDropTheirOwnBlockAlone) {
  const std::string text = "<p>" + paragraph + "</p>";
  const std::string phrase = "<div>Copyright 2024 X. All rights reserved.</div>";
  EXPECT_EQ(main_text("<div>" + text + phrase + "</div>").text, paragraph);
  EXPECT_EQ(main_text("<article>" + text + "<noscript>All rights reserved</noscript>").text,
            paragraph);
  EXPECT_EQ(main_text("<p>" + paragraph + "<noscript>All rights reserved</noscript>").text,
            paragraph);
  EXPECT_EQ(main_text("<div>Related:" + text + "</div>").text, paragraph);
}

TEST(MainText, NothingToRead) {
  for (const char* page : {"", "<html></html>", "<p>short</p>",
                           "<a href=/>A link with a long text, but "
                           "still a link and no more than that, so that it does not count</a>",
                           "<script>alert('A long sentence in a script, which nobody reads.')"}) {
    EXPECT_EQ(main_text(page).text, "") << page;
  }
}

// No page takes more than time that grows with its size.
TEST(MainText, SurvivesPagesMadeToHurt) {
  std::string deep, cells = "<table><tr>", links, headings;
  for (int i = 0; i < 100'000; ++i) {
    deep += "<div class=comment><p>";
    cells += "<td>x";
    links += "<h2><a href=/>A link that is a heading</a></h2><p>And an excerpt of it.</p>";
    headings += "<div class=modal>";
  }
  main_text(deep + paragraph);
  main_text(cells + "<td>" + paragraph);
  main_text(links + "<p>" + paragraph);
  main_text(headings + "<p>" + paragraph);
  main_text("<div class='" + std::string(20 << 20, 'a') + "'><p>" + paragraph);
  EXPECT_THAT(main_text("<p>" + std::string(20 << 20, 'x') + "</p>").text.size(), 20 << 20);
}

}  // namespace
}  // namespace fathom::html
