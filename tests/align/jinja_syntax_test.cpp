// Statements and their forms as Jinja 3.1 reads them, and what it refuses; and filters that look at
// attributes. The results are Jinja's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "align/jinja/template.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::string output_of(const std::string& source, const Json& variables = Json::object()) {
  return JinjaTemplate::parse(source, "t").render(variables).text;
}
std::string syntax_error_of(const std::string& source) {
  return test::input_error_of([&] { JinjaTemplate::parse(source, "t"); });
}

TEST(JinjaSyntax, ParametersWithoutADefaultComeFirst) {
  EXPECT_EQ(
      output_of("{% macro m(a, b=1, c=2) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(7, c=9) }}"),
      "719");
  EXPECT_EQ(output_of("{% macro m() %}{{ caller(3) }}{% endmacro %}"
                      "{% call(a, b=1) m() %}{{ a }}{{ b }}{% endcall %}"),
            "31");
  const std::string follows =
      "t, line 1: the parameter 'c' without a default follows one with a default";
  EXPECT_EQ(syntax_error_of("{% macro m(a, b=1, c) %}{% endmacro %}"), follows);
  EXPECT_EQ(syntax_error_of("{% macro m(b=1, c) %}{% endmacro %}"), follows);
  EXPECT_EQ(syntax_error_of("{% call(a, b=1, c) m() %}{% endcall %}"), follows);
}

TEST(JinjaSyntax, NamesAreAssignedTo) {
  EXPECT_EQ(output_of("{% set a, b = 1, 2 %}{{ b }}{{ a }}"), "21");
  EXPECT_EQ(output_of("{% set (a, b), c = (1, 2), 3 %}{{ a }}{{ b }}{{ c }}"), "123");
  EXPECT_EQ(output_of("{% for a, b in [(1,2),(3,4)] %}{{ a }}{{ b }}{% endfor %}"), "1234");
  EXPECT_EQ(output_of("{% set ns = namespace(x=1) %}{% set ns.x = 2 %}{{ ns.x }}"), "2");
  EXPECT_EQ(output_of("{% with a=1, b=2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}"),
            "12False");
  EXPECT_EQ(output_of("{% with %}x{% endwith %}"), "x");
  for (const char* name : {"true", "false", "none", "True", "False", "None"}) {
    const std::string expected = "t, line 1: '" + std::string(name) + "' can't be assigned to";
    EXPECT_EQ(syntax_error_of("{% set " + std::string(name) + " = 1 %}"), expected);
    EXPECT_EQ(syntax_error_of("{% macro m(" + std::string(name) + ") %}{% endmacro %}"), expected);
    EXPECT_EQ(syntax_error_of("{% with " + std::string(name) + "=1 %}{% endwith %}"), expected);
    EXPECT_EQ(syntax_error_of("{% for " + std::string(name) + " in x %}{% endfor %}"), expected);
  }
  EXPECT_THAT(syntax_error_of("{% for ns.x in y %}{% endfor %}"), HasSubstr("expected 'in'"));
}

TEST(JinjaSyntax, BlocksMayBeTakenAsValues) {
  EXPECT_EQ(output_of("{% set a %}x{{ 1 }}{% endset %}{{ a }}"), "x1");
  EXPECT_EQ(output_of("{% set a | upper %}x{% endset %}{{ a }}"), "X");
  EXPECT_EQ(output_of("{% filter upper %}a{% endfilter %}b"), "Ab");
}

TEST(JinjaSyntax, BranchesAndLoops) {
  const std::string chain = "{% if x %}a{% elif y %}b{% else %}c{% endif %}";
  EXPECT_EQ(output_of(chain, {{"x", 1}}), "a");
  EXPECT_EQ(output_of(chain, {{"y", 1}}), "b");
  EXPECT_EQ(output_of(chain), "c");
  EXPECT_EQ(output_of("{% if x: %}a{% endif %}", {{"x", 1}}), "a");
  const std::string loop = "{% for x in l if x != 2 %}{{ x }}{% else %}none{% endfor %}";
  EXPECT_EQ(output_of(loop, {{"l", {1, 2, 3}}}), "13");
  EXPECT_EQ(output_of(loop, {{"l", {2}}}), "none");
  EXPECT_EQ(output_of("{% for x in [1,2,3,4] %}{% if x == 2 %}{% continue %}{% elif x == 4 %}"
                      "{% break %}{% endif %}{{ x }}{% endfor %}"),
            "13");
}

