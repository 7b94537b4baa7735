# Writes OUTPUT, a C++ file that defines NAME as the text of INPUT; see
# FathomEmbed.cmake. Run with cmake -P.
file(READ ${INPUT} text)
# A page that is one file has no source maps to look for.
string(REGEX REPLACE "/[/*]# sourceMappingURL=[^\n]*" "" text "${text}")
set(delimiter "fathom_text")
string(FIND "${text}" ")${delimiter}\"" position)
if(NOT position EQUAL -1)
  message(FATAL_ERROR "${INPUT} contains the end of a C++ raw string, )${delimiter}\"")
endif()
file(WRITE ${OUTPUT} "#include <string_view>

namespace fathom::embedded {

extern const std::string_view ${NAME};
constexpr std::string_view ${NAME}_text = R\"${delimiter}(${text})${delimiter}\";
const std::string_view ${NAME} = ${NAME}_text;

}  // namespace fathom::embedded
")
