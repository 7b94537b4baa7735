// The parts of a manual's page in troff's man macros.
#pragma once

#include <string>
#include <string_view>

namespace fathom::cli::troff {

// Text that troff shows as it is: backslashes, hyphens, quotes and letters beyond ASCII are
// escaped, and no line of it is taken for a request. UTF-8 in and ASCII out.
std::string escape(std::string_view text);
std::string bold(std::string_view text);    // escaped; the words to type
std::string italic(std::string_view text);  // escaped; the words to replace

std::string section(std::string_view title, std::string_view body);  // `body` is troff
std::string paragraph(std::string_view text);                        // escaped, filled
std::string item(std::string_view tag,
                 std::string_view text);       // `tag` is troff; the text is escaped
std::string example(std::string_view lines);   // escaped, each line as it is
std::string reference(std::string_view page);  // "fathom-train" as fathom-train(1)

}  // namespace fathom::cli::troff
