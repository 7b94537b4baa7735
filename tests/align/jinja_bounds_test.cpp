// Templates made to exhaust the machine: each ends in an error that names its bound. The
// bounds count steps and bytes, so the tests need no clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "align/jinja/template.h"
#include "core/error.h"

namespace fathom {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& source, const RenderOptions& options = {},
                     const nlohmann::ordered_json& variables = {{"s", "text"}, {"l", {1, 2}}}) {
  try {
    JinjaTemplate::parse(source, "bomb.jinja").render(variables, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

const char* const steps = "steps";
const char* const memory = "of memory";

TEST(JinjaBounds, NestedLoopsEnd) {
  EXPECT_THAT(error_of("{% for a in range(100000) %}\n{% for b in range(100000) %}{% endfor %}"
                       "{% endfor %}"),
              AllOf(HasSubstr("bomb.jinja, line 2: "), HasSubstr(steps)));
  EXPECT_THAT(error_of(repeated("{% for a in range(1000) %}", 20) + repeated("{% endfor %}", 20)),
              HasSubstr(steps));
}

TEST(JinjaBounds, GrowingTextEnds) {
  EXPECT_THAT(error_of("{% set ns = namespace(x='ab') %}\n\n"
                       "{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
              AllOf(HasSubstr("line 3: "), HasSubstr(memory)));
  EXPECT_THAT(error_of("{{ 'a' * 10**9 }}"), HasSubstr(memory));
  EXPECT_THAT(error_of("{{ 'a' * 9223372036854775807 }}"), HasSubstr(memory));
  EXPECT_THAT(error_of("{{ ('a' * 100000)|replace('a', 'b' * 100000) }}"), HasSubstr(memory));
  EXPECT_THAT(error_of("{{ ('a,' * 100000).split(',')|join('b' * 100000) }}"), HasSubstr(memory));
  EXPECT_THAT(error_of("{{ ('a\n' * 100000)|indent(100000) }}"), HasSubstr(memory));
  EXPECT_THAT(error_of("{{ s|indent(9223372036854775807) }}"), HasSubstr(memory));
  EXPECT_THAT(error_of("{{ '%1000000000d' % 1 }}"), HasSubstr("more than 10000 characters"));
  EXPECT_THAT(error_of("{{ '{:1000000000}'.format(1) }}"), HasSubstr("more than 10000 characters"));
}

TEST(JinjaBounds, GrowingListsEnd) {
  EXPECT_THAT(error_of("{% set ns = namespace(x=[1]) %}"
                       "{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
              HasSubstr(memory));
  EXPECT_THAT(error_of("{{ ([1] * 10**9)|length }}"),
              testing::AnyOf(HasSubstr(memory), HasSubstr(steps)));
  EXPECT_THAT(error_of("{{ [1]|batch(9223372036854775807, 0)|list }}"), HasSubstr(memory));
  EXPECT_THAT(error_of("{% set ns = namespace(x=[]) %}"
                       "{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}"),
              HasSubstr("nested more than 128 deep"));
}

// Each list holds the one before it twice: small in memory, endless to walk.
TEST(JinjaBounds, SharedListsEndWhenWalked) {
  const std::string pyramid =
      "{% set ns = namespace(x=[1], y=[1]) %}"
      "{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor "
      "%}";
  const auto bounded = testing::AnyOf(HasSubstr(memory), HasSubstr(steps));
  EXPECT_THAT(error_of(pyramid + "{{ ns.x }}"), bounded);
  EXPECT_THAT(error_of(pyramid + "{{ ns.x|tojson }}"), bounded);
  EXPECT_THAT(error_of(pyramid + "{{ ns.x == ns.y }}"), bounded);
  EXPECT_THAT(error_of(pyramid + "{{ ns.x < ns.y }}"), bounded);
}

TEST(JinjaBounds, OutputEnds) {
  RenderOptions options;
  options.limits.output = 1000;
  EXPECT_THAT(error_of("{% for i in range(100) %}0123456789abcdef{% endfor %}", options),
              HasSubstr("writes more than"));
  options.limits.output = 1600;
  EXPECT_EQ(error_of("{% for i in range(100) %}0123456789abcdef{% endfor %}", options), "no error");
}

TEST(JinjaBounds, RangesAreShort) {
  EXPECT_THAT(error_of("{{ range(100001) }}"), HasSubstr("at most 100000 elements, not 100001"));
  EXPECT_THAT(error_of("{{ range(-9223372036854775807, 9223372036854775807) }}"),
              HasSubstr("at most 100000 elements"));
}

TEST(JinjaBounds, RecursionEnds) {
  EXPECT_THAT(error_of("{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}"),
              AllOf(HasSubstr("line 2: "), HasSubstr("nested more than 400 deep")));
  EXPECT_THAT(
      error_of("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}"
               "{{ a() }}"),
      HasSubstr("nested more than 400 deep"));
  EXPECT_THAT(error_of("{% macro m(x) %}{% call m(x) %}{% endcall %}{% endmacro %}{{ m(1) }}"),
              HasSubstr("nested more than 400 deep"));
}

TEST(JinjaBounds, DeepSourceIsRefused) {
  const std::string deep = "nested more than";
  EXPECT_THAT(error_of("{{ " + repeated("(", 10000) + "1" + repeated(")", 10000) + " }}"),
              HasSubstr(deep));
  EXPECT_THAT(error_of("{{ " + repeated("[", 10000) + repeated("]", 10000) + " }}"),
              HasSubstr(deep));
  EXPECT_THAT(error_of("{{ " + repeated("{1:", 10000) + "1" + repeated("}", 10000) + " }}"),
              HasSubstr(deep));
  EXPECT_THAT(error_of("{{ " + repeated("not ", 10000) + "1 }}"), HasSubstr(deep));
  EXPECT_THAT(error_of("{{ " + repeated("-", 10000) + "1 }}"), HasSubstr(deep));
  EXPECT_THAT(error_of("{{ 1" + repeated(" + 1", 10000) + " }}"), HasSubstr(deep));
  EXPECT_THAT(error_of("{{ s" + repeated(".x", 10000) + " }}"), HasSubstr(deep));
  EXPECT_THAT(error_of("{{ s" + repeated("|trim", 10000) + " }}"), HasSubstr(deep));
  EXPECT_THAT(error_of("{{ 1" + repeated(" if 1", 10000) + " }}"), HasSubstr(deep));
  EXPECT_THAT(error_of("{{ 1" + repeated(" if 1 else 1", 10000) + " }}"), HasSubstr(deep));
  EXPECT_THAT(error_of(repeated("{% if 1 %}", 10000)), HasSubstr(deep));
  EXPECT_THAT(error_of("{% set " + repeated("(", 10000) + "a" + repeated(")", 10000) + " = 1 %}"),
              HasSubstr(deep));
  EXPECT_THAT(error_of("{% if 1 %}" + repeated("{% elif 1 %}", 10000)),
              HasSubstr("more than 500 branches"));
}

TEST(JinjaBounds, LongChainsOfBranchesAreWalkedFlat) {
  EXPECT_EQ(error_of("{% if 0 %}" + repeated("{% elif 0 %}x", 490) + "{% endif %}"), "no error");
}

// Chains have no brackets: each link is one level.
TEST(JinjaBounds, ExpressionsAreNestedUpToTheirBound) {
  const std::string message = "bomb.jinja, line 1: expressions are nested more than 150 deep";
  EXPECT_EQ(error_of("{{ 1" + repeated(" + 1", 149) + " }}"), "no error");
  EXPECT_EQ(error_of("{{ 1" + repeated(" + 1", 151) + " }}"), message);
  EXPECT_EQ(error_of("{{ s" + repeated("|trim", 149) + " }}"), "no error");
  EXPECT_EQ(error_of("{{ s" + repeated("|trim", 151) + " }}"), message);
}

// What a value holds counts: an element of a list takes more than 10 bytes.
TEST(JinjaBounds, ElementsOfListsTakeMemory) {
  RenderOptions options;
  options.limits.memory = 1 << 20;
  EXPECT_EQ(error_of("{% set x = range(10000)|list %}", options), "no error");
  EXPECT_THAT(error_of("{% set x = range(100000)|list %}", options), HasSubstr(memory));
}

// Comparing a key takes steps by its length.
TEST(JinjaBounds, LongKeysTakeSteps) {
  RenderOptions options;
  options.limits.steps = 100'000;
  const auto error = [&](const std::string& length) {
    return error_of("{% set k = 'a' * " + length + " %}{% set d = {k: 1} %}" +
                        "{% for i in range(100) %}{% if d[k] %}{% endif %}{% endfor %}",
                    options);
  };
  EXPECT_EQ(error("1000"), "no error");
  EXPECT_THAT(error("1000000"), HasSubstr(steps));
}

// Searching a dictionary takes steps by its size, an eighth of one an entry.
TEST(JinjaBounds, LargeDictionariesTakeStepsToSearch) {
  RenderOptions options;
  options.limits.steps = 100'000;
  const auto error = [&](int entries) {
    nlohmann::ordered_json variables;
    for (int i = 0; i < entries; ++i) variables["d"][std::to_string(i)] = 1;
    return error_of("{% for i in range(1000) %}{% if d['x'] %}{% endif %}{% endfor %}", options,
                    variables);
  };
  EXPECT_EQ(error(100), "no error");
  EXPECT_THAT(error(1000), HasSubstr(steps));
}

// A text in quotes takes a step for each eight bytes.
TEST(JinjaBounds, LongTextsInQuotesTakeSteps) {
  RenderOptions options;
  options.limits.steps = 10'000;
  const auto error = [&](const std::string& length) {
    return error_of("{% set a = ['a' * " + length + "]|string %}", options);
  };
  EXPECT_EQ(error("40000"), "no error");
  EXPECT_THAT(error("100000"), HasSubstr(steps));
}

// So does comparing texts of one length; of two lengths they differ at once.
TEST(JinjaBounds, LongTextsTakeStepsToCompare) {
  RenderOptions options;
  options.limits.steps = 100'000;
  const auto error = [&](const std::string& left, const std::string& right) {
    return error_of("{% set a = 'a' * " + left + " %}{% set b = 'a' * " + right + " %}" +
                        "{% for i in range(100) %}{% if a == b %}{% endif %}{% endfor %}",
                    options);
  };
  EXPECT_EQ(error("1000", "1000"), "no error");
  EXPECT_THAT(error("1000000", "1000000"), HasSubstr(steps));
  EXPECT_EQ(error("1000000", "1000001"), "no error");
}

// Sorting holds the elements twice more, with their keys.
TEST(JinjaBounds, SortingTakesMemory) {
  RenderOptions options;
  options.limits.memory = 4 << 20;  // the list and its sorted copy fit
  EXPECT_EQ(error_of("{% set x = range(20000)|list %}", options), "no error");
  EXPECT_EQ(error_of("{% set x = range(2000)|sort %}", options), "no error");
  EXPECT_THAT(error_of("{% set x = range(20000)|sort %}", options), HasSubstr(memory));
}

TEST(JinjaBounds, HugeSourceIsRefused) {
  EXPECT_THAT(error_of(std::string(5 << 20, 'x')), HasSubstr("at most 4 MiB"));
  EXPECT_THAT(error_of("{{ 1" + std::string(10000, '0') + " }}"), HasSubstr("is too large"));
}

TEST(JinjaBounds, MacrosAndNamespacesThatHoldThemselvesAreFreed) {
  EXPECT_EQ(error_of("{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.l = [ns] %}"
                     "{% for i in l %}{% macro m() %}{{ m }}{% endmacro %}{% set ns.m = m %}"
                     "{% set ns.o = loop %}{% endfor %}"),
            "no error");
}

TEST(JinjaBounds, MemoryIsReturned) {
  // Each value takes a MiB and goes again: 4000 of them are more than may be held at once.
  RenderOptions options;
  options.limits.memory = 8 << 20;
  EXPECT_EQ(error_of("{% for i in range(100) %}{% set x = 'a' * 1048576 %}{% endfor %}", options),
            "no error");
}

}  // namespace
}  // namespace fathom
