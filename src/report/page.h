// A report page: one self-contained HTML file of titled sections. It loads nothing from
// elsewhere and can be read without JavaScript, in light and dark mode and on paper. The
// caller decides what the sections show.
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

// Single figures with their names, such as "parameters" and "25.1M".
struct Figures {
  std::vector<std::pair<std::string, std::string>> values;
};

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

// Text with its line breaks, such as a config or a printed table; collapsed at first.
struct Preformatted {
  std::string title;
  std::string text;
};

enum class Fold { closed, open };  // until a reader changes it; on paper all is open

// Texts that go on from others, as a model goes on from prompts; folded under a title. Blank lines
// that follow each other are shown as one.
struct Continuations {
  std::string title;
  struct Text {
    std::string beginning, rest;
  };
  std::vector<Text> texts;
  Fold fold = Fold::closed;
};

using SectionPart = std::variant<Paragraph, Figures, Table, Chart, Preformatted, Continuations>;

struct Section {
  std::string title;  // may be empty
  std::vector<SectionPart> parts;
};

struct Page {
  std::string title;
  std::vector<Section> sections;
};

// Consecutive charts share rows of a wide screen. A section whose parts are all empty
// (charts without values, empty texts) is left out.
std::string page_html(const Page& page);

// Writes the page, atomically.
void write_page(const std::string& path, const Page& page);

}  // namespace fathom
