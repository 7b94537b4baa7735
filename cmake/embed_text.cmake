# Writes OUTPUT, a C++ file that defines NAME as the bytes of INPUT; see
# FathomEmbed.cmake. Run with cmake -P. BINARY: INPUT may be no text.
if(BINARY)
  file(READ ${INPUT} bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" literal "${bytes}")
  set(literal "\"${literal}\"")
else()
  file(READ ${INPUT} text)
  # A page that is one file has no source maps to look for.
  string(REGEX REPLACE "/[/*]# sourceMappingURL=[^\n]*" "" text "${text}")
  set(delimiter "fathom_text")
  string(FIND "${text}" ")${delimiter}\"" position)
  if(NOT position EQUAL -1)
    message(FATAL_ERROR "${INPUT} contains the end of a C++ raw string, )${delimiter}\"")
  endif()
  set(literal "R\"${delimiter}(${text})${delimiter}\"")
endif()
file(WRITE ${OUTPUT} "#include <string_view>

namespace fathom::embedded {

extern const std::string_view ${NAME};
constexpr char ${NAME}_bytes[] = ${literal};
const std::string_view ${NAME}{${NAME}_bytes, sizeof(${NAME}_bytes) - 1};

}  // namespace fathom::embedded
")
