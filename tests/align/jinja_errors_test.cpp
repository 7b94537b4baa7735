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

// Each kind of failure says what was wrong, by the types of the values.
TEST(JinjaErrors, MessagesNameTheTypesOfTheValues) {
  for (const auto& [expression, message] : std::vector<std::pair<std::string, std::string>>{
           {"1 / 0", "division by zero"},
           {"1 // 0", "division by zero"},
           {"1 % 0", "division by zero"},
           {"1.0 / 0", "division by zero"},
           {"1 // 0.0", "division by zero"},
           {"1.5 % 0", "division by zero"},
           {"0 ** -1", "0 can't be raised to a negative power"},
           {"0.0 ** -1", "0 can't be raised to a negative power"},
           {"10.0 ** 400", "the result of ** is too large"},
           {"(-8) ** 0.5", "a root of a negative number: complex numbers are not supported"},
           {"9223372036854775807 + 1", "an integer does not fit into 64 bits"},
           {"-9223372036854775807 - 2", "an integer does not fit into 64 bits"},
           {"3037000500 * 3037000500", "an integer does not fit into 64 bits"},
           {"2 ** 63", "an integer does not fit into 64 bits"},
           {"(-9223372036854775807 - 1) // -1", "an integer does not fit into 64 bits"},
           {"-(-9223372036854775807 - 1)", "an integer does not fit into 64 bits"},
           {"-'a'", "operator - is not defined for str"},
           {"[1] + (1,)", "operator + is not defined for list and tuple"},
           {"'a' - 1", "operator - is not defined for str and int"},
           {"'a' * 1.5", "operator * is not defined for str and float"},
           {"none / 1", "operator / is not defined for NoneType and int"},
           {"[] // 1", "operator // is not defined for list and int"},
           {"[] % 1", "operator % is not defined for list and int"},
           {"{} ** 1", "operator ** is not defined for dict and int"},
           {"1 < 'a'", "operator < is not defined for int and str"},
           {"[1] < (1,)", "operator < is not defined for list and tuple"},
           {"1 in 'a'", "'in <str>' wants a str on its left, not int"},
           {"[] in {}", "a list can't be a key"},
           {"1 in 2", "a int can't be iterated over"},
           {"{[]: 1}", "a list can't be a key of a dictionary"},
           {"{({},): 1}", "a tuple can't be a key of a dictionary"},
           {"{}.get([])", "a list can't be a key"},
           {"1()", "a int can't be called"},
           {"none()", "a NoneType can't be called"},
           {"x()", "'x' is undefined"},
           {"range(1.5)", "range() wants integers, not float"},
           {"range(x)", "'x' is undefined"},
           {"range(1, 2, 0)", "range(): the step is 0"},
           {"dict([1])", "a int can't be iterated over"},
           {"dict([(1,)])", "dict() wants pairs of a key and a value"},
           {"dict(1, 2)", "dict() takes at most 1 argument"},
           {"dict(x)", "'x' is undefined"},
           {"namespace([(1, 2)])", "namespace(): a name must be a text"},
           {"strftime_now(none)", "strftime_now() wants a format"},
           {"range(2)|tojson", "tojson: a range has no form in JSON"},
           {"range|tojson", "tojson: a function has no form in JSON"},
           {"x|tojson", "'x' is undefined"},
           {"{(1,): 2}|tojson", "tojson: a tuple can't be a key in JSON"},
           {"1|tojson(indent=1001)", "tojson: an indent of 1001 is too wide"},
           {"1|tojson(separators=',')", "tojson: separators must be two texts"},
           {"1|tojson(separators=[',', ':', ';'])", "tojson: separators must be two texts"},
           {"1|tojson(separators=[',', 1])", "tojson: separators must be two texts"},
           {"'%d' % 'x'", "the format %d wants an integer, not str"},
           {"'%x' % 1.5", "the format %x wants an integer, not float"},
           {"'%f' % 'x'", "the format %f wants a number, not str"},
           {"'%d' % 1e300", "1e+300 does not fit into a 64-bit integer"},
           {"'%q' % 1", "the format %q is not supported: %s, %r, %d, %x, %o, %e, %f and %g are"},
           {"'%5' % 1", "the format '%5' ends within a field"},
           {"'%s %s' % 1", "the format has more fields than values"},
           {"'%s' % (1, 2)", "the format has fewer fields than values"},
           {"'{:5}'.format(1.5)", "the format of a float wants a type, such as ':.2f'"},
           {"'{:.2d}'.format(1)", "the format of an integer has no precision"},
           {"'{:.2}'.format(1)", "the format of an integer has no precision"},
           {"'{:d}'.format('a')", "the format ':d' is not supported for str"},
           {"'}'.format(1)", "format(): a single '}' in '}'"},
           {"'{:5d5}'.format(1)", "format(): '{:5d5}' is not understood"},
           {"'{a}'.format(1)", "format(): there is no argument for the field 'a'"},
           {"'{1}'.format(1)", "format(): there is no argument for the field '1'"},
           {"'{'.format(1)", "the format '{' ends within a field"},
           {"1|length", "a int has no length"},
           {"[]|map('upper')|length", "a generator has no length"},
           {"[]|map('upper')|last", "last wants a list: put |list before it"},
           {"[]|items", "items wants a dict, not list"},
           {"[]|dictsort", "dictsort wants a dict, not list"},
           {"x|dictsort", "'x' is undefined"},
           {"{}|dictsort(by='x')", "dictsort: sorted by 'key' or by 'value'"},
           {"[[1]]|unique|list", "unique: a list can't be compared"},
           {"['a']|sum", "operator + is not defined for int and str"},
           {"[]|sum(start='')", "sum: texts are joined by the filter join"},
           {"[1]|batch(0)", "batch: the size must be at least 1"},
           {"'a'['x':]", "a slice wants integers or none, not str"},
           {"'a'[x:]", "'x' is undefined"},
           {"'a'[::0]", "the step of a slice is 0"},
           {"1 is sameas 1", "sameas is supported for none, true and false alone"},
           {"1|indent", "indent wants a text, not int"},
           {"x|indent", "'x' is undefined"},
           {"1|round(method='x')", "round: the method must be common, ceil or floor"},
           {"1.5|round(301)", "round: the precision is too large"},
           {"1.5|round(-301)", "round: the precision is too large"},
           {"15|round(-1)", "round: integers keep their digits before the point"},
           {"'a'|round", "round wants a number, not str"},
           {"'a'|abs", "abs wants a number, not str"},
           {"'1'|int(base=16)", "int: bases other than 10 are not supported"},
           {"1e300|int", "int: 1e+300 does not fit into 64 bits"},
           {"'99999999999999999999'|int", "the number 99999999999999999999 is too large"},
           {"'a'|format(x=1)", "format: arguments with names are not supported"},
           {"'a'.split('')", "split(): the separator is empty"},
           {"'a'.rpartition('')", "partition(): the separator is empty"},
           {"'a'.startswith((1,))", "the affixes must be texts, not int"},
           {"'a'.endswith(['a'])",
            "startswith() and endswith() want a text or a tuple of texts, not list"},
           {"','.join([1])", "join() wants texts, not int"},
           {"','.join(1)", "a int can't be iterated over"},
           {"'a'.replace(none, 'b')", "the argument must be a text, not None"},
           {"'a'.find(1)", "find(): the argument 'sub' must be a text, not int"},
           {"'a'.index('b')", "index(): the text is not found"},
           {"'a'.split(1)", "split(): the argument 'sep' must be a text, not int"},
           {"'a'.split('b', 'c')", "split(): the argument 'maxsplit' must be an integer, not str"},
           {"'a'.split(maxsplit=x)", "'x' is undefined"},
           {"[1].index(2)", "index(): the value is not in the list"},
           {"(1,).index(2)", "index(): the value is not in the tuple"},
           {"'a'.upper(1)", "a method without arguments() takes at most 0 arguments, not 1"},
           {"{}.get()", "get() needs the argument 'key'"},
           {"{}.get(1, 2, 3)", "get() takes at most 2 arguments, not 3"},
           {"1.5.bit_length", "the method 'bit_length' of float is not supported"},
           {"{}.pop('a')", "the method 'pop' would change a dict, which templates may not"}}) {
    EXPECT_EQ(render_error("{{ " + expression + " }}"), "t, line 1: " + message) << expression;
  }
}