TEST(JinjaSyntax, BreakIsOfALoopInItsOwnScope) {
  for (const std::string name : {"break", "continue"}) {
    const std::string tag = "{% " + name + " %}";
    const std::string outside = "t, line 1: '" + name + "' is outside of a loop";
    EXPECT_EQ(syntax_error_of(tag), outside);
    EXPECT_EQ(syntax_error_of("{% for x in y %}{% endfor %}" + tag), outside);
    EXPECT_EQ(syntax_error_of("{% for x in y %}{% else %}" + tag + "{% endfor %}"), outside);
    EXPECT_EQ(
        syntax_error_of("{% for x in y %}{% macro m() %}" + tag + "{% endmacro %}{% endfor %}"),
        outside);
    EXPECT_EQ(syntax_error_of("{% for x in y %}{% set a %}" + tag + "{% endset %}{% endfor %}"),
              outside);
    EXPECT_EQ(
        syntax_error_of("{% for x in y %}{% macro m() %}{% endmacro %}" + tag + "{% endfor %}"),
        "no error");
    EXPECT_EQ(syntax_error_of("{% for x in y %}{% with %}" + tag + "{% endwith %}{% endfor %}"),
              "no error");
  }
}

TEST(JinjaSyntax, WhatIsNoStatementIsNamed) {
  EXPECT_THAT(syntax_error_of("{% 1 %}"), HasSubstr("expected the name of a statement, found"));
  EXPECT_THAT(syntax_error_of("\n{% call 1 %}{% endcall %}"),
              HasSubstr("t, line 2: the statement 'call' wants the call of a macro"));
  EXPECT_THAT(syntax_error_of("{% for x of y %}{% endfor %}"),
              HasSubstr("expected 'in', found 'of'"));
  EXPECT_THAT(syntax_error_of("{% for in y %}{% endfor %}"),
              HasSubstr("expected a name, found 'in'"));
  EXPECT_THAT(syntax_error_of("{% macro m(a b) %}{% endmacro %}"), HasSubstr("found 'b'"));
  EXPECT_THAT(syntax_error_of("{% with a 1 %}{% endwith %}"), HasSubstr("'='"));
  EXPECT_THAT(syntax_error_of("{% if a %}{% elif b %}"), HasSubstr("{% endif %} is missing"));
  EXPECT_THAT(syntax_error_of("{% for a in b %}{% else %}"), HasSubstr("{% endfor %} is missing"));
}

TEST(JinjaSyntax, OnlyBlocksThatAreNestedCount) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "{% if a %}";
    for (int i = 0; i < depth; ++i) text += "{% endif %}";
    return text;
  };
  EXPECT_EQ(syntax_error_of(nested(99)), "no error");
  EXPECT_THAT(syntax_error_of(nested(100)), HasSubstr("statements are nested more than 100 deep"));
  EXPECT_EQ(syntax_error_of(nested(99) + nested(99)), "no error") << "one after the other";
  const auto branches = [](int count) {
    std::string text = "{% if a %}";
    for (int i = 0; i < count; ++i) text += "{% elif b %}";
    return text + "{% endif %}";
  };
  EXPECT_EQ(syntax_error_of(branches(500) + branches(500)), "no error");
  EXPECT_THAT(syntax_error_of(branches(501)), HasSubstr("an if has more than 500 branches"));
}

TEST(JinjaSyntax, SourcesMayHaveFourMebibytes) {
  const std::string most(std::size_t{4} << 20, 'a');
  EXPECT_EQ(output_of(most).size(), most.size());
  EXPECT_EQ(syntax_error_of(most + "a"),
            "t: the template has 4194305 bytes; at most 4 MiB are read");
}

TEST(JinjaSyntax, GenerationIsMarkedInAnyBranch) {
  const auto marks = [](const std::string& source) {
    return JinjaTemplate::parse(source, "t").marks_generation();
  };
  const std::string generation = "{% generation %}x{% endgeneration %}";
  EXPECT_TRUE(marks(generation));
  EXPECT_TRUE(marks("{% if a %}" + generation + "{% else %}{% endif %}"));
  EXPECT_TRUE(marks("{% if a %}{% elif b %}{% else %}" + generation + "{% endif %}"));
  EXPECT_TRUE(marks("{% for a in b %}{% else %}" + generation + "{% endfor %}"));
  EXPECT_TRUE(marks("{% macro m() %}" + generation + "{% endmacro %}"));
  EXPECT_FALSE(marks("{% if a %}{% else %}{% endif %}"));
}

