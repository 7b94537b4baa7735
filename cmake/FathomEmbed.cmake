# Compiles files into libraries, for pages that load nothing from elsewhere.
#
# fathom_embed(<folder> <name> FILE <path> [PACKAGE <Debian package>] [BINARY])
#   The file's bytes become `extern const std::string_view <name>` of the namespace
#   fathom::embedded in the library fathom_<folder>. The C++ file is made again when the
#   file changes. PACKAGE names what to install when the file is absent; the path is then
#   relative to FATHOM_EMBED_ROOT, where packages put their files. BINARY: it may be no text.
#
# fathom_embed_table(<folder> <table> FILES <path> ... [PACKAGE <Debian package>] [BINARY])
#   The files become `extern const std::span<const EmbeddedFile> <table>`: their names
#   without folders, and their bytes (serve/embedded.h).
set(FATHOM_EMBED_ROOT "/usr/share" CACHE PATH "Folder of the files that pages embed (javascript/, doc/)")
set(FATHOM_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_text.cmake)

function(fathom_embed folder name)
  cmake_parse_arguments(ARG "BINARY" "FILE;PACKAGE" "" ${ARGN})
  if(ARG_PACKAGE)
    cmake_path(ABSOLUTE_PATH ARG_FILE BASE_DIRECTORY ${FATHOM_EMBED_ROOT})
  else()
    cmake_path(ABSOLUTE_PATH ARG_FILE BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  if(NOT EXISTS ${ARG_FILE})
    message(FATAL_ERROR "${ARG_FILE} is missing, and Fathom's pages embed it: install the package "
      "${ARG_PACKAGE} (scripts/setup does), or set FATHOM_EMBED_ROOT to the folder that holds it.")
  endif()
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D INPUT=${ARG_FILE} -D OUTPUT=${output} -D NAME=${name}
            -D BINARY=${ARG_BINARY} -P ${FATHOM_EMBED_SCRIPT}
    DEPENDS ${ARG_FILE} ${FATHOM_EMBED_SCRIPT})
  target_sources(fathom_${folder} PRIVATE ${output})
endfunction()

function(fathom_embed_table folder table)
  cmake_parse_arguments(ARG "BINARY" "PACKAGE" "FILES" ${ARGN})
  set(options "")
  if(ARG_PACKAGE)
    list(APPEND options PACKAGE ${ARG_PACKAGE})
  endif()
  if(ARG_BINARY)
    list(APPEND options BINARY)
  endif()
  set(declarations "")
  set(rows "")
  foreach(file ${ARG_FILES})
    cmake_path(GET file FILENAME file_name)
    string(MAKE_C_IDENTIFIER "${table}_${file_name}" name)
    fathom_embed(${folder} ${name} FILE ${file} ${options})
    string(APPEND declarations "extern const std::string_view ${name};\n")
    string(APPEND rows "    {\"${file_name}\", &${name}},\n")
  endforeach()
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${table}.cpp)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
#include "@folder@/embedded.h"

namespace fathom::embedded {

@declarations@
static constexpr EmbeddedFile @table@_rows[] = {
@rows@};
extern const std::span<const EmbeddedFile> @table@;
constinit const std::span<const EmbeddedFile> @table@{@table@_rows};

}  // namespace fathom::embedded
]])
  target_sources(fathom_${folder} PRIVATE ${output})
endfunction()