TEST(JinjaErrors, StatementsNameWhatTheyCannotDo) {
  for (const auto& [source, message] : std::vector<std::pair<std::string, std::string>>{
           {"{% set x.a = 1 %}", "'x' is undefined"},
           {"{% set d = {} %}{% set d.a = 1 %}",
            "'d' is a dict: only attributes of a namespace can be set"},
           {"{% set n = namespace() %}{% set n._a = 1 %}",
            "namespace attribute '_a': names that begin with '_' are not allowed"},
           {"{% for x in 1 %}{% endfor %}", "a int can't be iterated over"},
           {"{% for x in [1] %}{{ loop.cycle() }}{% endfor %}", "cycle() wants values"},
           {"{% for x in [1] %}{{ loop.changed(1) }}{% endfor %}", "loop.changed is not supported"},
           {"{% for x in [1] %}{{ loop }}{% endfor %}", "a loop can't be turned into text"},
           {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "m() takes at most 1 arguments, not 2"},
           {"{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}",
            "m(): the argument 'a' is given twice"},
           {"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "m() has no argument 'b'"},
           {"{% macro m(a) %}{{ a.b }}{% endmacro %}{{ m() }}",
            "m(): the argument 'a' is not given"},
           {"{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "'caller' is undefined"}}) {
    EXPECT_EQ(render_error(source), "t, line 1: " + message) << source;
  }
}

TEST(JinjaErrors, SourcesThatEndTooEarlyAreNamed) {
  const std::string where = "chat_template.jinja, line 1: ";
  for (const auto& [source, message] : std::vector<std::pair<std::string, std::string>>{
           {"{# a", "a comment {# is not closed by #}"},
           {"{% raw %}a", "{% raw %} is not closed by {% endraw %}"},
           {"{{ 'a", "a text is not closed by '"},
           {"{{ \"a'", "a text is not closed by \""},
           {"{{ 'a\\'", "a text is not closed by '"},
           {"{% if a", "the template ends within a tag: %} is missing"},
           {"{{ 01 }}", "the integer 01 begins with a zero"},
           {"{{ 1e999 }}", "the number 1e999 is too large"},
           {"{{ 9223372036854775808 }}", "the number 9223372036854775808 is too large"},
           {"{{ a ? b }}", "'?' is not part of the template language"},
           {"{{ é }}", "'é' is not part of the template language"},
           {"{{ [1) }}", "')' closes no bracket"},
           {"{{ ) }}", "')' closes no bracket"},
           {"{{ a[] }}", "a subscript is empty"},
           {"{{ a[1, 2] }}", "subscripts of several parts are not supported"},
           {"{{ a is odd is even }}", "tests can't be chained with 'is'"},
           {"{{ f(a=1, 2) }}",
            "an argument without a name follows one with a name or one with '*'"},
           {"{{ }}", "expected an expression, found '}}'"},
           {"{{ 1 + }}", "expected an expression, found '}}'"},
           {"{% set %}", "expected a name, found '%}'"},
           {"{% if a }}", "'}' closes no bracket"},
           {"{{ {'a' 1} }}", "expected ':', found a number"}}) {
    EXPECT_EQ(parse_error(source), where + message) << source;
  }
}

}  // namespace
}  // namespace fathom