const Json lettered = Json::parse(R"([{"w": "b", "n": 1}, {"w": "A", "n": 2}, {"w": "a", "n": 3},
                                   {"w": "B", "n": 4}])");
const Json with_x = Json::parse(R"([{"x": 1, "9x": "n", "": 7}, {"x": 2, "9x": "m"}, {"x": 0}])");

// Text of digits alone is an index, of any digits.
TEST(JinjaAttributes, DigitsAreIndices) {
  const Json pairs = Json::parse(R"([["b", 2], ["a", 1], ["c", 3]])");
  const Json rows = Json::parse("[[11,10,9,8,7,6,5,4,3,2,1],[0,1,2,3,4,5,6,7,8,9,10]]");
  EXPECT_EQ(output_of("{{ p|map(attribute='0')|join }}", {{"p", pairs}}), "bac");
  EXPECT_EQ(output_of("{{ p|map(attribute=1)|join }}", {{"p", pairs}}), "213");
  EXPECT_EQ(output_of("{{ p|sort(attribute='1')|map(attribute='0')|join }}", {{"p", pairs}}),
            "abc");
  EXPECT_EQ(output_of("{{ r|map(attribute='10')|join(',') }}", {{"r", rows}}), "1,10");
  EXPECT_EQ(output_of("{{ r|map(attribute='9')|join(',') }}", {{"r", rows}}), "2,9");
  EXPECT_EQ(output_of("{{ r|sort(attribute='10')|map('first')|join(',') }}", {{"r", rows}}),
            "11,0");
  EXPECT_EQ(output_of("{{ n|map(attribute='9x', default='-')|join }}", {{"n", with_x}}), "nm-");
  EXPECT_EQ(output_of("{{ w|map(attribute='w.0')|join }}", {{"w", lettered}}), "bAaB");
}

TEST(JinjaAttributes, PathsHaveDefaults) {
  const Json deep = Json::parse(R"([{"k": [{"v": 1}]}, {"k": [{"v": 2}]}])");
  EXPECT_EQ(output_of("{{ d|map(attribute='k.0.v')|join }}", {{"d", deep}}), "12");
  EXPECT_EQ(output_of("{{ d|map(attribute='k.9.v', default='-')|join }}", {{"d", deep}}), "--");
  EXPECT_EQ(output_of("{{ []|map(attribute='x')|list }}"), "[]");
}

TEST(JinjaAttributes, SelectAndRejectTest) {
  EXPECT_EQ(output_of("{{ [0,1,2,'']|select|join }}"), "12");
  EXPECT_EQ(output_of("{{ [0,1,'',2]|reject|list }}"), "[0, '']");
  EXPECT_EQ(output_of("{{ [0,1,2]|select('odd')|join }}{{ [0,1,2]|reject('odd')|join }}"), "102");
  EXPECT_EQ(output_of("{{ n|selectattr('x')|map(attribute='x')|join }}", {{"n", with_x}}), "12");
  EXPECT_EQ(output_of("{{ n|rejectattr('x')|map(attribute='x')|join }}", {{"n", with_x}}), "0");
  EXPECT_EQ(output_of("{{ n|selectattr('x', 'equalto', 1)|list|length }}", {{"n", with_x}}), "1");
  EXPECT_EQ(output_of("{{ n|rejectattr('x', 'gt', 1)|map(attribute='x')|join }}", {{"n", with_x}}),
            "10");
  const auto failure = [](const std::string& source) {
    return test::input_error_of([&] { output_of(source); });
  };
  EXPECT_THAT(failure("{{ [1]|selectattr()|list }}"),
              HasSubstr("name of the attribute is missing"));
  EXPECT_THAT(failure("{{ [1]|select('prime')|list }}"),
              HasSubstr("the test 'prime' is not known"));
  EXPECT_THAT(failure("{{ [1]|map('prime')|list }}"), HasSubstr("the filter 'prime' is not known"));
  EXPECT_THAT(failure("{{ [1]|map(1)|list }}"), HasSubstr("map: the name must be a text"));
}

TEST(JinjaAttributes, MapAppliesFiltersWithTheirArguments) {
  EXPECT_EQ(output_of("{{ ['a','B']|map('upper')|join }}"), "AB");
  EXPECT_EQ(
      output_of("{{ w|map(attribute='w')|map('replace', 'a', 'x')|join }}", {{"w", lettered}}),
      "bAxB");
}

