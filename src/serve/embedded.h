// The files of the web pages, which CMake compiles into the library (cmake/FathomEmbed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace fathom::embedded {

struct EmbeddedFile {
  std::string_view name;          // without folders
  const std::string_view* bytes;  // set before main(), after this table
};

extern const std::span<const EmbeddedFile> web_files;                      // ours
extern const std::span<const EmbeddedFile> marked_files, highlight_files;  // Debian's
extern const std::span<const EmbeddedFile> katex_files, katex_fonts;       // Debian's
extern const std::string_view marked_licence, highlight_licence, katex_licence;

}  // namespace fathom::embedded
