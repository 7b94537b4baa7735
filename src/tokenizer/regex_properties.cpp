#include "tokenizer/regex_properties.h"

#include <array>
#include <cctype>
#include <utility>

namespace fathom::tokenizer {
namespace {

// General categories by their long names; the short ones ("lu") are found by
// the second column.
constexpr std::array<std::pair<std::string_view, std::string_view>, 38> categories = {{
    {"letter", "L"},
    {"casedletter", "L&"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"},
    {"modifierletter", "Lm"},
    {"otherletter", "Lo"},
    {"mark", "M"},
    {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},
    {"enclosingmark", "Me"},
    {"number", "N"},
    {"decimalnumber", "Nd"},
    {"letternumber", "Nl"},
    {"othernumber", "No"},
    {"punctuation", "P"},
    {"connectorpunctuation", "Pc"},
    {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"},
    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"},
    {"symbol", "S"},
    {"mathsymbol", "Sm"},
    {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},
    {"separator", "Z"},
    {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},
    {"paragraphseparator", "Zp"},
    {"other", "C"},
    {"control", "Cc"},
    {"format", "Cf"},
    {"privateuse", "Co"},
    {"unassigned", "Cn"},
    {"digit", "Nd"},
}};

// Sets that are one property in PCRE2, by the names of Oniguruma.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> single_properties = {{
    {"alpha", "Alphabetic"},
    {"alphabetic", "Alphabetic"},
    {"upper", "Uppercase"},
    {"uppercase", "Uppercase"},
    {"lower", "Lowercase"},
    {"lowercase", "Lowercase"},
    {"cntrl", "Cc"},
    {"emoji", "Emoji"},
    {"extendedpictographic", "Extended_Pictographic"},
    {"ideographic", "Ideographic"},
    {"xidstart", "XID_Start"},
    {"xidcontinue", "XID_Continue"},
}};

// Sets of several members.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> unions = {{
    {"space", space_members},
    {"whitespace", space_members},
    {"word", word_members},
    {"alnum", R"(\p{Alphabetic}\p{Nd})"},
    {"punct", R"(\p{P}\p{S})"},
    {"xdigit", hex_members},
    {"blank", R"(\p{Zs}\x09)"},
}};

std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == ' ' || c == '_' || c == '-') continue;
    plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

std::string category_of(const std::string& plain) {
  for (const auto& [name, category] : categories) {
    if (plain == name || plain == plain_name(category)) return std::string(category);
  }
  for (const auto& [name, property] : single_properties) {
    if (plain == name) return std::string(property);
  }
  return "";
}

}  // namespace

std::string property_members(std::string_view name, bool negated) {
  if (!name.empty() && name[0] == '^') return property_members(name.substr(1), !negated);
  const std::string plain = plain_name(name);
  for (const auto& [known, members] : unions) {
    if (plain != known) continue;
    if (!negated) return std::string(members);
    return members == space_members ? not_space_members : "";
  }
  std::string property = category_of(plain);
  // Anything else is a script. "sc:" excludes the script extensions, which PCRE2 includes
  // by default and Oniguruma does not.
  if (property.empty()) property = "sc:" + std::string(name);
  return (negated ? "\\P{" : "\\p{") + property + "}";
}

}  // namespace fathom::tokenizer
