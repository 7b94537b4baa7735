// What is dropped around a page's text, and where the text is: at each threshold and beside it.
#include "text/html/boilerplate.h"

#include <gtest/gtest.h>

#include <string>

#include "text/html/phrases.h"
#include "text/html/root.h"
#include "text/html/tables.h"
#include "text/html/thread.h"

namespace fathom::html {
namespace {

std::string filler(std::size_t count) {
  return std::string(count, 'x');
}
std::string paragraph_of(std::size_t count) {
  return "<p>" + filler(count) + "</p>";
}

// The node with the id "it".
std::uint32_t marked_node(const Tree& tree) {
  for (std::uint32_t i = 1; i < tree.nodes().size(); ++i) {
    if (tree.attributes(tree[i]).id == "it") return i;
  }
  ADD_FAILURE() << "there is no such element";
  return 0;
}

// Whether `drop` drops the element with the id "it" of the page.
template <class Drop>
bool drops(const std::string& html, Drop drop) {
  const Tree tree(html);
  PageFacts page(tree);
  drop(page);
  return page[marked_node(tree)].dropped;
}

TEST(Boilerplate, HiddenPartsGoUpToHalfOfThePage) {
  for (const std::string begin : {"<div id=it hidden>", "<div id=it style='display:none'>"}) {
    const auto dropped = [&](std::size_t count) {
      return drops(paragraph_of(100) + begin + paragraph_of(count), drop_hidden);
    };
    EXPECT_TRUE(dropped(100)) << begin;
    EXPECT_FALSE(dropped(101)) << begin;
  }
  EXPECT_FALSE(drops(paragraph_of(100) + "<div id=it>" + paragraph_of(80), drop_hidden));
}

TEST(Boilerplate, PopupsGoUnlessTheyHoldTheArticle) {
  const auto dropped = [&](std::size_t count, const std::string& more = "") {
    return drops(paragraph_of(100) + "<div id=it class=modal>" + more + paragraph_of(count),
                 drop_hidden);
  };
  EXPECT_TRUE(dropped(400));
  EXPECT_FALSE(dropped(401));
  for (const char* article : {"<h1>a</h1>", "<article>a</article>", "<main>a</main>"})
    EXPECT_FALSE(dropped(80, article)) << article;
  EXPECT_TRUE(dropped(80, "<h2>a</h2>"));
}

void drop_names(PageFacts& page) {
  drop_named(page, PageKind::article);
}
void drop_names_of_thread(PageFacts& page) {
  drop_named(page, PageKind::thread);
}

TEST(Boilerplate, NamesCountUpToTheirShare) {
  struct Row {
    const char* begin;
    std::size_t rest, most;
  };
  for (const Row& row : {Row{"<div id=it class=sidebar>", 150, 99},
                         {"<nav id=it>", 150, 99},
                         {"<footer id=it>", 150, 99},
                         {"<aside id=it>", 150, 99},
                         {"<menu id=it>", 150, 99},
                         {"<search id=it>", 150, 99},
                         {"<figcaption id=it>", 150, 99},
                         {"<div id=it role=navigation>", 150, 99},
                         {"<div id=it class=author>", 900, 99},
                         {"<div id=it class=caption>", 900, 99},
                         {"<div id=it class=comments>", 80, 719}}) {
    const auto dropped = [&](std::size_t count) {
      return drops(paragraph_of(row.rest) + row.begin + paragraph_of(count), drop_names);
    };
    EXPECT_TRUE(dropped(row.most)) << row.begin;
    EXPECT_FALSE(dropped(row.most + 1)) << row.begin;
  }
  // A name of text beside one that is often boilerplate, and a name that says nothing.
  for (const char* begin :
       {"<div id=it class='author article-content'>", "<div id=it class=x>", "<section id=it>"}) {
    EXPECT_FALSE(drops(paragraph_of(900) + begin + paragraph_of(80), drop_names)) << begin;
  }
  EXPECT_FALSE(drops(paragraph_of(80) + "<div id=it class=comments>" + paragraph_of(100),
                     drop_names_of_thread));
}

// Names that leave less than 40 % of the page are wrong there; elements are not.
TEST(Boilerplate, NamesThatLeaveLittleAreWrong) {
  const auto dropped = [](std::size_t text, const std::string& begin, const std::string& end) {
    std::string page = paragraph_of(text);
    for (int i = 0; i < 3; ++i) page += begin + (i == 1 ? " id=it>" : ">") + paragraph_of(80) + end;
    return drops(page, drop_names);
  };
  EXPECT_TRUE(dropped(160, "<div class=nav", "</div>"));
  EXPECT_FALSE(dropped(159, "<div class=nav", "</div>"));
  EXPECT_TRUE(dropped(159, "<nav", "</nav>"));
}

TEST(Boilerplate, ListsAreBlocksOfLinks) {
  const auto dropped = [](std::size_t text, std::size_t link) {
    return drops("<div id=root>" + paragraph_of(100) + "<div id=it>" + filler(text) + "<a href=/>" +
                     filler(link) + "</a></div></div>",
                 [](PageFacts& page) { drop_link_lists(page, 1); });
  };
  EXPECT_FALSE(dropped(40, 60));
  EXPECT_TRUE(dropped(40, 61));
  EXPECT_TRUE(dropped(79, 200));
}

TEST(Boilerplate, PhrasesAreShortBlocks) {
  const auto dropped = [](std::size_t count) {
    return drops(paragraph_of(100) + "<div id=it>Related: " + filler(count - 8) + "</div>",
                 drop_phrases);
  };
  EXPECT_TRUE(dropped(200));
  EXPECT_FALSE(dropped(201));
}

TEST(Boilerplate, PhrasesBeginABlockOrStandAnywhereInIt) {
  for (const char* beginning : {"advertisement",
                                "Copyright ©",
                                "follow us on",
                                "Leave a comment",
                                "like this story?",
                                "READ MORE:",
                                "read next:",
                                "related:",
                                "share this",
                                "we use cookies",
                                "©",
                                "上一篇",
                                "下一篇",
                                "分享到",
                                "扫一扫",
                                "扫描二维码",
                                "推荐阅读",
                                "热门推荐",
                                "热门文章",
                                "猜你喜欢",
                                "相关推荐",
                                "相关文章",
                                "相关新闻",
                                "相关阅读",
                                "责任编辑",
                                "（责任编辑",
                                "(责任编辑"}) {
    EXPECT_TRUE(is_boilerplate_phrase(beginning)) << beginning;
    EXPECT_TRUE(is_boilerplate_phrase(" \t\n" + std::string(beginning) + " x")) << beginning;
    EXPECT_FALSE(is_boilerplate_phrase("a " + std::string(beginning))) << beginning;
  }
  for (const char* part :
       {"All Rights Reserved", "京ICP备1", "icp证", "版权所有", "公网安备", "不良信息举报"}) {
    EXPECT_TRUE(is_boilerplate_phrase(part)) << part;
    EXPECT_TRUE(is_boilerplate_phrase("a " + std::string(part) + " b")) << part;
  }
  for (const char* text : {"", " \n", "adverts", "copyright 2024", "read more", "related",
                           "rights reserved", "责任"}) {
    EXPECT_FALSE(is_boilerplate_phrase(text)) << text;
  }
}

TEST(Boilerplate, TeasersAreThreeOrMoreAndNotTheWholePage) {
  const auto dropped = [](int teasers, std::size_t text, const std::string& heading) {
    std::string page = paragraph_of(text);
    for (int i = 0; i < teasers; ++i)
      page +=
          std::string("<div") + (i == 1 ? " id=it>" : ">") + heading + paragraph_of(100) + "</div>";
    return drops(page, drop_teasers);
  };
  const std::string link = "<h3><a href=/>" + filler(90) + "</a></h3>";
  EXPECT_TRUE(dropped(3, 200, link));
  EXPECT_FALSE(dropped(3, 199, link));
  EXPECT_FALSE(dropped(2, 1000, link));
  EXPECT_TRUE(dropped(3, 1000, "<h3><a href=/>" + filler(90) + "</a>" + filler(10) + "</h3>"));
  EXPECT_FALSE(dropped(3, 1000, "<h3><a href=/>" + filler(89) + "</a>" + filler(11) + "</h3>"));
  EXPECT_FALSE(dropped(3, 1000, "<h3>" + filler(90) + "</h3>"));
}

// Of a teaser: its running text, and other text beside it.
TEST(Boilerplate, TeasersAreSmall) {
  const auto dropped = [](std::size_t text, std::size_t beside) {
    std::string page = paragraph_of(5000);
    for (int i = 0; i < 3; ++i) {
      page += std::string("<div") + (i == 1 ? " id=it>" : ">") + "<h3><a href=/>" + filler(50) +
              "</a></h3>" + paragraph_of(text) + "<ul><li>" + filler(beside / 2) + "<li>" +
              filler(beside - beside / 2) + "</ul></div>";
    }
    return drops(page, drop_teasers);
  };
  EXPECT_TRUE(dropped(400, 0));
  EXPECT_FALSE(dropped(401, 0));
  EXPECT_TRUE(dropped(100, 120));
  EXPECT_FALSE(dropped(100, 121));
}

// The id of the element that is the root: "" for the page.
std::string root_in(const std::string& html, std::uint32_t root) {
  const Tree tree(html);
  return std::string(tree.attributes(tree[root]).id);
}
std::string marked_in(const std::string& html) {
  const Tree tree(html);
  return root_in(html, marked_root(PageFacts(tree)));
}

TEST(ContentRoot, MarksNeedTheirShare) {
  struct Row {
    const char* begin;
    std::size_t share;  // of 1000
  };
  for (const Row& row : {Row{"<div id=it itemprop=articleBody>", 200},
                         {"<div id=it class=entry-content>", 300},
                         {"<article id=it>", 400},
                         {"<main id=it>", 400},
                         {"<div id=it role=main>", 400}}) {
    EXPECT_EQ(marked_in(row.begin + paragraph_of(row.share) + "</div></article></main>" +
                        paragraph_of(1000 - row.share)),
              "")
        << row.begin;
    EXPECT_EQ(marked_in(row.begin + paragraph_of(row.share + 1) + "</div></article></main>" +
                        paragraph_of(1000 - row.share - 1)),
              "it")
        << row.begin;
  }
}

// The surer mark counts, wherever it stands.
TEST(ContentRoot, MarksHaveAnOrder) {
  const char* begins[] = {"<div id=0 itemprop=articleBody>", "<div id=1 class=entry-content>",
                          "<article id=2>", "<main id=3>"};
  const char* ends[] = {"</div>", "</div>", "</article>", "</main>"};
  for (int sure = 0; sure < 4; ++sure) {
    for (int other = sure + 1; other < 4; ++other) {
      const std::string one = begins[sure] + paragraph_of(500) + ends[sure],
                        two = begins[other] + paragraph_of(500) + ends[other];
      EXPECT_EQ(marked_in(one + two), std::to_string(sure));
      EXPECT_EQ(marked_in(two + one), std::to_string(sure));
    }
  }
}

TEST(ContentRoot, TheFirstOfSeveralMarksCountsUnlessALaterOneHasMuchMore) {
  const auto of_two = [](std::size_t first, std::size_t second) {
    return marked_in("<article id=a>" + paragraph_of(first) + "</article><article id=b>" +
                     paragraph_of(second) + "</article>");
  };
  EXPECT_EQ(of_two(500, 500), "a");
  EXPECT_EQ(of_two(700, 1400), "b") << "the first has less than 40 %";
  const auto of_three = [](std::size_t second) {
    return marked_in("<article id=a>" + paragraph_of(1000) + "</article><article id=b>" +
                     paragraph_of(second) + "</article>");
  };
  EXPECT_EQ(of_three(1400), "a");
  const auto structured = [](std::size_t second) {
    return marked_in("<div id=a itemprop=articleBody>" + paragraph_of(300) +
                     "</div><div id=b itemprop=articleBody>" + paragraph_of(second) + "</div>");
  };
  EXPECT_EQ(structured(600), "a");
  EXPECT_EQ(structured(601), "b");
  const auto nested = [](std::size_t outer, std::size_t inner) {
    return marked_in("<article id=a>" + paragraph_of(outer) + "<article id=b>" +
                     paragraph_of(inner) + "</article></article>");
  };
  EXPECT_EQ(nested(200, 800), "a");
  EXPECT_EQ(nested(200, 801), "b");
}

TEST(ContentRoot, TheDensestElementHasMostOfTheOneAroundIt) {
  const auto densest = [](std::size_t around, std::size_t inner, double share) {
    const std::string page =
        "<div id=a>" + paragraph_of(around) + "<div id=b>" + paragraph_of(inner) + "</div></div>";
    const Tree tree(page);
    return root_in(page, densest_root(PageFacts(tree), share));
  };
  EXPECT_EQ(densest(250, 750, 0.75), "b");
  EXPECT_EQ(densest(250, 749, 0.75), "a");
  EXPECT_EQ(densest(100, 900, 0.9), "b");
  EXPECT_EQ(densest(100, 899, 0.9), "a");
}

TEST(ContentRoot, AShortLeadBelongsToTheText) {
  const auto wide = [](std::size_t lead, std::size_t text) {
    const std::string page =
        "<div id=a>" + paragraph_of(lead) + "<div id=b>" + paragraph_of(text) + "</div></div>";
    const Tree tree(page);
    std::uint32_t inner = 0;
    for (std::uint32_t i = 1; i < tree.nodes().size(); ++i) {
      if (tree.attributes(tree[i]).id == "b") inner = i;
    }
    return root_in(page, with_lead(PageFacts(tree), inner));
  };
  EXPECT_EQ(wide(100, 400), "");
  EXPECT_EQ(wide(101, 400), "b");
}

// Which cells are data, by their ids.
std::string data_in(const std::string& html) {
  const Tree tree(html);
  const std::vector<bool> cells = data_cells(PageFacts(tree));
  std::string ids;
  for (std::uint32_t i = 1; i < tree.nodes().size(); ++i) {
    if (cells[i]) ids += tree.attributes(tree[i]).id;
  }
  return ids;
}

TEST(Tables, OfSeveralColumnsWithoutLongTextAreData) {
  EXPECT_EQ(data_in("<table><tr><td id=a>x<th id=b>y</table>"), "ab");
  EXPECT_EQ(data_in("<table><tr><td id=a>x<tr><td id=b>y</table>"), "") << "one column";
  EXPECT_EQ(data_in("<table><tr><td id=a>x<td id=b><tr><td id=c>y</table>"), "")
      << "one column with text";
  EXPECT_EQ(data_in("<table><tr><td id=a>x<td id=b><tr><td id=c>y<td id=d>z</table>"), "abcd");
  EXPECT_EQ(data_in("<table><tr><td id=a>x<td id=b>" + filler(300) + "</table>"), "ab");
  EXPECT_EQ(data_in("<table><tr><td id=a>x<td id=b>" + filler(301) + "</table>"), "");
  EXPECT_EQ(
      data_in("<table><tr><td id=a>x<td id=b>y<table><tr><td id=c>z<td id=d>w</table></table>"),
      "cd")
      << "a table in a table";
  EXPECT_EQ(data_in("<div><td id=a>x<td id=b>y</div>"), "");
}

// Authors and dates within posts, which are short and no sentences.
TEST(Threads, LeaveOutWhatIsSaidOfAPost) {
  const auto dropped = [](const std::string& metadata, const char* name = "author") {
    return drops("<div class=postbody><div id=it class='" + std::string(name) + "'>" + metadata +
                     "</div>" + paragraph_of(500),
                 [](PageFacts& page) { find_thread(page); });
  };
  EXPECT_TRUE(dropped(filler(99)));
  EXPECT_FALSE(dropped(filler(100)));
  EXPECT_FALSE(dropped(filler(30) + "."));
  EXPECT_FALSE(dropped(filler(30), "x"));
  EXPECT_FALSE(dropped(filler(30), "author text"));
  EXPECT_FALSE(dropped("<div class=message>" + filler(30) + "</div>"));
}

TEST(Threads, AreKnownByPostsAndNames) {
  const auto thread = [](const std::string& head, std::size_t posts, std::uint32_t article) {
    const std::string html =
        "<html><head>" + head + "</head><body><div class=postbody><p>" + filler(posts);
    const Tree tree(html);
    return is_thread(PageFacts(tree), article);
  };
  // Three times the article's text, which is short.
  EXPECT_TRUE(thread("", 301, 100));
  EXPECT_FALSE(thread("", 300, 100));
  EXPECT_TRUE(thread("", 1198, 399));
  EXPECT_FALSE(thread("", 1201, 400));
  for (const char* software : {"Discuz! X3.4", "phpBB", "vBulletin", "XenForo", "Discourse", "MyBB",
                               "UBB", "bbPress", "NodeBB", "Flarum", "Invision"}) {
    const std::string head = "<meta name=generator content='a " + std::string(software) + "'>";
    EXPECT_TRUE(thread(head, 301, 1000)) << software;
    EXPECT_FALSE(thread(head, 300, 1000)) << software;
  }
  EXPECT_FALSE(thread("<meta name=generator content=WordPress>", 301, 1000));
  EXPECT_FALSE(thread("<meta name=author content=phpBB>", 301, 1000));
  // Three names of forums.
  const auto named = [](const std::string& names) {
    const std::string html = "<body>" + names + "<div class=postbody><p>" + filler(400);
    const Tree tree(html);
    return is_thread(PageFacts(tree), 1000);
  };
  EXPECT_FALSE(named("<i class=forum></i><i class=bbs></i>"));
  EXPECT_TRUE(named("<i class=forum></i><i class=bbs></i><i class=topic></i>"));
  EXPECT_FALSE(named("<i class=forum></i><i class=bbs></i><i class='topic comments'></i>"));
}

}  // namespace
}  // namespace fathom::html
