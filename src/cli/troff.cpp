#include "cli/troff.h"

#include <fmt/format.h>

#include <cstdint>

#include "text/utf8.h"

namespace fathom::cli::troff {

std::string escape(std::string_view text) {
  std::string out;
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    // A line that begins so would be a request.
    if ((*p == '.' || *p == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    const char32_t c = utf8::next(p);
    switch (c) {
      case U'\\':
        out += "\\e";
        break;
      case U'-':
        out += "\\-";
        break;  // the sign on the keyboard, not a hyphen
      case U'\'':
        out += "\\(aq";
        break;
      case U'`':
        out += "\\(ga";
        break;
      case U'^':
        out += "\\(ha";
        break;
      case U'~':
        out += "\\(ti";
        break;
      default:
        if (c < 0x80) {
          out += static_cast<char>(c);
        } else {
          out += fmt::format("\\[u{:04X}]", static_cast<std::uint32_t>(c));
        }
    }
  }
  return out;
}

std::string bold(std::string_view text) {
  return "\\fB" + escape(text) + "\\fR";
}

std::string italic(std::string_view text) {
  return "\\fI" + escape(text) + "\\fR";
}

std::string section(std::string_view title, std::string_view body) {
  // A section begins a paragraph by itself.
  if (body.starts_with(".PP\n")) body.remove_prefix(4);
  return fmt::format(".SH \"{}\"\n{}", title, body);
}

std::string paragraph(std::string_view text) {
  return ".PP\n" + escape(text) + "\n";
}

std::string item(std::string_view tag, std::string_view text) {
  return fmt::format(".TP\n{}\n{}\n", tag, text.empty() ? "\\&" : escape(text));
}

std::string example(std::string_view lines) {
  return ".PP\n.RS 4\n.nf\n" + escape(lines) + "\n.fi\n.RE\n";
}

std::string reference(std::string_view page) {
  return bold(page) + "(1)";
}

}  // namespace fathom::cli::troff
