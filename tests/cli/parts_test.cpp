// The parts of the commands that need no binary: how the manual's pages, the lines of a config and
// the messages about a wrong command line are made.
#include <gmock/gmock.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <optional>

#include "cli/api_keys.h"
#include "cli/command_tree.h"
#include "cli/config_lines.h"
#include "cli/manual_page.h"
#include "cli/text_flag.h"
#include "cli/troff.h"
#include "cli/usage_errors.h"
#include "io/temp_dir.h"

namespace fathom::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

// FATHOM_API_KEY as a test sets it, and afterwards as it was.
class KeyVariable {
 public:
  KeyVariable() {
    if (const char* const set = std::getenv(name)) before_ = set;
  }
  ~KeyVariable() { set(before_ ? before_->c_str() : nullptr); }
  KeyVariable(const KeyVariable&) = delete;
  KeyVariable& operator=(const KeyVariable&) = delete;
  // Null: not set.
  static void set(const char* value) { value ? setenv(name, value, 1) : unsetenv(name); }

 private:
  static constexpr const char* name = "FATHOM_API_KEY";
  std::optional<std::string> before_;
};

// Blanks at a key's end are none of it, those within are.
TEST(ApiKeys, AreTheLinesOfTheFileOrElseOfTheVariable) {
  const KeyVariable variable;
  const test::TempDir dir;
  const std::string file = dir / "keys";
  variable.set(nullptr);
  EXPECT_THAT(api_keys(""), ElementsAre());
  test::write_file(file, "one\r\n\n \t\ntwo words \t\nthree");
  EXPECT_THAT(api_keys(file), ElementsAre("one", "two words", "three"));
  variable.set("a\nb \n");
  EXPECT_THAT(api_keys(""), ElementsAre("a", "b"));
  EXPECT_THAT(api_keys(file), ElementsAre("one", "two words", "three"));
}

TEST(ApiKeys, AreRefusedWhereThereIsNone) {
  const KeyVariable variable;
  const test::TempDir dir;
  const std::string file = dir / "keys";
  test::write_file(file, " \r\n\n");
  for (const char* set : {static_cast<const char*>(nullptr), "key"}) {
    variable.set(set);
    EXPECT_EQ(test::input_error_of([&] { api_keys(file); }), file + ": it holds no API key");
  }
  for (const char* empty : {"", " ", "\n"}) {
    variable.set(empty);
    EXPECT_EQ(test::input_error_of([&] { api_keys(""); }),
              "FATHOM_API_KEY is set and holds no API key: unset it, or give it one");
  }
}

