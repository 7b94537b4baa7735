#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/atomic_file.h"
#include "report/embedded.h"
#include "report/html.h"

namespace fathom {
namespace {

// Nothing is fetched, whatever a text in the page says.
constexpr std::string_view policy =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

// Without line breaks beyond the second of a run and the blanks between them, and without those
// at the end.
std::string with_few_blank_lines(std::string_view text) {
  std::string out;
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\n') {
      out += text[at++];
      continue;
    }
    const std::size_t end = text.find_first_not_of(" \t\r\n", at);
    const std::string_view blank = text.substr(at, end - at);
    const std::size_t last = blank.rfind('\n');
    out += std::count(blank.begin(), blank.end(), '\n') > 1 ? "\n\n" : "\n";
    out += blank.substr(last + 1);
    at = end;
  }
  return out;
}

class Renderer {
 public:
  std::string operator()(const Paragraph& paragraph) const {
    return paragraph.text.empty() ? "" : "<p>" + html_escaped(paragraph.text) + "</p>\n";
  }

  std::string operator()(const Figures& figures) const {
    std::string out;
    for (const auto& [name, value] : figures.values) {
      out += "<div><dt>" + html_escaped(name) + "</dt><dd>" + html_escaped(value) + "</dd></div>\n";
    }
    return out.empty() ? "" : "<dl>\n" + out + "</dl>\n";
  }

  std::string operator()(const Table& table) const {
    if (table.rows.empty()) return "";
    std::string out = "<div class=\"wide\"><table>\n" + row(table.header, "th");
    for (const auto& cells : table.rows) out += row(cells, "td");
    return out + "</table></div>\n";
  }

  std::string operator()(const Chart& chart) {
    const std::string html = chart_html(chart, fmt::format("chart-{}", charts_ + 1));
    if (!html.empty()) ++charts_;
    return html;
  }

  std::string operator()(const Preformatted& text) const {
    if (text.text.empty()) return "";
    return "<details><summary>" + html_escaped(text.title) + "</summary><pre>" +
           html_escaped(text.text) + "</pre></details>\n";
  }

  std::string operator()(const Continuations& part) const {
    if (part.texts.empty()) return "";
    std::string out = fmt::format("<details class=\"continuations\"{}><summary>{}</summary>\n",
                                  part.fold == Fold::open ? " open" : "", html_escaped(part.title));
    for (const Continuations::Text& text : part.texts) {
      const std::string rest = text.rest.empty() ? " <small>(ends here)</small>"
                                                 : html_escaped(with_few_blank_lines(text.rest));
      out += "<p dir=\"auto\"><b>" + html_escaped(text.beginning) + "</b>" + rest + "</p>\n";
    }
    return out + "</details>\n";
  }

  std::string section(const Section& section) {
    std::string body;
    bool among_charts = false;
    for (const SectionPart& part : section.parts) {
      const std::string rendered = std::visit(*this, part);
      if (rendered.empty()) continue;
      const bool chart = std::holds_alternative<Chart>(part);
      if (chart != among_charts) body += chart ? "<div class=\"charts\">\n" : "</div>\n";
      among_charts = chart;
      body += rendered;
    }
    if (body.empty()) return "";
    if (among_charts) body += "</div>\n";
    const std::string title =
        section.title.empty() ? "" : "<h2>" + html_escaped(section.title) + "</h2>\n";
    return "<section>\n" + title + body + "</section>\n";
  }

  bool has_charts() const { return charts_ > 0; }

 private:
  static std::string row(const std::vector<std::string>& cells, const char* tag) {
    std::string out;
    for (const std::string& cell : cells) {
      out += fmt::format("<{0}>{1}</{0}>", tag, html_escaped(cell));
    }
    return "<tr>" + out + "</tr>\n";
  }

  int charts_ = 0;
};

std::string head(const Page& page, bool charts) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n<title>{}</title>\n"
      "<style>\n{}{}</style>\n</head><body>\n<h1>{}</h1>\n",
      policy, html_escaped(page.title), charts ? embedded::dygraphs_style : "",
      embedded::page_style, html_escaped(page.title));
}

std::string scripts() {
  return fmt::format(
      "<!-- The charts are drawn by dygraphs:\n\n{}-->\n<script>\n{}\n</script>\n"
      "<script>\n{}</script>\n",
      embedded::dygraphs_licence, embedded::dygraphs_script, embedded::chart_script);
}

}  // namespace

std::string page_html(const Page& page) {
  Renderer render;
  std::string body;
  for (const Section& section : page.sections) body += render.section(section);
  return head(page, render.has_charts()) + body + (render.has_charts() ? scripts() : "") +
         "</body></html>\n";
}

void write_page(const std::string& path, const Page& page) {
  write_file_atomically(path, page_html(page));
}

}  // namespace fathom
