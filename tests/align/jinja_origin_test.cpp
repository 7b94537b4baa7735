// Which bytes of a rendered text the template wrote. All others are the user's, which must
// never become special tokens: a byte that is wrongly the template's would be a hole.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "align/jinja/template.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;

// The rendered text with the bytes that are not the template's between « and ».
std::string shown(const std::string& source, const Json& variables,
                  std::vector<std::string> trusted = {}) {
  RenderOptions options;
  options.trusted = std::move(trusted);
  const RenderedText rendered = JinjaTemplate::parse(source, "t").render(variables, options);
  std::string marked;
  std::size_t done = 0;
  const auto user = [&](std::size_t end) {
    if (end > done) marked += "«" + rendered.text.substr(done, end - done) + "»";
  };
  for (const ByteSpan& span : rendered.from_template) {
    user(span.begin);
    marked += rendered.text.substr(span.begin, span.end - span.begin);
    done = span.end;
  }
  user(rendered.text.size());
  return marked;
}

const Json variables = {{"u", "  Hé <s> x  "}, {"n", 5}, {"l", {"a", "b"}}, {"d", {{"k", "v"}}}};

std::string shown(const std::string& source) {
  return shown(source, variables);
}

TEST(JinjaOrigin, TellsLiteralTextFromVariables) {
  EXPECT_EQ(shown("<s>{{ u }}</s>"), "<s>«  Hé <s> x  »</s>");
  EXPECT_EQ(shown("{{ '<s>' }}{{ u }}"), "<s>«  Hé <s> x  »");
  EXPECT_EQ(shown("a{{ n }}b{{ true }}c{{ none }}"), "a«5»b«True»c«None»");
  EXPECT_EQ(shown("{{ l }}{{ d }}"), "«['a', 'b']{'k': 'v'}»");
  EXPECT_EQ(shown("{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}"), "«k»=«v»");
  EXPECT_EQ(shown("{{ d|tojson }}{{ {'x': u}|tojson }}"),
            "«{\"k\": \"v\"}{\"»x«\": \"  Hé <s> x  \"}»");
}

TEST(JinjaOrigin, SurvivesJoining) {
  EXPECT_EQ(shown("{{ '<s>' + u + '</s>' }}"), "<s>«  Hé <s> x  »</s>");
  EXPECT_EQ(shown("{{ '<s>' ~ u ~ n ~ '</s>' }}"), "<s>«  Hé <s> x  5»</s>");
  EXPECT_EQ(shown("{{ l|join('<s>') }}"), "«a»<s>«b»");
  EXPECT_EQ(shown("{{ '<s>'.join(l) }}"), "«a»<s>«b»");
  EXPECT_EQ(shown("{{ '[%s|%d]' % (l[0], 3) }}"), "[«a»|«3»]");
  EXPECT_EQ(shown("{{ '[{}|{x}]'.format(l[0], x=l[1]) }}"), "[«a»|«b»]");
  EXPECT_EQ(shown("{{ '<s>' * 2 }}{{ l[0] * 2 }}"), "<s><s>«aa»");
  EXPECT_EQ(shown("{% set x %}<s>{{ u }}{% endset %}{{ x }}"), "<s>«  Hé <s> x  »");
  EXPECT_EQ(shown("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(l[0]) }}{{ m('c') }}"), "[«a»][c]");
  EXPECT_EQ(
      shown("{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}<{{ n }}>{% endcall %}"),
      "[<«5»>]");
  EXPECT_EQ(shown("{% generation %}<s>{{ n }}{% endgeneration %}"), "<s>«5»");
}

TEST(JinjaOrigin, SurvivesTakingApart) {
  EXPECT_EQ(shown("{{ u|trim }}|{{ u.strip() }}|{{ u.lstrip() }}|"),
            "«Hé <s> x»|«Hé <s> x»|«Hé <s> x  »|");
  EXPECT_EQ(shown("{{ ('<s> ' + u + ' </s>')[2:6] }}"), "> «  »");
  EXPECT_EQ(shown("{{ ('<' + l[0] + '>')[::-1] }}"), ">«a»<");
  EXPECT_EQ(shown("{{ ('<' + u + '>')[4] }}{{ ('<' + u + '>')|last }}"), "«é»>");
  EXPECT_EQ(shown("{{ ('<s>|' + l[0] + '|</s>').split('|')|join }}"), "<s>«a»</s>");
  EXPECT_EQ(shown("{% for c in '<' + l[0] + '>' %}{{ c }}{% endfor %}"), "<«a»>");
  EXPECT_EQ(shown("{{ (' <' + l[0] + '> ')|trim }}"), "<«a»>");
  EXPECT_EQ(
      shown("{{ ('x' + l[0]).removeprefix('x') }}{{ ('x=' + l[0]).partition('=')|join('') }}"),
      "«a»x=«a»");
  EXPECT_EQ(shown("{{ ('x\n' + l[0])|indent(1) }}"), "x«\n a»");
}

TEST(JinjaOrigin, SurvivesReplacing) {
  EXPECT_EQ(shown("{{ u.replace('<s>', '') }}"), "«  Hé  x  »");
  EXPECT_EQ(shown("{{ ('[' + u + ']').replace('x', 'y') }}"), "[«  Hé <s> »y«  »]");
  EXPECT_EQ(shown("{{ 'a-b'|replace('-', l[1]) }}"), "a«b»b");
  EXPECT_EQ(shown("{{ u|upper }}{{ '<s>'|upper }}{{ ('é' + l[0])|title }}{{ ('ß' ~ l[0])|upper }}"),
            "«  HÉ <S> X  »<S>É«a»SS«A»");
  EXPECT_EQ(shown("{{ ('<' + d.k)|e }}"), "&lt;«v»");
}

// Two halves of a special token, one of them the user's, make no token of the template's.
TEST(JinjaOrigin, HalvesOfATokenStayApart) {
  EXPECT_EQ(shown("<{{ v }}>", {{"v", "|end|"}}), "<«|end|»>");
  EXPECT_EQ(shown("{{ '<|' + m.role + '|>' }}", {{"m", {{"role", "user"}}}}), "<|«user»|>");
}

TEST(JinjaOrigin, TrustedVariablesCountAsTheTemplates) {
  const Json chat = {
      {"bos_token", "<s>"},
      {"messages", Json::array({{{"role", "user"}, {"content", "<s>"}, {"x", {{"role", "r"}}}}})}};
  const std::string source =
      "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + m.x.role }}{% "
      "endfor %}";
  EXPECT_EQ(shown(source, chat), "«<s>»<|«user»|>«<s>r»");
  EXPECT_EQ(shown(source, chat, {"bos_token", "messages.*.role"}), "<s><|user|>«<s>r»");
}

TEST(JinjaOrigin, GeneratedSpansAreIndependentOfIt) {
  const auto rendered =
      JinjaTemplate::parse("<{{ u }}{% generation %}é{{ n }}</s>{% endgeneration %}>", "t")
          .render(variables);
  EXPECT_EQ(rendered.text, "<  Hé <s> x  é5</s>>");
  EXPECT_TRUE(rendered.generated == (std::vector<ByteSpan>{{14, 21}}));
  EXPECT_TRUE(rendered.from_template == (std::vector<ByteSpan>{{0, 1}, {14, 16}, {17, 22}}));
}

}  // namespace
}  // namespace fathom