TEST(ConfigLines, AreKeyValueAndHelp) {
  const auto parts = [](const char* text) {
    const ConfigLine line = parse_config_line(text);
    return Words{line.key, line.value, line.help};
  };
  EXPECT_EQ(parts("  train.steps   0   optimizer steps"),
            (Words{"train.steps", "0", "optimizer steps"}));
  EXPECT_EQ(parts("a 1"), (Words{"a", "1", ""}));
  EXPECT_EQ(parts("a"), (Words{"a", "", ""}));
  EXPECT_EQ(parts(""), (Words{"", "", ""}));
  EXPECT_EQ(parts("   "), (Words{"", "", ""}));
  EXPECT_EQ(parts("a \"b c\" d e  "), (Words{"a", "\"b c\"", "d e"}));
  EXPECT_EQ(parts("a \"\" d"), (Words{"a", "\"\"", "d"}));
  EXPECT_EQ(parts(R"(a "b \" c" d)"), (Words{"a", R"("b \" c")", "d"}));
  EXPECT_EQ(parts(R"(a "b \\" c d)"), (Words{"a", R"("b \\")", "c d"}));
  EXPECT_EQ(parts("a [1, 2] d"), (Words{"a", "[1, 2]", "d"}));
  EXPECT_EQ(parts("a [[1, 2], [3]] d"), (Words{"a", "[[1, 2], [3]]", "d"}));
  EXPECT_EQ(parts("a [\"] \", 2] d"), (Words{"a", "[\"] \", 2]", "d"}));
}

TEST(Troff, ShowsTextAsItIs) {
  for (const auto& [text, escaped] : std::vector<std::pair<std::string, std::string>>{
           {"a b", "a b"},
           {"a-b", "a\\-b"},
           {"a\\b", "a\\eb"},
           {"it's `x`", "it\\(aqs \\(gax\\(ga"},
           {"^~", "\\(ha\\(ti"},
           {"Größe 中", "Gr\\[u00F6]\\[u00DF]e \\[u4E2D]"},
           {"\U0001F600", "\\[u1F600]"},
           {"", ""}}) {
    EXPECT_EQ(troff::escape(text), escaped) << text;
  }
}

// Wherever they stand in a text.
TEST(Troff, TakesNoLineForARequest) {
  EXPECT_EQ(troff::escape(".toml"), "\\&.toml");
  EXPECT_EQ(troff::escape("a\n.toml\n\n.x"), "a\n\\&.toml\n\n\\&.x");
  EXPECT_EQ(troff::escape("'a'\n'b"), "\\&\\(aqa\\(aq\n\\&\\(aqb");
  EXPECT_EQ(troff::escape("a.b ...\nc ."), "a.b ...\nc .");
}

TEST(Troff, MakesThePartsOfAPage) {
  EXPECT_EQ(troff::bold("--a"), "\\fB\\-\\-a\\fR");
  EXPECT_EQ(troff::italic("A-B"), "\\fIA\\-B\\fR");
  EXPECT_EQ(troff::reference("fathom-x"), "\\fBfathom\\-x\\fR(1)");
  EXPECT_EQ(troff::paragraph("a-b"), ".PP\na\\-b\n");
  EXPECT_EQ(troff::section("TITLE", troff::paragraph("a") + troff::paragraph("b")),
            ".SH \"TITLE\"\na\n.PP\nb\n");
  EXPECT_EQ(troff::section("TITLE", "a\n"), ".SH \"TITLE\"\na\n");
  EXPECT_EQ(troff::item("tag", ".a"), ".TP\ntag\n\\&.a\n");
  EXPECT_EQ(troff::item("tag", ""), ".TP\ntag\n\\&\n");
  EXPECT_EQ(troff::example("a\n.b"), ".PP\n.RS 4\n.nf\na\n\\&.b\n.fi\n.RE\n");
}

// A parser with options of all kinds.
struct Program {
  CLI::App app{"A program."};
  std::string text, file, folder, either, set, choice;
  std::vector<std::string> many, inputs;
  std::int64_t whole = 7, above = 0, least = 0;
  double real = 0.5;
  bool flag = false;

  Program() {
    app.name("prog");
    app.require_subcommand(1);
    app.footer("Example: prog make");
    CLI::App* make = app.add_subcommand("make", "Make it");
    make->footer("Makes it.\nExample: prog make x");
    make->add_option("input", file, "what to read")->type_name("FILE")->required();
    make->add_option("more", inputs, "more of it")->type_name("PATH");
    make->add_option("-o,--out", folder, "where")->type_name("DIR")->required();
    make->add_option("--template", either, "which")->type_name("NAME|FILE");
    make->add_option("--beside", either, "which")->type_name("DIR|FILE");
    make->add_option("--set", set, "key")->type_name("KEY=VALUE")->take_all();
    make->add_option("--text", text);
    make->add_option("--many", many);
    make->add_option("--json", text, "JSON")->type_name("FILE")->expected(0, 1);
    make->add_option("--choice", choice, "one")->check(CLI::IsMember({"all", "last"}));
    make->add_option("--whole", whole)->check(CLI::Range(0, 4096))->capture_default_str();
    make->add_option("--above", above)->check(CLI::PositiveNumber);
    make->add_option("--least", least)->check(CLI::NonNegativeNumber);
    make->add_option("--real", real)->capture_default_str();
    make->add_flag("--flag", flag, "or not");
    add_text_flag(
        *make, "--rules", "Rules", [] { return std::string("a  b\n"); }, "list them");
    CLI::App* both = app.add_subcommand("both", "Alone or below");
    both->add_option("words", inputs);
    both->add_subcommand("deep", "Deeper")->add_flag("--flat", flag);
  }
};

const Switch& switch_named(const Command& command, const std::string& name) {
  return *std::ranges::find_if(command.switches, [&](const Switch& one) {
    return std::ranges::find(one.names, name) != one.names.end();
  });
}

TEST(CommandTree, TellsWhatASwitchTakes) {
  Program program;
  const Command top = describe_commands(program.app);
  ASSERT_EQ(top.commands.size(), 2u);
  const Command& make = top.commands[0];
  using Kind = Value::Kind;
  struct Row {
    const char* name;
    Kind kind;
    const char *shown, *bounds, *usual;
  };
  for (const auto& [name, kind, shown, bounds, usual] :
       {Row{"--out", Kind::folder, "DIR", "", ""},
        {"--template", Kind::file, "NAME|FILE", "", ""},
        {"--beside", Kind::file, "DIR|FILE", "", ""},
        {"--set", Kind::word, "KEY=VALUE", "", ""},
        {"--text", Kind::word, "TEXT", "", ""},
        {"--json", Kind::file, "FILE", "", ""},
        {"--choice", Kind::choice, "TEXT", "", ""},
        {"--whole", Kind::number, "INT", "from 0 to 4096", "7"},
        {"--above", Kind::number, "INT", "above 0", ""},
        {"--least", Kind::number, "INT", "at least 0", ""},
        {"--real", Kind::number, "FLOAT", "", "0.5"},
        {"--flag", Kind::nothing, "", "", ""}}) {
    const Switch& option = switch_named(make, name);
    EXPECT_EQ(option.value.kind, kind) << name;
    EXPECT_EQ(option.value.name, shown) << name;
    EXPECT_EQ(option.value.bounds, bounds) << name;
    EXPECT_EQ(option.default_value, usual) << name;
    EXPECT_EQ(option.value.optional, std::string(name) == "--json") << name;
    EXPECT_EQ(option.required, std::string(name) == "--out") << name;
    EXPECT_EQ(option.repeats, std::string(name) == "--set") << name;
  }
  EXPECT_THAT(switch_named(make, "--choice").value.choices, ElementsAre("all", "last"));
  EXPECT_THAT(switch_named(make, "--out").names, ElementsAre("-o", "--out"));
  EXPECT_TRUE(switch_named(make, "--many").repeats);
}

TEST(CommandTree, HasArgumentsTextsAndCommands) {
  Program program;
  const Command top = describe_commands(program.app);
  EXPECT_TRUE(top.needs_command);
  const Command& make = top.commands[0];
  EXPECT_FALSE(make.needs_command);
  EXPECT_THAT(make.path, ElementsAre("prog", "make"));
  ASSERT_EQ(make.arguments.size(), 2u);
  EXPECT_EQ(make.arguments[0].name, "input");
  EXPECT_TRUE(make.arguments[0].required);
  EXPECT_FALSE(make.arguments[0].repeats);
  EXPECT_FALSE(make.arguments[1].required);
  EXPECT_TRUE(make.arguments[1].repeats);
  EXPECT_EQ(make.arguments[1].value.kind, Value::Kind::file);
  ASSERT_EQ(make.texts.size(), 1u);
  EXPECT_EQ(make.texts[0].title, "Rules");
  EXPECT_EQ(make.texts[0].text, "a  b\n");
  Words names;
  for (const Command* command : all_commands(top)) names.push_back(full_name(*command, '-'));
  EXPECT_THAT(names, ElementsAre("prog", "prog-make", "prog-both", "prog-both-deep"));
  EXPECT_EQ(full_name(make, ' '), "prog make");
}

Command command_of(Words path) {
  Command command;
  command.path = std::move(path);
  command.summary = "Do it";
  return command;
}

// The section of a page with this title, without it.
std::string section_of(const std::string& page, const std::string& title) {
  const std::string begin = "\n.SH \"" + title + "\"\n";
  const std::size_t at = page.find(begin);
  if (at == std::string::npos) return "none";
  const std::size_t from = at + begin.size(), end = page.find("\n.SH ", from - 1);
  return page.substr(from, end == std::string::npos ? end : end + 1 - from);
}

TEST(ManualPage, LeadsToTheCommandsAboveAndNotToItself) {
  const auto see_also = [](const Words& path) {
    return section_of(manual_page(command_of(path), "V", "D"), "SEE ALSO");
  };
  EXPECT_EQ(see_also({"fathom", "a"}), "\\fBfathom\\fR(1)\n");
  EXPECT_EQ(see_also({"fathom", "a", "b"}), "\\fBfathom\\fR(1),\n\\fBfathom\\-a\\fR(1)\n");
  EXPECT_EQ(see_also({"fathom", "a", "b", "c"}),
            "\\fBfathom\\fR(1),\n\\fBfathom\\-a\\fR(1),\n\\fBfathom\\-a\\-b\\fR(1)\n");
  EXPECT_EQ(see_also({"fathom"}), "none");
}

TEST(ManualPage, BeginsWithNameVersionAndDate) {
  EXPECT_THAT(manual_page(command_of({"fathom", "a-b"}), "Fathom 1.2", "2025-01-31"),
              testing::StartsWith(
                  ".TH FATHOM\\-A\\-B 1 2025-01-31 \"Fathom 1.2\" \"Fathom's manual\"\n.nh\n.ad l\n"
                  ".SH \"NAME\"\nfathom\\-a\\-b \\- Do it\n"));
}

TEST(ManualPage, TellsHowACommandIsCalled) {
  const auto synopsis = [](const Command& command) {
    return section_of(manual_page(command, "V", "D"), "SYNOPSIS");
  };
  Command command = command_of({"fathom", "a"});
  EXPECT_EQ(synopsis(command), "\\fBfathom a\\fR\n");
  command.switches.emplace_back();
  command.arguments = {{"in", {}, "", true, false}, {"more", {}, "", false, true}};
  const std::string alone = "\\fBfathom a\\fR [\\fIOPTION\\fR]... \\fIin\\fR [\\fImore\\fR...]\n";
  EXPECT_EQ(synopsis(command), alone);
  command.commands.push_back(command_of({"fathom", "a", "b"}));
  EXPECT_EQ(synopsis(command), alone + ".br\n\\fBfathom a\\fR \\fICOMMAND\\fR ...\n");
  command.needs_command = true;
  EXPECT_EQ(synopsis(command), "\\fBfathom a\\fR \\fICOMMAND\\fR ...\n");
  EXPECT_EQ(section_of(manual_page(command, "V", "D"), "COMMANDS"),
            ".TP\n\\fBfathom\\-a\\-b\\fR(1)\nDo it\n");
}

TEST(ManualPage, HasTheFactsOfSwitchesAndArguments) {
  Command command = command_of({"fathom", "a"});
  using Kind = Value::Kind;
  command.switches = {
      {{"-h", "--help"}, {}, "show this", "", false, false},
      {{"--n"}, {Kind::number, "INT", {}, "from 0 to 9", false}, "how many", "3", false, false},
      {{"--c"}, {Kind::choice, "TEXT", {"x", "y"}, "", false}, "", "x", true, false},
      {{"--j"}, {Kind::file, "FILE", {}, "", true}, "JSON", "", false, true}};
  command.arguments = {{"in", {Kind::file, "FILE", {}, "", false}, "what to read", true, true}};
  const std::string page = manual_page(command, "V", "D");
  EXPECT_EQ(section_of(page, "OPTIONS"),
            ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshow this\n"
            ".TP\n\\fB\\-\\-n\\fR \\fIINT\\fR\nhow many (from 0 to 9; default 3)\n"
            ".TP\n\\fB\\-\\-c\\fR \\fBx\\fR|\\fBy\\fR\n(required; default x)\n"
            ".TP\n\\fB\\-\\-j\\fR [\\fIFILE\\fR]\nJSON (may be given several times)\n");
  EXPECT_EQ(section_of(page, "ARGUMENTS"), ".TP\n\\fIin\\fR...\nwhat to read (required)\n");
}

TEST(ManualPage, TakesItsPartsFromTheFooter) {
  Command command = command_of({"fathom", "a"});
  command.footer =
      "Some prose.\nKeys of the config:\n  key   a|b   what it is\nExample: fathom a x\n"
      "  fathom a y\nOr so:\n  fathom a z";
  command.texts = {{"Rules", "name  what it does\nProse of rules\n"}};
  const std::string page = manual_page(command, "V", "D");
  EXPECT_EQ(section_of(page, "DESCRIPTION"), "Some prose.\n");
  EXPECT_EQ(section_of(page, "CONFIGURATION"), ".TP\n\\fBkey\\fR = a|\\:b\nwhat it is\n");
  EXPECT_EQ(section_of(page, "RULES"), ".TP\n\\fBname\\fR\nwhat it does\n.PP\nProse of rules\n");
  EXPECT_EQ(section_of(page, "EXAMPLES"),
            ".RS 4\n.nf\nfathom a x\nfathom a y\n.fi\n.RE\n.PP\nOr so:\n"
            ".PP\n.RS 4\n.nf\nfathom a z\n.fi\n.RE\n");
}

// The message for a command line after "prog".
std::string problem_of(Words words) {
  Program program;
  words.insert(words.begin(), "prog");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return usage_problem(program.app, static_cast<int>(argv.size()), argv.data(), "REASON");
}

TEST(UsageProblem, NamesTheFirstWordThatIsNotKnown) {
  for (const auto& [words, message] : std::vector<std::pair<Words, std::string>>{
           {{"mkae"},
            "prog has no command 'mkae': did you mean 'make'? prog --help lists its "
            "commands"},
           {{"zzzzzzzzzz"}, "prog has no command 'zzzzzzzzzz': prog --help lists its commands"},
           {{"make", "x", "--otu", "y"},
            "prog make has no switch '--otu': did you mean '--out'? prog make --help lists its "
            "switches"},
           {{"make", "--otu=y"}, "prog make has no switch '--otu': did you mean '--out'?"},
           {{"make", "-x"}, "prog make has no switch '-x'"},
           {{"--flag"}, "prog has no switch '--flag'"},
           {{"make", "--text", "--flga", "--flgb"}, "prog make has no switch '--flgb'"},
           {{"make", "--text=x", "--flgb"}, "prog make has no switch '--flgb'"},
           {{"make", "-ox", "--flgb"}, "prog make has no switch '--flgb'"},
           {{"make", "--flag", "--flgb"}, "prog make has no switch '--flgb'"},
           {{"both", "deep", "--flt"},
            "prog both deep has no switch '--flt': did you mean '--flat'"},
           {{"both", "dep"}, "prog both has no command 'dep': did you mean 'deep'?"}}) {
    EXPECT_THAT(problem_of(words), testing::StartsWith(message)) << testing::PrintToString(words);
  }
}

// Numbers, lone dashes, values and files are none, nor what follows "--".
TEST(UsageProblem, TellsTheReasonWhereAllWordsAreKnown) {
  for (const Words& words : {Words{"make"},
                             {"make", "-5"},
                             {"make", "-.5"},
                             {"make", "-"},
                             {"make", "--", "--otu"},
                             {"make", "--text", "both"},
                             {"make", "both"},
                             {"make", "--many", "x"},
                             {"make", "-o", "-x"}}) {
    EXPECT_EQ(problem_of(words), "prog make: REASON; prog make --help shows how")
        << testing::PrintToString(words);
  }
  EXPECT_EQ(problem_of({"both", "somewhere"}), "prog both: REASON; prog both --help shows how");
  EXPECT_EQ(problem_of({}), "prog: REASON; prog --help shows how");
}

}  // namespace
}  // namespace fathom::cli
