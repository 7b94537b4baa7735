// Values in a template's output as Python writes them: str() and repr() of CPython 3.11.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "align/jinja/template.h"
#include "text/utf8.h"

namespace fathom {
namespace {

std::string rendered_list_of(const std::string& text) {
  const nlohmann::ordered_json variables = {{"x", {text}}};
  return JinjaTemplate::parse("{{ x }}", "t").render(variables, {}).text;
}

std::string rendered_value(const std::string& expression) {
  return JinjaTemplate::parse("{{ " + expression + " }}", "t")
      .render(nlohmann::ordered_json::object(), {})
      .text;
}

TEST(JinjaRepr, CharactersThatAreNotPrintedAreEscaped) {
  struct Row {
    char32_t character;
    const char* repr;  // empty: the character itself
  };
  for (const auto& [character, repr] : std::vector<Row>{{0x01, R"(\x01)"},
                                                        {0x09, R"(\t)"},
                                                        {0x0a, R"(\n)"},
                                                        {0x0d, R"(\r)"},
                                                        {0x1f, R"(\x1f)"},
                                                        {0x20, ""},
                                                        {0x5c, R"(\\)"},
                                                        {0x7e, ""},
                                                        {0x7f, R"(\x7f)"},
                                                        {0x9f, R"(\x9f)"},
                                                        {0xa0, R"(\xa0)"},
                                                        {0xa1, ""},
                                                        {0xad, R"(\xad)"},
                                                        {0xff, ""},
                                                        {0x100, ""},
                                                        {0x378, R"(\u0378)"},
                                                        {0x2028, R"(\u2028)"},
                                                        {0x2029, R"(\u2029)"},
                                                        {0x3000, R"(\u3000)"},
                                                        {0xe000, R"(\ue000)"},
                                                        {0xfeff, R"(\ufeff)"},
                                                        {0xffff, R"(\uffff)"},
                                                        {0x10000, ""},
                                                        {0x1000c, R"(\U0001000c)"},
                                                        {0x1f600, ""},
                                                        {0xe0001, R"(\U000e0001)"},
                                                        {0x10ffff, R"(\U0010ffff)"}}) {
    std::string text;
    utf8::append(text, character);
    const std::string expected = *repr ? repr : text;
    EXPECT_EQ(rendered_list_of(text), "['" + expected + "']")
        << static_cast<std::uint32_t>(character);
  }
}

TEST(JinjaRepr, QuotesAreChosenAsInPython) {
  EXPECT_EQ(rendered_list_of("it's"), R"(["it's"])");
  EXPECT_EQ(rendered_list_of(R"(a"b)"), R"(['a"b'])");
  EXPECT_EQ(rendered_list_of(R"(it's "x")"), R"(['it\'s "x"'])");
}

TEST(JinjaRepr, ListsHaveCommasBetweenTheirItems) {
  for (const auto& [expression, expected] :
       {std::pair("[]", "[]"),
        {"[1]", "[1]"},
        {"[1, 2, 3]", "[1, 2, 3]"},
        {"()", "()"},
        {"(1,)", "(1,)"},
        {"(1, 2)", "(1, 2)"},
        {"{}", "{}"},
        {"{'a': 1}", "{'a': 1}"},
        {"{'a': [1, {'b': none}], 'c': (true,)}", "{'a': [1, {'b': None}], 'c': (True,)}"}}) {
    EXPECT_EQ(rendered_value(expression), expected);
  }
}

TEST(JinjaRepr, RealNumbersHaveAnExponentWhereTheyAreLong) {
  for (const auto& [expression, expected] : {std::pair("1.0", "1.0"),
                                             {"-0.0", "-0.0"},
                                             {"0.1 + 0.2", "0.30000000000000004"},
                                             {"1e15", "1000000000000000.0"},
                                             {"9999999999999998.0", "9999999999999998.0"},
                                             {"1e16", "1e+16"},
                                             {"-1e16", "-1e+16"},
                                             {"1e22", "1e+22"},
                                             {"1.5e300", "1.5e+300"},
                                             {"123456789012345680.0", "1.2345678901234568e+17"},
                                             {"0.0001", "0.0001"},
                                             {"0.00012345", "0.00012345"},
                                             {"0.00001", "1e-05"},
                                             {"1e300 * 1e10", "inf"},
                                             {"-1e300 * 1e10", "-inf"}}) {
    EXPECT_EQ(rendered_value(expression), expected) << expression;
  }
}

}  // namespace
}  // namespace fathom