TEST(JinjaAttributes, GroupsAreInTheOrderOfTheirKeys) {
  const auto groups = [](const std::string& arguments) {
    return output_of("{% for k, g in w|groupby(" + arguments +
                         ") %}{{ k }}:{{ g|map(attribute='n')|join }};{% endfor %}",
                     {{"w", lettered}});
  };
  EXPECT_EQ(groups("'w'"), "A:23;b:14;");
  EXPECT_EQ(groups("'w', case_sensitive=true"), "A:2;B:4;a:3;b:1;");
  EXPECT_EQ(groups("'z', default='none'"), "none:1234;");
}

// Surrogates are no characters, and none is beyond U+10FFFF.
TEST(JinjaSyntax, EscapesAreCharacters) {
  for (const auto& [escape, text] : {std::pair(R"(\ud7ff)", "\xed\x9f\xbf"),
                                     {R"(\ue000)", "\xee\x80\x80"},
                                     {R"(\uffff)", "\xef\xbf\xbf"},
                                     {R"(\U00010000)", "\xf0\x90\x80\x80"},
                                     {R"(\U0010ffff)", "\xf4\x8f\xbf\xbf"},
                                     {R"(\x7f)", "\x7f"},
                                     {R"(\x80)", "\xc2\x80"},
                                     {R"(\177)", "\x7f"},
                                     {R"(\777)", "\xc7\xbf"},
                                     {R"(\uABcd)", "\xea\xaf\x8d"}}) {
    EXPECT_EQ(output_of("{{ '" + std::string(escape) + "' }}"), text) << escape;
  }
  for (const char* escape :
       {R"(\ud800)", R"(\udfff)", R"(\U0000d800)", R"(\U00110000)", R"(\Uffffffff)", R"(\x1)",
        R"(\u12g4)", R"(\u+123)", R"(\x-1)", R"(\N{DASH})"}) {
    EXPECT_EQ(syntax_error_of("{{ '" + std::string(escape) + "' }}"),
              "t, line 1: a text has an escape sequence that Python refuses")
        << escape;
  }
}

TEST(JinjaSyntax, UnpackingWantsAsManyValues) {
  const auto failure = [](const std::string& source) {
    return test::input_error_of([&] { output_of(source); });
  };
  for (const auto& [values, count] :
       {std::pair("[1]", 1), {"[1, 2, 3]", 3}, {"[]", 0}, {"''", 0}, {"'a'", 1}, {"{}", 0}}) {
    const std::string message =
        "t, line 1: " + std::to_string(count) + " values can't be unpacked into 2 names";
    EXPECT_EQ(failure("{% set a, b = " + std::string(values) + " %}"), message);
    EXPECT_EQ(failure("{% for a, b in [" + std::string(values) + "] %}{% endfor %}"), message);
  }
  EXPECT_EQ(failure("\n{% set a, (b, c) = 1, [2] %}"),
            "t, line 2: 1 values can't be unpacked into 2 names");
}

TEST(JinjaAttributes, MapPassesNamedArgumentsOn) {
  EXPECT_EQ(output_of("{{ [x, 0, 'a']|map('default', '-', boolean=true)|join }}"), "--a");
  EXPECT_EQ(output_of("{{ [4, 6]|select('divisibleby', num=3)|join }}"), "6");
  EXPECT_EQ(output_of("{{ w|selectattr('n', 'divisibleby', num=2)|map(attribute='n')|join }}",
                      {{"w", lettered}}),
            "24");
  const auto failure = [](const std::string& source) {
    return test::input_error_of([&] { output_of(source); });
  };
  EXPECT_THAT(failure("{{ ['a']|map('upper', x=1)|list }}"), HasSubstr("has no argument 'x'"));
  EXPECT_THAT(failure("{{ ['a']|map('replace', 'a', old='b')|list }}"),
              HasSubstr("replace(): the argument 'old' is given twice"));
  EXPECT_THAT(failure("{{ ['a']|map('replace', 'a')|list }}"),
              HasSubstr("replace() needs the argument 'new'"));
  EXPECT_THAT(failure("{{ ['a']|map('replace', 'a', 'b', 1, 2)|list }}"),
              HasSubstr("replace() takes at most 3 arguments, not 4"));
}

}  // namespace
}  // namespace fathom
