#include "core/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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

Outer parsed(const char* text, std::vector<std::string> overrides = {}) {
  Outer outer;
  read_config(ConfigTable::parse(text, "run.toml", overrides), outer);
  return outer;
}

std::string config_error_of(const char* text, std::vector<std::string> overrides = {}) {
  try {
    parsed(text, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

TEST(Config, ReadsEveryKindOfField) {
  const Outer c = parsed(
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

struct Shares {
  NumberTable weights;
};
template <class V>
void visit_fields(Shares& c, V&& field) {
  field("weights", c.weights, "shares by name");
}

TEST(Config, NumbersStandUnderNamesOfTheUsers) {
  const auto read = [](const char* text, std::vector<std::string> overrides = {}) {
    Shares shares;
    read_config(ConfigTable::parse(text, "run.toml", overrides), shares);
    return shares;
  };
  const NumberTable expected = {{"a-b", 0.25}, {"c.d", 2}};
  Shares shares = read("weights = { \"c.d\" = 2, a-b = 0.25 }");
  EXPECT_EQ(shares.weights, expected);
  EXPECT_EQ(config_to_toml(shares), "weights = { \"a-b\" = 0.25, \"c.d\" = 2.0 }\n");
  EXPECT_EQ(read(config_to_toml(shares).c_str()).weights, expected);
  EXPECT_EQ(read("[weights]\na-b = 0.25\n", {"weights={\"c.d\"=2, a-b=0.25}"}).weights, expected);
  EXPECT_TRUE(read("").weights.empty());
  EXPECT_THAT(config_help<Shares>(), testing::HasSubstr("{}"));
  const auto error = [&](const char* text) {
    try {
      read(text);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(error("\nweights = 3"), testing::HasSubstr("run.toml:2: weights"));
  EXPECT_THAT(error("weights = { a = \"x\" }"), testing::HasSubstr("a table of numbers"));
}

TEST(Config, OverridesWinAndMayBeBareStrings) {
  const Outer c = parsed("steps = 3\n", {"steps=5", "inner.rate=2.5", "name=plain text"});
  EXPECT_EQ(c.steps, 5);
  EXPECT_EQ(c.inner.rate, 2.5);
  EXPECT_EQ(c.name, "plain text");
}

TEST(Config, OverridesAreSplitAtTheFirstEqualsSign) {
  EXPECT_EQ(parsed("", {"name=a=b"}).name, "a=b");
  EXPECT_EQ(parsed("", {"name=\"x = y\""}).name, "x = y");
  EXPECT_EQ(parsed("", {"name="}).name, "");
  EXPECT_THAT(config_error_of("", {"=5"}), testing::HasSubstr("write it as key=value"));
}

TEST(Config, TheLastOverrideOfAKeyWins) {
  EXPECT_EQ(parsed("steps = 1", {"steps=2", "steps=3"}).steps, 3);
  EXPECT_EQ(parsed("[inner]\nrate = 1.0\n", {"inner.sizes=[4, 5]"}).inner.rate, 1.0);
  EXPECT_THAT(config_error_of("steps = 1", {"steps.more=2"}),
              testing::HasSubstr("--set steps.more=2: 'steps' is not a table"));
}

TEST(Config, FieldsWithoutAKeyKeepTheirValue) {
  const Outer c = parsed("[inner]\nsizes = [3]\n");
  EXPECT_EQ(c.steps, 10);
  EXPECT_EQ(c.color, Color::red);
  EXPECT_EQ(c.limit, std::nullopt);
  EXPECT_EQ(c.inner.rate, 0.5);
}

TEST(Config, AListReplacesTheOneBefore) {
  Outer c = parsed("[[list]]\nrate = 1\n[[list]]\nrate = 2\n");
  read_config(ConfigTable::parse("[[list]]\nrate = 3\n", "more.toml"), c);
  ASSERT_EQ(c.list.size(), 1u);
  EXPECT_EQ(c.list[0].rate, 3.0);
}

TEST(Config, WholeNumbersAreNotRoundedFromFractions) {
  EXPECT_EQ(config_error_of("steps = 1.0\n"),
            "run.toml:1: steps: wants a whole number, but holds a value of type floating-point");
  EXPECT_THAT(config_error_of("[inner]\nsizes = [1, 2.5]\n"),
              testing::HasSubstr("run.toml:2: inner.sizes: wants a list of whole numbers"));
  EXPECT_THAT(config_error_of("list = [1]\n"), testing::HasSubstr("wants a list of tables"));
  EXPECT_THAT(config_error_of("inner = 1\n"), testing::HasSubstr("inner: wants a table"));
  EXPECT_EQ(config_error_of("[[list]]\nrate = 1\n[[list]]\nrate = true\n"),
            "run.toml:4: list[1].rate: wants a number, but holds a value of type boolean");
}

// Each type of a value against each type that a field may have.
TEST(Config, ValuesHaveTheTypeOfTheirField) {
  const ConfigTable table = ConfigTable::parse(
      "yes = true\nwhole = 3\nreal = 2.5\ntext = \"t\"\nwholes = [1, 2]\nreals = [0.5, 2]\n"
      "texts = [\"a\", \"\"]\nmixed = [1, \"a\"]\nnone = []\nday = 2026-01-02\n[numbers]\na = 1\nb "
      "= 2.5\n"
      "[tables]\na = { b = 1 }\n",
      "run.toml");
  const auto reads = [&]<class T>(T out, const char* wanted, const std::string& taken) {
    for (const std::string& key : table.keys()) {
      const bool fits = (" " + taken + " ").find(" " + key + " ") != std::string::npos;
      try {
        EXPECT_TRUE(table.get(key, out));
        EXPECT_TRUE(fits) << key << " is taken for " << wanted;
      } catch (const Error& error) {
        EXPECT_FALSE(fits) << error.what();
        EXPECT_EQ(error.kind(), ErrorKind::input);
        EXPECT_THAT(error.what(), testing::HasSubstr(fmt::format(": {}: wants {}, but holds a "
                                                                 "value of type ",
                                                                 key, wanted)));
      }
    }
    EXPECT_FALSE(table.get("absent", out));
  };
  reads(false, "true or false", "yes");
  reads(std::int64_t{}, "a whole number", "whole");
  reads(double{}, "a number", "whole real");
  reads(std::string(), "a string", "text");
  reads(std::vector<std::int64_t>(), "a list of whole numbers", "wholes none");
  reads(std::vector<double>(), "a list of numbers", "wholes reals none");
  reads(std::vector<std::string>(), "a list of strings", "texts none");
  reads(NumberTable(), "a table of numbers", "numbers");
  std::vector<double> reals;
  EXPECT_TRUE(table.get("reals", reals));
  EXPECT_EQ(reals, (std::vector<double>{0.5, 2}));
  std::vector<std::string> texts{"before"};
  EXPECT_TRUE(table.get("texts", texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"a", ""}));
}

// A field whose value is wrong is as it was.
TEST(Config, AWrongListLeavesTheFieldAsItWas) {
  const ConfigTable table =
      ConfigTable::parse("list = [1, 2, \"x\"]\nnumbers = { a = 1, b = true }\n", "run.toml");
  std::vector<std::int64_t> list{7};
  EXPECT_THROW(table.get("list", list), Error);
  EXPECT_EQ(list, std::vector<std::int64_t>{7});
  NumberTable numbers{{"c", 3}};
  EXPECT_THROW(table.get("numbers", numbers), Error);
  EXPECT_EQ(numbers, (NumberTable{{"c", 3}}));
}

TEST(Config, PlacesHaveTheWholePathOfTheirKey) {
  const ConfigTable root =
      ConfigTable::parse("[a]\nx = 1\n[a.b]\n\ny = 2\n[[a.c]]\n[[a.c]]\nz = 3\n", "run.toml",
                         std::vector<std::string>{"a.b.w=5"});
  const ConfigTable a = *root.table("a"), b = *a.table("b");
  EXPECT_EQ(root.where("a"), "run.toml:1: a");
  EXPECT_EQ(a.where("x"), "run.toml:2: a.x");
  EXPECT_EQ(b.where("y"), "run.toml:5: a.b.y");
  EXPECT_EQ(b.where("absent"), "run.toml: a.b.absent");
  EXPECT_EQ(root.where("absent"), "run.toml: absent");
  EXPECT_EQ(b.where("w"), "--set a.b.w");
  const std::vector<ConfigTable> c = *a.tables("c");
  ASSERT_EQ(c.size(), 2u);
  EXPECT_EQ(c[1].where("z"), "run.toml:8: a.c[1].z");
  EXPECT_FALSE(root.table("absent"));
  EXPECT_FALSE(root.tables("absent"));
  EXPECT_EQ(b.keys(), (std::vector<std::string>{"w", "y"}));
}

TEST(Config, OverridesMakeTheTablesOnTheirWay) {
  const Outer c =
      parsed("", {"inner.sizes=[3, 4]", "inner.rate=1e-3", "limit=0.25", "color=green"});
  EXPECT_EQ(c.inner.sizes, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(c.inner.rate, 1e-3);
  EXPECT_EQ(c.limit, 0.25);
  EXPECT_EQ(c.color, Color::green);
  EXPECT_EQ(config_error_of("", {"inner.rate=fast"}),
            "--set inner.rate: wants a number, but holds a value of type string");
  EXPECT_EQ(config_error_of("", {"color=blue"}), "--set color: 'blue' is not one of red, green");
}

TEST(Config, TextThatIsNoTomlHasTheLineOfItsMistake) {
  EXPECT_THAT(config_error_of("steps = 1\nname = \"x\ncolor = 1\n"),
              testing::StartsWith("run.toml:2: not valid TOML: "));
  EXPECT_THAT(config_error_of("steps = 1\nsteps = 2\n"), testing::StartsWith("run.toml:2: "));
}

TEST(Config, ControlCharactersAreEscaped) {
  std::string text;
  detail::append_toml(text, "k", std::string("\x1f \x7e\x7f"));
  EXPECT_EQ(text, "k = \"\\u001f ~\\u007f\"\n");
  text.clear();
  detail::append_toml(text, "", std::vector<std::string>{"a", "b", ""});
  EXPECT_EQ(text, "[\"a\", \"b\", \"\"]");
  for (const auto& [value, shown] : {std::pair{1e30, "1e+30"},
                                     {HUGE_VAL, "inf"},
                                     {-HUGE_VAL, "-inf"},
                                     {std::nan(""), "nan"},
                                     {1e16, "1e+16"},
                                     {12345.0, "12345.0"},
                                     {0.5, "0.5"},
                                     {-3.0, "-3.0"}}) {
    text.clear();
    detail::append_toml(text, "", value);
    EXPECT_EQ(text, shown);
  }
}

TEST(Config, TextOfAnyKindReadsBack) {
  Outer c;
  c.name = "quote \" backslash \\ tab \t newline \n delete \x7f umlaut \xc3\xa4";
  c.inner.rate = -std::numeric_limits<double>::infinity();
  c.limit = 100;
  const std::string text = config_to_toml(c);
  const Outer again = parsed(text.c_str());
  EXPECT_EQ(again.name, c.name);
  EXPECT_EQ(again.inner.rate, c.inner.rate);
  EXPECT_THAT(text, testing::HasSubstr("limit = 100.0\n"));
  EXPECT_THAT(text, testing::HasSubstr("color = \"red\"\n"));
}

// With every kind of list, and with tables within tables.
TEST(Config, TablesAreWrittenBehindWhatStandsBeforeThem) {
  Outer c;
  c.list.resize(2);
  c.list[1].sizes = {};
  EXPECT_EQ(
      config_to_toml(c),
      "steps = 10\nname = \"x\\\"y\"\ncolor = \"red\"\n\n[inner]\nrate = 0.5\nsizes = [1, 2]\n"
      "\n[[list]]\nrate = 0.5\nsizes = [1, 2]\n\n[[list]]\nrate = 0.5\nsizes = []\n");
}

struct Deep {
  Outer outer;
};
template <class V>
void visit_fields(Deep& c, V&& field) {
  field("outer", c.outer, "");
}

TEST(Config, TablesWithinTablesHaveTheirWholePath) {
  Deep deep;
  deep.outer.list.resize(1);
  deep.outer.list[0].rate = 0.75;
  deep.outer.inner.rate = 0.25;
  const std::string text = config_to_toml(deep);
  EXPECT_THAT(text, testing::HasSubstr("\n[outer.inner]\nrate = 0.25\n"));
  EXPECT_THAT(text, testing::HasSubstr("\n[[outer.list]]\nrate = 0.75\n"));
  Deep again;
  read_config(ConfigTable::parse(text, "run.toml"), again);
  EXPECT_EQ(config_to_toml(again), text);
  EXPECT_THAT(config_help<Deep>(), testing::HasSubstr("  outer.list[].rate "));
  EXPECT_THAT(config_help<Deep>(), testing::HasSubstr("  outer.inner.rate "));
}

struct Switch {
  bool on = true;
};
template <class Visitor>
void visit_fields(Switch& c, Visitor&& field) {
  field("on", c.on, "");
}

TEST(Config, SwitchesAreWrittenAsTheyAre) {
  Switch on, off{false};
  EXPECT_THAT(config_to_toml(on), testing::HasSubstr("on = true\n"));
  EXPECT_THAT(config_to_toml(off), testing::HasSubstr("on = false\n"));
}

TEST(Config, HelpListsEveryKeyWithItsDefault) {
  const std::string help = config_help<Outer>();
  for (const char* line : {"  steps                              10               steps\n",
                           "  name                               \"x\\\"y\"           name\n",
                           "  color                              red|green        color\n",
                           "  limit                              unset            limit\n",
                           "  inner.rate                         0.5              a rate\n",
                           "  inner.sizes                        [1, 2]           some sizes\n",
                           "  list                               [[...]]          \n",
                           "  list[].rate                        0.5              a rate\n"}) {
    EXPECT_THAT(help, testing::HasSubstr(line));
  }
}

TEST(Config, NearestKeyIsNearEnough) {
  const std::vector<std::string> keys = {"steps", "tokens", "max_minutes"};
  EXPECT_EQ(nearest("step", keys), "steps");
  EXPECT_EQ(nearest("setps", keys), "steps");
  EXPECT_EQ(nearest("max_minute", keys), "max_minutes");
  EXPECT_EQ(nearest("maximum_minutes", keys), "max_minutes");
  EXPECT_EQ(nearest("seed", keys), "");
  // Two mistakes in a short word, a third of the letters in a long one; of equals the first.
  EXPECT_EQ(nearest("stxxs", keys), "steps");
  EXPECT_EQ(nearest("sxxxs", keys), "");
  EXPECT_EQ(nearest("max_minxxxx", keys), "");
  EXPECT_EQ(nearest("max_minuxxx", keys), "max_minutes");
  EXPECT_EQ(nearest("ab", std::vector<std::string>{"abcd", "ax", "ay"}), "ax");
  EXPECT_EQ(nearest("", std::vector<std::string>{"abc", "ab"}), "ab");
  EXPECT_EQ(config_error_of("entirely_other = 1\n"),
            "run.toml:1: entirely_other: this key is not known; known here: steps, name, color, "
            "limit, inner, list");
}

TEST(EnumNames, NameAndValueBelongTogether) {
  EXPECT_EQ(enum_name(Color::red), "red");
  EXPECT_EQ(enum_name(Color::green), "green");
  EXPECT_EQ(enum_of<Color>("red"), Color::red);
  EXPECT_EQ(enum_of<Color>("green"), Color::green);
  EXPECT_EQ(enum_of<Color>("blue"), std::nullopt);
}

TEST(Config, WrittenTomlReadsBack) {
  Outer c = parsed("steps = 3\nlimit = 0.1\n[[list]]\nrate = 1e-30\n");
  const std::string text = config_to_toml(c);
  Outer again = parsed(text.c_str());
  EXPECT_EQ(config_to_toml(again), text);
  EXPECT_EQ(again.name, c.name);
  EXPECT_EQ(again.list.at(0).rate, 1e-30);
}

TEST(Config, ErrorsNameFileLineAndRemedy) {
  EXPECT_EQ(config_error_of("\nstepz = 1\n"),
            "run.toml:2: stepz: this key is not known; did you mean 'steps'?");
  EXPECT_EQ(config_error_of("[inner]\nrate = \"a\"\n"),
            "run.toml:2: inner.rate: wants a number, but holds a value of type string");
  EXPECT_EQ(config_error_of("color = \"blue\"\n"),
            "run.toml:1: color: 'blue' is not one of red, green");
  EXPECT_THAT(config_error_of("steps = = 1\n"), testing::StartsWith("run.toml:1: not valid TOML"));
  EXPECT_EQ(config_error_of("", {"inner.ratio=1"}),
            "--set inner.ratio: this key is not known; did you mean 'rate'?");
  EXPECT_THAT(config_error_of("", {"steps"}), testing::HasSubstr("write it as key=value"));
}

TEST(Config, MissingFilesAndDirectoriesAreInputErrorsAndEmptyFilesAreNot) {
  for (const std::string& path : {std::string("/nonexistent/run.toml"), testing::TempDir()}) {
    try {
      ConfigTable::load(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      EXPECT_EQ(error.what(), path + ": cannot read this config file; check the path");
    }
  }
  EXPECT_TRUE(ConfigTable::load("/dev/null").keys().empty());
}

}  // namespace
}  // namespace fathom
