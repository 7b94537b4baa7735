# fathom_embed(<folder> <name> FILE <path> [PACKAGE <Debian package>])
#
# Compiles a text file into the library fathom_<folder> as
# `extern const std::string_view <name>` of the namespace fathom::embedded, for
# pages that load nothing at run time. The C++ file is made again when the text
# changes. PACKAGE names what to install when the file is absent; FATHOM_EMBED_ROOT
# is where packages put their files.
set(FATHOM_EMBED_ROOT "/usr/share" CACHE PATH "Folder of the scripts that pages embed (javascript/, doc/)")
set(FATHOM_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_text.cmake)

function(fathom_embed folder name)
  cmake_parse_arguments(ARG "" "FILE;PACKAGE" "" ${ARGN})
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
            -P ${FATHOM_EMBED_SCRIPT}
    DEPENDS ${ARG_FILE} ${FATHOM_EMBED_SCRIPT})
  target_sources(fathom_${folder} PRIVATE ${output})
endfunction()
