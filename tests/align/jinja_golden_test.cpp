// Templates by construct and by model family, as PyPI's jinja2 renders them in transformers'
// environment (tests/golden/make_template_goldens.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "align/jinja/template.h"
#include "core/error.h"
#include "test_data.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;

const Json& goldens() {
  static const Json json = Json::parse(std::ifstream(golden_path("templates.json")));
  return json;
}

RenderOptions options() {
  RenderOptions options;
  std::tm now{};
  now.tm_year = 125;
  now.tm_mon = 2;
  now.tm_mday = 7;
  now.tm_hour = 9;
  now.tm_min = 5;
  now.tm_sec = 3;
  now.tm_wday = 5;
  now.tm_yday = 65;
  options.now = now;
  return options;
}

// Fails unless the template renders as `expected` says: to its text and generated spans, or
// to an error that contains its message.
void check(const std::string& source, const Json& variables, const Json& expected) {
  SCOPED_TRACE("template: " + source.substr(0, 2000));
  try {
    const RenderedText rendered =
        JinjaTemplate::parse(source, "golden").render(variables, options());
    if (expected.contains("error")) {
      ADD_FAILURE() << "jinja2 fails, and this rendered: " << rendered.text;
      return;
    }
    EXPECT_EQ(rendered.text, expected["text"].get<std::string>());
    std::vector<ByteSpan> spans;
    if (expected.contains("generated")) {
      for (const Json& span : expected["generated"]) spans.push_back({span[0], span[1]});
    }
    EXPECT_TRUE(rendered.generated == spans);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    if (!expected.contains("error")) {
      ADD_FAILURE() << error.what() << "\njinja2 renders: " << expected["text"];
      return;
    }
    EXPECT_NE(std::string(error.what()).find(expected["error"].get<std::string>()),
              std::string::npos)
        << error.what();
  }
}

TEST(JinjaGolden, RendersEveryConstructAsJinja2Does) {
  const Json& cases = goldens()["cases"];
  EXPECT_GT(cases.size(), 900U);
  for (const Json& one : cases) check(one["template"], goldens()["variables"], one);
}

TEST(JinjaGolden, RendersModelFamiliesAsJinja2Does) {
  const Json& conversations = goldens()["conversations"];
  for (const Json& family : goldens()["families"]) {
    SCOPED_TRACE(family["name"].get<std::string>());
    for (std::size_t i = 0; i < conversations.size(); ++i) {
      SCOPED_TRACE(i);
      check(family["template"], conversations[i], family["expected"][i]);
    }
  }
}

}  // namespace
}  // namespace fathom
