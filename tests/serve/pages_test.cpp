// The server's web pages: what they are, and the headers that keep them safe. pages_test.py tries
// them in a browser.
#include "serve/pages.h"

#include <gmock/gmock.h>

#include <regex>

#include "io/temp_dir.h"
#include "serve/test_server.h"

namespace fathom::serve {
namespace {

using testing::HasSubstr;
using testing::Not;

Received head(const TestServer& server, const std::string& path) {
  Client client(server.port());
  client.send("HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  Received received;
  EXPECT_TRUE(client.read_until("\r\n\r\n"));
  received.body = client.rest();
  return received;
}

TEST(Pages, HaveTypesAndRulesForBrowsers) {
  const TestServer server;
  const Received page = server.get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(page.headers.at("cache-control"), "no-cache");
  const std::string& policy = page.headers.at("content-security-policy");
  for (const char* rule : {"default-src 'none'", "script-src 'self'", "connect-src 'self'",
                           "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"}) {
    EXPECT_THAT(policy, HasSubstr(rule));
  }
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_EQ(server.get("/engine").headers.at("content-security-policy"), policy);
  EXPECT_EQ(server.get("/assets/chat.js").headers.at("content-type"),
            "text/javascript; charset=utf-8");
  EXPECT_EQ(server.get("/assets/page.css").headers.at("content-type"), "text/css; charset=utf-8");
  EXPECT_THAT(server.get("/assets/licences.txt").body, HasSubstr("Copyright"));
}

TEST(Pages, AreTheFilesByteForByte) {
  const TestServer server;
  const std::string web = FATHOM_SOURCE_DIR "/src/serve/web/";
  EXPECT_TRUE(server.get("/").body == test::read_file(web + "chat.html"));
  EXPECT_TRUE(server.get("/assets/markdown.js").body == test::read_file(web + "markdown.js"));
  const std::string font = server.get("/assets/fonts/KaTeX_Main-Regular.woff2").body;
  EXPECT_TRUE(font.starts_with("wOF2"));
  // The header of a font says how long it is.
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(font.at(i)); };
  EXPECT_EQ(font.size(),
            static_cast<std::size_t>(byte(8) << 24 | byte(9) << 16 | byte(10) << 8 | byte(11)));
}

// Every address in the pages, styles and scripts is served, and none is of another host.
TEST(Pages, LoadOnlyWhatIsServed) {
  const std::regex address(
      R"re((?:src|href)="(/[^"#]*)"|"(/assets/[^"]+)"|from "\./([^"]+)"|url\((fonts/[^)]+\.woff2)\))re");
  std::size_t found = 0;
  for (const std::string_view path : page_paths()) {
    if (path.ends_with(".woff2") || path.ends_with(".min.js")) continue;
    HttpRequest request;
    request.path = path;
    const std::string text = page_reply(request).body;
    for (std::sregex_iterator at(text.begin(), text.end(), address), end; at != end; ++at) {
      const std::smatch& match = *at;
      std::string target = match[1].str() + match[2].str();
      if (match[3].matched) target = "/assets/" + match[3].str();
      if (match[4].matched) target = "/assets/" + match[4].str();
      EXPECT_TRUE(is_page(target)) << path << " asks for " << target;
      ++found;
    }
  }
  EXPECT_GT(found, 50u);
}

TEST(Pages, AreSentOnceWhileTheyStayTheSame) {
  const TestServer server;
  const std::string tag = server.get("/").headers.at("etag");
  EXPECT_THAT(tag, testing::MatchesRegex("\"[0-9a-f]+\""));
  EXPECT_NE(server.get("/engine").headers.at("etag"), tag);
  Client client(server.port());
  for (const std::string& condition : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    client.get("/", "If-None-Match: " + condition + "\r\n");
    ASSERT_TRUE(client.read_until("\r\n\r\n"));
    const std::string text = client.rest();
    EXPECT_THAT(text, testing::StartsWith("HTTP/1.1 304 Not Modified\r\n"));
    EXPECT_THAT(text, HasSubstr("\r\nETag: " + tag + "\r\n"));
    EXPECT_THAT(text, Not(HasSubstr("Content-Length")));
    EXPECT_THAT(text, testing::EndsWith("\r\n\r\n"));
  }
  client.get("/", "If-None-Match: \"another\"\r\n");
  EXPECT_EQ(client.receive().status, 200);
}

TEST(Pages, AnswerHeadAndRefuseOtherMethods) {
  const TestServer server;
  const std::string text = head(server, "/").body;
  EXPECT_THAT(text, testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(text,
              HasSubstr(fmt::format("\r\nContent-Length: {}\r\n", server.get("/").body.size())));
  EXPECT_THAT(text, testing::EndsWith("\r\n\r\n"));
  const Received refused = server.post("/", "x");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.headers.at("allow"), "GET");
  EXPECT_EQ(server.get("/assets/").status, 404);
  EXPECT_EQ(server.get("/assets/../service.cpp").status, 404);
}

TEST(Pages, NeedNoKeyAndTheApiDoes) {
  ServerOptions options = TestServer::small_options();
  options.service.api_keys = {"secret"};
  const TestServer server(options);
  for (const std::string_view path : page_paths()) {
    EXPECT_EQ(server.get(std::string(path)).status, 200) << path;
  }
  for (const char* path : {"/metrics", "/v1/models", "/tokenizer_info", "/assets/none"}) {
    EXPECT_EQ(server.get(path).status, 401) << path;
  }
}

}  // namespace
}  // namespace fathom::serve
