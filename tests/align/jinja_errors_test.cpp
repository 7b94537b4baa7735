// What the interpreter refuses, by line and name, and what its own interface promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "align/jinja/template.h"
#include "core/error.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::string parse_error(const std::string& source) {
  try {
    JinjaTemplate::parse(source, "chat_template.jinja");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

std::string render_error(const std::string& source, const Json& variables = Json::object()) {
  try {
    JinjaTemplate::parse(source, "t").render(variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

std::string rendered(const std::string& source, const Json& variables = Json::object()) {
  return JinjaTemplate::parse(source, "t").render(variables).text;
}

TEST(JinjaErrors, UnknownConstructsAreRefusedWhenParsed) {
  const auto at_line_3 = [](const std::string& tag) { return parse_error("\n{# \n #}" + tag); };
  const std::string where = "chat_template.jinja, line 3: ";
  EXPECT_EQ(at_line_3("{% include 'a' %}"), where + "the statement 'include' is not supported");
  EXPECT_EQ(at_line_3("{% do x.y() %}"), where + "the statement 'do' is not supported");
  EXPECT_EQ(at_line_3("{{ x|wordcount }}"), where + "the filter 'wordcount' is not known");
  EXPECT_EQ(at_line_3("{{ x is prime }}"), where + "the test 'prime' is not known");
  EXPECT_EQ(at_line_3("{% for x in y recursive %}{% endfor %}"),
            where + "recursive loops are not supported");
  EXPECT_EQ(at_line_3("{{ f(**x) }}"),
            where + "arguments that are unpacked with '**' are not supported");
  EXPECT_EQ(at_line_3("{% macro m() %}{{ varargs }}{% endmacro %}"),
            where + "the variable 'varargs' of macros is not supported");
  EXPECT_EQ(at_line_3("{{ 0x1f }}"), where + "integers are written in decimal digits here");
}

TEST(JinjaErrors, SyntaxErrorsNameTheLine) {
  EXPECT_EQ(parse_error("a\n{% if x %}\nb"),
            "chat_template.jinja, line 3: the template ends, but {% endif %} is missing");
  EXPECT_EQ(parse_error("\n{{ 'a\nb\n' c }}"),
            "chat_template.jinja, line 4: expected '}}', found 'c'");
  EXPECT_EQ(parse_error("\n{{ (1 }}"), "chat_template.jinja, line 2: '}' closes no bracket");
  EXPECT_EQ(parse_error("{{ x"),
            "chat_template.jinja, line 1: the template ends within a tag: }} is missing");
  EXPECT_EQ(parse_error("\n\n{% endfor %}"),
            "chat_template.jinja, line 3: 'endfor' has nothing to end here");
  EXPECT_THAT(parse_error("a\xff"), HasSubstr("is not valid UTF-8 (at byte 2)"));
}

TEST(JinjaErrors, LineEndsOfAnySystemAreOneLine) {
  EXPECT_EQ(rendered("a\r\nb\rc\n\rd\r\r\n"), "a\nb\nc\n\nd\n");
  EXPECT_EQ(rendered("a\r"), "a");
  EXPECT_EQ(rendered("a\r\n"), "a");
  EXPECT_EQ(parse_error("\r\n\r{% endfor %}"),
            "chat_template.jinja, line 3: 'endfor' has nothing to end here");
}

TEST(JinjaErrors, FailuresNameTheLineOfTheTemplate) {
  EXPECT_EQ(render_error("{% if true %}\n\n{{ x.y }}{% endif %}"), "t, line 3: 'x' is undefined");
  EXPECT_EQ(render_error("\n{{ 1 +\n 'a' }}"),
            "t, line 2: operator + is not defined for int and str");
  EXPECT_EQ(render_error("{% macro m(a) %}\n{{ a + 1 }}{% endmacro %}\n{{ m('x') }}"),
            "t, line 2: operator + is not defined for str and int");
  EXPECT_EQ(render_error("{{ d.x.y }}", {{"d", Json::object()}}),
            "t, line 1: 'dict' has no attribute 'x'");
  EXPECT_EQ(render_error("\n{{ raise_exception('Only user and assistant roles!') }}"),
            "t, line 2: Only user and assistant roles!");
}

TEST(JinjaErrors, MethodsOfPythonThatAreMissingAreRefused) {
  EXPECT_EQ(render_error("{{ 'a'.zfill(3) }}"),
            "t, line 1: the method 'zfill' of str is not supported");
  EXPECT_THAT(render_error("{{ [].append(1) }}"),
              HasSubstr("would change a list, which templates may not"));
  EXPECT_EQ(render_error("{{ [1]|batch(0) }}"), "t, line 1: batch: the size must be at least 1");
  EXPECT_THAT(render_error("{{ range(3) }}"), HasSubstr("a range can't be turned into text"));
  EXPECT_THAT(render_error("{{ [1]|map('string') }}"),
              HasSubstr("a generator can't be turned into text"));
}

// Text of the template is no markup: joined with markup, it is escaped.
TEST(JinjaErrors, LiteralsAreEscapedBesideMarkup) {
  EXPECT_EQ(rendered("{{ '<a>' + x|escape }}", {{"x", "<b>"}}), "&lt;a&gt;&lt;b&gt;");
  EXPECT_EQ(rendered("{{ x|escape + '<a>' }}", {{"x", "<b>"}}), "&lt;b&gt;&lt;a&gt;");
}

TEST(JinjaErrors, IntegersBeyond64BitsAreRefused) {
  EXPECT_THAT(render_error("{{ 9223372036854775807 + 1 }}"),
              HasSubstr("does not fit into 64 bits"));
  EXPECT_THAT(render_error("{{ 2 ** 63 }}"), HasSubstr("does not fit into 64 bits"));
  EXPECT_THAT(render_error("{{ (-9223372036854775807 - 1) // -1 }}"),
              HasSubstr("does not fit into 64 bits"));
  EXPECT_THAT(render_error("{{ -(-9223372036854775807 - 1) }}"),
              HasSubstr("does not fit into 64 bits"));
  EXPECT_THAT(render_error("{{ x }}", {{"x", 9223372036854775808ULL}}), HasSubstr("variable 'x'"));
  EXPECT_EQ(rendered("{{ 2 ** 62 }}"), "4611686018427387904");
  EXPECT_EQ(rendered("{{ x }}", {{"x", 9223372036854775807ULL}}), "9223372036854775807");
}

TEST(JinjaErrors, VariablesMustBeAnObjectOfValidText) {
  EXPECT_THAT(render_error("x", Json::array()), HasSubstr("must be a JSON object"));
  EXPECT_THAT(render_error("x", {{"a", {{"b", "\xff"}}}}),
              HasSubstr("variable 'a.b': the text is not valid UTF-8"));
  EXPECT_THAT(render_error("x", {{"a", {{"\xff", 1}}}}),
              HasSubstr("variable 'a': the text is not valid UTF-8"));
  Json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = Json::array({deep});
  EXPECT_THAT(render_error("x", {{"a", deep}}), HasSubstr("nested more than"));
}

TEST(JinjaErrors, TheTimeIsTheCallers) {
  EXPECT_THAT(render_error("{{ strftime_now('%d') }}"),
              HasSubstr("needs the time, and none is given"));
  EXPECT_THAT(render_error("{{ strftime_now('%f') }}"), HasSubstr("the time"));
}

TEST(JinjaErrors, NamespacesRefuseHiddenNames) {
  EXPECT_THAT(render_error("{% set ns = namespace() %}{% set ns._x = 1 %}"), HasSubstr("'_x'"));
  EXPECT_THAT(render_error("{{ namespace(_x=1) }}"), HasSubstr("'_x'"));
}

TEST(JinjaTemplate, RendersTwiceAlike) {
  const auto both =
      JinjaTemplate::parse("{% set x = l|map('string') %}{{ x|join }}{{ x|join }}", "t");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(both.render({{"l", {1, 2}}}).text, "12");
}

TEST(JinjaTemplate, KnowsWhetherGenerationIsMarked) {
  const auto marks = [](const char* source) {
    return JinjaTemplate::parse(source, "t").marks_generation();
  };
  EXPECT_FALSE(marks("{% if a %}generation{% endif %}"));
  EXPECT_TRUE(
      marks("{% if a %}{% else %}{% for x in y %}{% generation %}{% endgeneration %}{% endfor %}{% "
            "endif %}"));
}

}  // namespace
}  // namespace fathom
