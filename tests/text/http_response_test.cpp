#include "text/http_response.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <utility>
#include <vector>

namespace fathom {
namespace {

std::string response(const std::string& headers, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + headers + "\r\n" + body;
}

// `window_bits` of zlib: 31 for gzip, 15 for zlib, -15 for neither.
std::string packed(const std::string& text, int window_bits) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string body_of(const std::string& bytes) {
  const HttpResponse parsed = parse_http_response(bytes);
  EXPECT_EQ(parsed.problem, PageProblem::none)
      << enum_names(PageProblem())[static_cast<int>(parsed.problem)];
  return parsed.body;
}

PageProblem problem_of(const std::string& bytes) {
  return parse_http_response(bytes).problem;
}

TEST(HttpResponse, ReadsHeaders) {
  const HttpResponse parsed = parse_http_response(
      response("content-TYPE:  Text/HTML ; Charset=\"GBK\"\r\nX: y\r\n", "<p>"));
  EXPECT_EQ(parsed.media_type, "text/html");
  EXPECT_EQ(parsed.charset, "gbk");
  EXPECT_EQ(parsed.body, "<p>");
  EXPECT_EQ(body_of("HTTP/1.0 200\n\nlines that end in LF"), "lines that end in LF");
}

TEST(HttpResponse, TakesHeadersThatAreSlightlyWrong) {
  for (const char* type :
       {"text/html charset=gbk", "text/html, text/html; charset=gbk", "text/html\t;charset=gbk"}) {
    const HttpResponse parsed =
        parse_http_response(response("Content-Type: " + std::string(type) + "\r\n", "<p>"));
    EXPECT_EQ(parsed.media_type, "text/html");
    EXPECT_EQ(parsed.charset, "gbk") << type;
  }
  EXPECT_EQ(body_of("HTTP/1.1 100 Continue\r\n\r\n" + response("X: y\r\n", "<p>")), "<p>");
  // Bodies that a crawler has unpacked.
  for (const char* packing : {"br", "deflate"}) {
    for (const std::string body : {"\n<p>", "\xef\xbb\xbf<p>", "\xef\xbb\xbf \r\n<p>"}) {
      EXPECT_EQ(body_of(response("Content-Encoding: " + std::string(packing) + "\r\n", body)),
                body);
    }
  }
}

TEST(HttpResponse, RefusesOthers) {
  EXPECT_EQ(problem_of(""), PageProblem::not_http);
  EXPECT_EQ(problem_of("<html>"), PageProblem::not_http);
  EXPECT_EQ(problem_of("HTTP/1.1 200 OK\r\nX: y\r\n"), PageProblem::not_http);
  EXPECT_EQ(problem_of("HTTP/1.1 OK\r\n\r\n"), PageProblem::not_http);
  EXPECT_EQ(problem_of("HTTP/1.1 404 Not Found\r\n\r\n<html>"), PageProblem::http_status);
  EXPECT_EQ(problem_of("HTTP/1.1 301 Moved\r\n\r\n"), PageProblem::http_status);
}

TEST(HttpResponse, JoinsChunks) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  EXPECT_EQ(body_of(response(chunked, "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n")),
            "abc0123456789");
  for (const char* broken : {"3\r\nab", "3\r\nabc\r\n", "3\r\nabcd\r\n0\r\n\r\n",
                             "3\r\nabc\r\nffffffffffffffff\r\nx", "3\r\nabc\r\nzz\r\n"}) {
    EXPECT_EQ(problem_of(response(chunked, broken)), PageProblem::broken_body) << broken;
  }
  // As some crawlers store it.
  EXPECT_EQ(body_of(response(chunked, "<p>already joined")), "<p>already joined");
}

TEST(HttpResponse, Unpacks) {
  const std::string text = "<p>" + std::string(100'000, 'x');
  const std::string gzip = "Content-Encoding: gzip\r\n", deflate = "Content-Encoding: deflate\r\n";
  EXPECT_EQ(body_of(response(gzip, packed(text, 31))), text);
  EXPECT_EQ(body_of(response(gzip, packed("<p>", 31) + packed("two", 31))), "<p>two");
  EXPECT_EQ(body_of(response(deflate, packed(text, 15))), text);
  EXPECT_EQ(body_of(response(deflate, packed(text, -15))), text);
  EXPECT_EQ(body_of(response(gzip, text)), text);
  EXPECT_EQ(body_of(response(deflate, text)), text);
  const std::string gzipped = packed(text, 31);
  EXPECT_EQ(problem_of(response(gzip, gzipped.substr(0, gzipped.size() / 2))),
            PageProblem::broken_body);
  std::string damaged = gzipped;
  damaged[damaged.size() / 2] ^= 0x55;
  EXPECT_EQ(problem_of(response(gzip, damaged)), PageProblem::broken_body);
  EXPECT_EQ(problem_of(response("Content-Encoding: br\r\n", "\x0b\x02")),
            PageProblem::unknown_packing);
  EXPECT_EQ(body_of(response("Content-Encoding: br\r\n", text)), text);
}

// Names of headers and codings are the same in any case, with blanks around them or none.
TEST(HttpResponse, TakesEverySpellingOfAHeader) {
  const std::string text = "<p>text";
  const std::string chunks = "7\r\n" + text + "\r\n0\r\n\r\n";
  for (const auto& [header, body] : std::vector<std::pair<std::string, std::string>>{
           {"Content-Encoding: gzip", packed(text, 31)},
           {"Content-Encoding: x-gzip", packed(text, 31)},
           {"content-encoding:GZIP", packed(text, 31)},
           {"CONTENT-ENCODING : X-Gzip ", packed(text, 31)},
           {"Content-Encoding: Deflate", packed(text, 15)},
           {"Content-Encoding: deflate", packed(text, -15)},
           {"Content-Encoding: identity", text},
           {"Content-Encoding: Identity", text},
           {"Content-Encoding: none", text},
           {"Content-Encoding:", text},
           {"Transfer-Encoding: chunked", chunks},
           {"transfer-encoding:Chunked", chunks},
           {"TRANSFER-ENCODING: gzip, CHUNKED", chunks},
           {"content-LENGTH:7", text}}) {
    EXPECT_EQ(body_of(response(header + "\r\n", body)), text) << header;
  }
  for (const char* other : {"x-deflate", "br", "zstd", "gzipped"}) {
    EXPECT_EQ(
        problem_of(response("Content-Encoding: " + std::string(other) + "\r\n", packed(text, 31))),
        PageProblem::unknown_packing)
        << other;
  }
  for (const char* type :
       {"text/html;charset=gbk", "TEXT/HTML; CHARSET=GBK", "text/html; charset='gbk'",
        "text/html; charset=gbk; x=y", "text/html; x=y; charset = gbk"}) {
    const HttpResponse parsed =
        parse_http_response(response("content-type:" + std::string(type) + "\r\n", text));
    EXPECT_EQ(parsed.media_type, "text/html") << type;
    EXPECT_EQ(parsed.charset, std::string(type).ends_with("= gbk") ? "" : "gbk") << type;
  }
}

TEST(HttpResponse, BoundsLengths) {
  EXPECT_EQ(problem_of(response("Content-Length: 10\r\n", "short")), PageProblem::broken_body);
  EXPECT_EQ(problem_of(response("Content-Length: 6\r\n", "short")), PageProblem::broken_body);
  EXPECT_EQ(body_of(response("Content-Length: 5\r\n", "whole")), "whole");
  EXPECT_EQ(body_of(response("Content-Length: 0\r\n", "")), "");
  EXPECT_EQ(body_of(response("Content-Length: 3\r\n", "longer")), "longer");
  EXPECT_EQ(body_of(response("Content-Length: x\r\n", "any")), "any");
  // 100 KB that unpack to 100 MB.
  const std::string bomb = packed(std::string(100 << 20, 'x'), 31);
  EXPECT_LT(bomb.size(), 200u << 10);
  EXPECT_EQ(problem_of(response("Content-Encoding: gzip\r\n", bomb)), PageProblem::too_large);
  const std::string longest(32 << 20, 'x');
  const std::string gzip = "Content-Encoding: gzip\r\n";
  EXPECT_EQ(body_of(response("", longest)), longest);
  EXPECT_EQ(problem_of(response("", longest + "x")), PageProblem::too_large);
  EXPECT_EQ(body_of(response(gzip, packed(longest, 31))), longest);
  EXPECT_EQ(problem_of(response(gzip, packed(longest + "x", 31))), PageProblem::too_large);
}

// The headers may have 256 KiB, the status line among them.
TEST(HttpResponse, BoundsHeaders) {
  const auto with_header = [](std::size_t length) {
    return response("X: " + std::string(length, 'y') + "\r\n", "<p>");
  };
  const std::size_t around = std::string("HTTP/1.1 200 OK\r\nX: \r\n").size();
  EXPECT_EQ(body_of(with_header((256 << 10) - around - 1)), "<p>");
  EXPECT_EQ(problem_of(with_header((256 << 10) - around)), PageProblem::not_http);
}

}  // namespace
}  // namespace fathom
