#include "serve/http_text.h"

#include <gmock/gmock.h>

namespace fathom::serve {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(HttpText, WritesResponses) {
  Reply reply{404, "{}", "application/json", {{"Allow", "GET"}}};
  const std::string text = response_text(reply, {});
  EXPECT_THAT(text, testing::StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Length: 2\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nAllow: GET\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nConnection: keep-alive\r\n"));
  EXPECT_THAT(text, testing::EndsWith("\r\n\r\n{}"));
  EXPECT_THAT(text, Not(HasSubstr("Access-Control")));
  ResponseForm form;
  form.head_only = true;
  form.keep_alive = false;
  form.allowed_origin = "*";
  EXPECT_THAT(response_text(reply, form), testing::EndsWith("\r\n\r\n"));
  EXPECT_THAT(response_text(reply, form), HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(response_text(reply, form), HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  for (const auto& [status, has_length] :
       {std::pair(200, true), {204, false}, {304, false}, {500, true}}) {
    reply.status = status;
    EXPECT_EQ(response_head(reply, {}).find("Content-Length") != std::string::npos, has_length)
        << status;
  }
}

// All of a head, in its order.
TEST(HttpText, WritesHeadsLineByLine) {
  const Reply reply{429, "12345", "text/plain", {{"Retry-After", "1"}}, "no-cache"};
  EXPECT_EQ(response_head(reply, {}),
            "HTTP/1.1 429 Too Many Requests\r\nServer: fathom\r\nContent-Type: text/plain\r\n"
            "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: keep-alive\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\n");
  EXPECT_THAT(
      response_head(Reply{}, {}),
      testing::AllOf(HasSubstr("HTTP/1.1 200 OK\r\n"), HasSubstr("application/json\r\n"),
                     HasSubstr("Cache-Control: no-store\r\n"), HasSubstr("Content-Length: 0\r\n")));
  ResponseForm form;
  form.allowed_origin = "https://a.example";
  EXPECT_EQ(stream_head(form),
            "HTTP/1.1 200 OK\r\nServer: fathom\r\n"
            "Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: keep-alive\r\n"
            "Access-Control-Allow-Origin: https://a.example\r\nVary: Origin\r\n"
            "Transfer-Encoding: chunked\r\n\r\n");
}

TEST(HttpText, AnswersPreflightsWithTheHeadersThatWereAskedFor) {
  EXPECT_EQ(preflight_reply("x-one, x-two").headers[1].second, "x-one, x-two");
  const Reply reply = preflight_reply("");
  EXPECT_EQ(reply.status, 204);
  ASSERT_EQ(reply.headers.size(), 3u);
  EXPECT_EQ(reply.headers[0],
            std::pair(std::string("Access-Control-Allow-Methods"), std::string("GET, POST")));
  EXPECT_EQ(reply.headers[1], std::pair(std::string("Access-Control-Allow-Headers"),
                                        std::string("Authorization, Content-Type")));
  EXPECT_EQ(reply.headers[2], std::pair(std::string("Access-Control-Max-Age"), std::string("600")));
}

TEST(HttpText, FramesChunks) {
  EXPECT_EQ(chunk_text("0123456789abcdef!", {}), "11\r\n0123456789abcdef!\r\n");
  EXPECT_EQ(chunk_text("", {}), "");  // an empty chunk would end the answer
  EXPECT_EQ(last_chunk({}), "0\r\n\r\n");
  ResponseForm old;
  old.http_version = 10;
  EXPECT_EQ(chunk_text("ab", old), "ab");
  EXPECT_EQ(last_chunk(old), "");
  EXPECT_THAT(stream_head(old), Not(HasSubstr("chunked")));
  EXPECT_THAT(stream_head({}), HasSubstr("Transfer-Encoding: chunked\r\n"));
}

TEST(HttpText, KnowsOriginsThatMayAsk) {
  const std::vector<std::string> one{"https://a.example"}, all{"*"};
  EXPECT_EQ(allowed_origin("", "localhost", {}), "");
  EXPECT_EQ(allowed_origin("http://localhost:8000", "localhost:8000", {}), "");
  EXPECT_EQ(allowed_origin("http://localhost:8001", "localhost:8000", {}), std::nullopt);
  EXPECT_EQ(allowed_origin("null", "localhost", {}), std::nullopt);
  EXPECT_EQ(allowed_origin("http://", "", {}), std::nullopt);
  EXPECT_EQ(allowed_origin("https://localhost", "localhost", {}), "");
  EXPECT_EQ(allowed_origin("ftp://localhost", "localhost", {}), std::nullopt);
  EXPECT_EQ(allowed_origin("https://b.example", "b", {"https://a.example", "https://b.example"}),
            "https://b.example");
  EXPECT_EQ(allowed_origin("https://a.example", "b", one), "https://a.example");
  EXPECT_EQ(allowed_origin("https://a.example.evil", "b", one), std::nullopt);
  EXPECT_EQ(allowed_origin("null", "b", all), "*");
}

TEST(HttpText, KnowsThisMachinesNames) {
  for (const char* name :
       {"", "localhost", "LocalHost:80", "a.localhost", "127.0.0.1:8000", "127.9.9.9", "[::1]",
        "[::1]:80", "localhost.", "localhost.:80", "A.LOCALHOST."}) {
    EXPECT_TRUE(is_local_host(name)) << name;
  }
  for (const char* name :
       {"evil.example", "localhost.evil.example", "127.evil.example", "10.0.0.1", "evillocalhost",
        "evil-localhost:80", "localhost.evil", "127", "1270.0.0.1", "128.0.0.1", "[::1].evil",
        "[::11]", "[::2]:80", "0.0.0.0"}) {
    EXPECT_FALSE(is_local_host(name)) << name;
  }
}

}  // namespace
}  // namespace fathom::serve
