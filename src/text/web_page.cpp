#include "text/web_page.h"

#include <algorithm>
#include <utility>

#include "text/ascii.h"
#include "text/charset.h"
#include "text/content.h"
#include "text/html/main_text.h"
#include "text/html/tokenizer.h"
#include "text/http_response.h"

namespace fathom {
namespace {

bool starts_in_any_case(std::string_view text, std::string_view small_prefix) {
  if (text.size() < small_prefix.size()) return false;
  return ascii::equal_ignoring_case(text.substr(0, small_prefix.size()), small_prefix);
}

// <?xml ...?>, <?xml-stylesheet ...?> and blanks.
void skip_prolog(std::string_view& text) {
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n\f"), text.size()));
    const std::size_t end = text.find("?>");
    if (!text.starts_with("<?xml") || end == std::string_view::npos) return;
    text.remove_prefix(end + 2);
  }
}

// By the tags with which pages begin, as browsers tell (WHATWG, MIME Sniffing, section 7.1).
bool looks_like_html(std::string_view bytes) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (bytes.starts_with(byte_order_mark)) bytes.remove_prefix(byte_order_mark.size());
  skip_prolog(bytes);
  constexpr std::string_view beginnings[] = {
      "<!doctype html", "<html", "<head",  "<body",  "<script", "<iframe", "<h1", "<div", "<font",
      "<table",         "<a",    "<style", "<title", "<b",      "<br",     "<p",  "<!--", "<meta"};
  return std::ranges::any_of(beginnings,
                             [&](std::string_view tag) { return starts_in_any_case(bytes, tag); });
}

bool has_utf16_mark(std::string_view bytes) {
  return bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
}

// The ASCII of the first bytes of UTF-16.
std::string ascii_of_utf16(std::string_view bytes) {
  std::string ascii(bytes.substr(2, 2048));
  std::erase(ascii, '\0');
  return ascii;
}

bool has_tag(std::string_view text) {
  html::Tokenizer tokens(text);
  for (;;) {
    const html::Token::Kind kind = tokens.next().kind;
    if (kind == html::Token::Kind::end) return false;
    if (kind == html::Token::Kind::open) return true;
  }
}

// UTF-16 has zero bytes, too, but begins with its mark.
bool is_binary(std::string_view bytes) {
  if (has_utf16_mark(bytes)) return false;
  return foreign_content(bytes.substr(0, content_sample_bytes)).has_value();
}

WebPage refused(PageProblem problem) {
  WebPage page;
  page.problem = problem;
  return page;
}

// "# Title" before the text, unless its first line is the title.
std::string with_title(const std::string& title, std::string&& text) {
  if (title.empty()) return std::move(text);
  std::string_view first = std::string_view(text).substr(0, text.find('\n'));
  const std::size_t marks = std::min(first.find_first_not_of("# "), first.size());
  if (first.substr(marks) == title) text.erase(0, text.find_first_not_of('\n', first.size()));
  return "# " + title + "\n\n" + text;
}

WebPage main_text_of(std::string_view bytes, std::string_view charset,
                     html::Syntax syntax = html::Syntax::html) {
  WebPage page;
  const auto html = decode_page(bytes, charset, page.replaced);
  if (!html) return refused(PageProblem::undecodable);
  html::MainText found = html::main_text(*html, syntax);
  if (found.text.empty()) return refused(PageProblem::no_main_text);
  page.title = std::move(found.title);
  page.text = with_title(page.title, std::move(found.text));
  return page;
}

}  // namespace

WebPage read_page(std::string_view bytes) {
  if (bytes.size() > max_page_bytes) return refused(PageProblem::too_large);
  const bool is_html = has_utf16_mark(bytes) ? looks_like_html(ascii_of_utf16(bytes))
                                             : looks_like_html(bytes) && !is_binary(bytes);
  if (!is_html) return refused(PageProblem::not_html);
  return main_text_of(bytes, {});
}

WebPage read_page_text(std::string_view text) {
  if (text.size() > max_page_bytes) return refused(PageProblem::too_large);
  if (!has_tag(text)) return refused(PageProblem::not_html);
  return main_text_of(text, "utf-8");
}

WebPage read_response(std::string_view bytes) {
  const HttpResponse response = parse_http_response(bytes);
  if (response.problem != PageProblem::none) return refused(response.problem);
  const std::string& type = response.media_type;
  const bool xhtml = type == "application/xhtml+xml";
  const bool is_html = type == "text/html" || xhtml;
  const bool untold = type.empty() || type == "text/plain" || type == "application/octet-stream" ||
                      type == "application/xml" || type == "text/xml";
  if (!is_html && !(untold && looks_like_html(response.body)))
    return refused(PageProblem::not_html);
  if (is_binary(response.body)) return refused(PageProblem::not_html);
  return main_text_of(response.body, response.charset,
                      xhtml ? html::Syntax::xhtml : html::Syntax::html);
}

}  // namespace fathom
