#include "text/web_page.h"

#include <algorithm>
#include <utility>

#include "text/ascii.h"
#include "text/charset.h"
#include "text/content.h"
#include "text/html/main_text.h"
#include "text/http_response.h"

namespace fathom {
namespace {

bool starts_in_any_case(std::string_view text, std::string_view small_prefix) {
  if (text.size() < small_prefix.size()) return false;
  return ascii::equal_ignoring_case(text.substr(0, small_prefix.size()), small_prefix);
}

// By the tags with which pages begin, as browsers tell (WHATWG, MIME Sniffing, section 7.1).
bool looks_like_html(std::string_view bytes) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (bytes.starts_with(byte_order_mark)) bytes.remove_prefix(byte_order_mark.size());
  bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n\f"), bytes.size()));
  constexpr std::string_view beginnings[] = {
      "<!doctype html", "<html", "<head",  "<body",  "<script", "<iframe", "<h1", "<div", "<font",
      "<table",         "<a",    "<style", "<title", "<b",      "<br",     "<p",  "<!--", "<meta"};
  return std::ranges::any_of(beginnings,
                             [&](std::string_view tag) { return starts_in_any_case(bytes, tag); });
}

// UTF-16 has zero bytes, too, but begins with its mark.
bool is_binary(std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) return false;
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
  if (first.substr(marks) == title) text.erase(0, std::min(first.size() + 2, text.size()));
  return "# " + title + "\n\n" + text;
}

WebPage main_text_of(std::string_view bytes, std::string_view charset) {
  WebPage page;
  const auto html = decode_page(bytes, charset, page.replaced);
  if (!html) return refused(PageProblem::undecodable);
  html::MainText found = html::main_text(*html);
  if (found.text.empty()) return refused(PageProblem::no_main_text);
  page.title = std::move(found.title);
  page.text = with_title(page.title, std::move(found.text));
  return page;
}

}  // namespace

WebPage read_page(std::string_view bytes) {
  if (bytes.size() > max_page_bytes) return refused(PageProblem::too_large);
  if (is_binary(bytes) || !looks_like_html(bytes)) return refused(PageProblem::not_html);
  return main_text_of(bytes, {});
}

WebPage read_response(std::string_view bytes) {
  const HttpResponse response = parse_http_response(bytes);
  if (response.problem != PageProblem::none) return refused(response.problem);
  const std::string& type = response.media_type;
  const bool html = type == "text/html" || type == "application/xhtml+xml";
  const bool untold = type.empty() || type == "text/plain" || type == "application/octet-stream" ||
                      type == "application/xml" || type == "text/xml";
  if (!html && !(untold && looks_like_html(response.body))) return refused(PageProblem::not_html);
  if (is_binary(response.body)) return refused(PageProblem::not_html);
  return main_text_of(response.body, response.charset);
}

}  // namespace fathom
