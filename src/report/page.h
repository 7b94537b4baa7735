// A report page: one self-contained HTML file of titled sections, which loads nothing
// from elsewhere and can be read without JavaScript, in light, dark and on paper. Who
// measures something lists sections; this folder knows nothing of what they show.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "report/chart.h"

namespace fathom {

struct Paragraph {
  std::string text;
};

// Single figures that a reader looks for first: "parameters" and "25.1M".
struct Figures {
  std::vector<std::pair<std::string, std::string>> values;
};

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

// Text with its line breaks: a config, a printed table. Folded until it is opened.
struct Preformatted {
  std::string title;
  std::string text;
};

using SectionPart = std::variant<Paragraph, Figures, Table, Chart, Preformatted>;

struct Section {
  std::string title;  // may be empty
  std::vector<SectionPart> parts;
};

struct Page {
  std::string title;
  std::vector<Section> sections;
};

// Charts that stand next to each other share rows of a wide screen. A section whose
// parts are all empty (charts without values, empty texts) is left out.
std::string page_html(const Page& page);

// Writes the page, atomically.
void write_page(const std::string& path, const Page& page);

}  // namespace fathom
