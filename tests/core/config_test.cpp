#include "core/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fathom {
namespace {

enum class Color { red, green };
std::span<const std::string_view> enum_names(Color) {
  static constexpr std::string_view names[] = {"red", "green"};
  return names;
}

struct Inner {
  double rate = 0.5;
  std::vector<std::int64_t> sizes = {1, 2};
};
template <class V>
void visit_fields(Inner& c, V&& field) {
  field("rate", c.rate, "a rate");
  field("sizes", c.sizes, "some sizes");
}

struct Outer {
  std::int64_t steps = 10;
  std::string name = "x\"y";
  Color color = Color::red;
  std::optional<double> limit;
  Inner inner;
  std::vector<Inner> list;
};
template <class V>
void visit_fields(Outer& c, V&& field) {
  field("steps", c.steps, "steps");
  field("name", c.name, "name");
  field("color", c.color, "color");
  field("limit", c.limit, "limit");
  field("inner", c.inner, "");
  field("list", c.list, "");
}

Outer read(const char* text, std::vector<std::string> overrides = {}) {
  Outer outer;
  read_config(ConfigTable::parse(text, "run.toml", overrides), outer);
  return outer;
}

std::string error_of(const char* text, std::vector<std::string> overrides = {}) {
  try {
    read(text, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

TEST(Config, ReadsEveryKindOfField) {
  const Outer c = read(
      "steps = 3\nname = \"n\"\ncolor = \"green\"\nlimit = 2\n[inner]\nrate = 1\nsizes = [7]\n"
      "[[list]]\nrate = 4.0\n[[list]]\n");
  EXPECT_EQ(c.steps, 3);
  EXPECT_EQ(c.name, "n");
  EXPECT_EQ(c.color, Color::green);
  EXPECT_EQ(c.limit, 2.0);
  EXPECT_EQ(c.inner.rate, 1.0);
  EXPECT_EQ(c.inner.sizes, std::vector<std::int64_t>{7});
  ASSERT_EQ(c.list.size(), 2u);
  EXPECT_EQ(c.list[0].rate, 4.0);
}

TEST(Config, OverridesWinAndMayBeBareStrings) {
  const Outer c = read("steps = 3\n", {"steps=5", "inner.rate=2.5", "name=plain text"});
  EXPECT_EQ(c.steps, 5);
  EXPECT_EQ(c.inner.rate, 2.5);
  EXPECT_EQ(c.name, "plain text");
}

TEST(Config, WrittenTomlReadsBack) {
  Outer c = read("steps = 3\nlimit = 0.1\n[[list]]\nrate = 1e-30\n");
  const std::string text = config_to_toml(c);
  Outer again = read(text.c_str());
  EXPECT_EQ(config_to_toml(again), text);
  EXPECT_EQ(again.name, c.name);
  EXPECT_EQ(again.list.at(0).rate, 1e-30);
}

TEST(Config, ErrorsNameFileLineAndRemedy) {
  EXPECT_EQ(error_of("\nstepz = 1\n"),
            "run.toml:2: stepz: this key is not known; did you mean 'steps'?");
  EXPECT_EQ(error_of("[inner]\nrate = \"a\"\n"),
            "run.toml:2: inner.rate: wants a number, but holds a value of type string");
  EXPECT_EQ(error_of("color = \"blue\"\n"), "run.toml:1: color: 'blue' is not one of red, green");
  EXPECT_THAT(error_of("steps = = 1\n"), testing::StartsWith("run.toml:1: not valid TOML"));
  EXPECT_EQ(error_of("", {"inner.ratio=1"}),
            "--set inner.ratio: this key is not known; did you mean 'rate'?");
  EXPECT_THAT(error_of("", {"steps"}), testing::HasSubstr("write it as key=value"));
}

TEST(Config, MissingFileIsAnInputError) {
  try {
    ConfigTable::load("/nonexistent/run.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_STREQ(error.what(),
                 "/nonexistent/run.toml: cannot read this config file; check the path");
  }
}

}  // namespace
}  // namespace fathom
