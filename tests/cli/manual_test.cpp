// The manual's pages, by `fathom manual`: complete, well-formed, and true.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "cli/all_commands.h"
#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// What troff shows of text without macros.
std::string shown(std::string text) {
  for (const auto& [escape, sign] :
       std::vector<std::pair<std::string, std::string>>{{"\\fB", ""},
                                                        {"\\fI", ""},
                                                        {"\\fR", ""},
                                                        {"\\-", "-"},
                                                        {"\\&", ""},
                                                        {"\\:", ""},
                                                        {"\\(aq", "'"},
                                                        {"\\(ga", "`"},
                                                        {"\\(ha", "^"},
                                                        {"\\(ti", "~"},
                                                        {"\\e", "\\"}}) {
    replace_all(text, escape, sign);
  }
  return text;
}

// The lines of a page that stand as they are, between .nf and .fi.
std::string examples_of(const std::string& page) {
  std::string lines;
  std::istringstream in(page);
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line == ".nf" || line == ".fi") {
      inside = line == ".nf";
    } else if (inside) {
      lines += line + "\n";
    }
  }
  return shown(lines);
}

class Manual : public testing::Test {
 protected:
  Manual() { must(run_fathom(dir_, {"manual", dir_ / "man"})); }
  std::string page(const std::string& name) { return read_file(dir_ / ("man/" + name + ".1")); }
  Outcome shell(const std::string& script) {
    return Process(dir_, {"/bin/sh", "-c", script}, Process::Program::any).wait();
  }

  TempDir dir_{"manual"};
};

std::string page_name(const std::vector<std::string>& path) {
  std::string name = "fathom";
  for (const std::string& word : path) name += "-" + word;
  return name;
}

TEST_F(Manual, HasAPageOfEveryCommandWithItsSwitchesAndExample) {
  const std::vector<CommandHelp> commands = all_commands(dir_);
  const auto pages = std::distance(fs::directory_iterator(dir_ / "man"), fs::directory_iterator());
  EXPECT_EQ(pages, std::ssize(commands));
  EXPECT_GT(pages, 40);
  for (const CommandHelp& command : commands) {
    const std::string name = page_name(command.path);
    const std::string text = shown(page(name));
    for (const std::string& option : switches_in(command.help)) {
      EXPECT_THAT(text, testing::ContainsRegex("(^|, |\n)" + option + "[ ,\n]")) << name;
    }
    for (const std::string& below : commands_in(command.help))
      EXPECT_THAT(text, HasSubstr(name + "-" + below + "(1)"));
    if (command.path.empty()) continue;
    const std::size_t example = command.help.find("Example: ") + 9;
    const std::string line =
        command.help.substr(example, command.help.find('\n', example) - example);
    EXPECT_THAT(examples_of(page(name)), HasSubstr(line + "\n")) << name;
  }
}

TEST_F(Manual, HasEveryKeyOfTheConfigs) {
  for (const char* command : {"train", "sft", "dpo"}) {
    const std::string text = shown(page(std::string("fathom-") + command));
    std::istringstream lines(run_fathom(dir_, {command, "--help-config"}).out);
    int keys = 0;
    for (std::string line; std::getline(lines, line); ++keys) {
      const std::string key = line.substr(2, line.find(' ', 2) - 2);
      EXPECT_THAT(text, HasSubstr("\n" + key + " = ")) << command;
    }
    EXPECT_GT(keys, 50);
  }
  const std::string train = page("fathom-train");
  EXPECT_THAT(train, HasSubstr("\n\\fBschedule.milestones\\fR = [0.8, 0.9]\nmulti_step: shares"));
  EXPECT_THAT(train, HasSubstr("\n\\fBdtype\\fR = auto|\\:f32|\\:bf16\nof weights"));
  EXPECT_THAT(page("fathom-data-prepare"),
              HasSubstr("\n\\fBsources[].field\\fR = \"text\"\njsonl, parquet: "));
  EXPECT_THAT(page("fathom-data-clean"), HasSubstr("RULES OF FILTERS"));
}

TEST_F(Manual, IsAcceptedByTroff) {
  for (const fs::directory_entry& entry : fs::directory_iterator(dir_ / "man")) {
    const std::string text = read_file(entry.path());
    EXPECT_TRUE(std::ranges::all_of(text, [](char c) {
      return c == '\n' || (c >= ' ' && c <= '~');
    })) << entry;
  }
  if (shell("command -v groff").code != 0) GTEST_SKIP() << "needs groff";
  const Outcome outcome = shell("cd '" + (dir_ / "man") +
                                "'; for page in *.1; do groff -ww -man -Tutf8 -z $page; done");
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Manual, IsWhereHelpLeads) {
  EXPECT_THAT(run_fathom(dir_, {"--help"}).out,
              HasSubstr("first model: man fathom, or fathom manual"));
  EXPECT_THAT(
      run_fathom(dir_, {"manual", dir_ / "man"}).err,
      testing::MatchesRegex("[0-9]+ pages are in .*/man; man .*/man/fathom.1 shows the first\n"));
  const std::string first = shown(page("fathom"));
  EXPECT_EQ(first.find(".SH \"DESCRIPTION\""), first.rfind(".SH \"DESCRIPTION\""));
  EXPECT_THAT(first, HasSubstr("docs/README.md lists its chapters"));
}

TEST_F(Manual, DatesItsPagesAsItIsTold) {
  const auto manual_of = [&](const std::string& epoch) {
    return shell("SOURCE_DATE_EPOCH=" + epoch + " '" FATHOM_BINARY "' manual '" + (dir_ / "dated") +
                 "'");
  };
  must(manual_of("86400"));
  EXPECT_THAT(read_file(dir_ / "dated/fathom.1"), HasSubstr(" 1 1970-01-02 "));
  EXPECT_EQ(manual_of("soon").code, 2);
  EXPECT_EQ(run_fathom(dir_, {"manual", dir_ / "man/fathom.1"}).code, 2);
}

// All of them but the server, for a few steps instead of minutes and with little text.
TEST_F(Manual, ItsFirstModelIsTrainedByItsCommands) {
  std::string commands = examples_of(page("fathom"));
  commands.erase(commands.find("fathom serve"));
  ASSERT_THAT(commands, HasSubstr("max_minutes = 5\n"));
  replace_all(commands, "max_minutes = 5\n", "steps = 2\n");
  replace_all(commands, "--vocab-size 4096", "--vocab-size 290");
  replace_all(commands, "split -C 50k", "split -C 300");
  write_file(dir_ / "new/book.txt", tiny_text());
  const Outcome outcome = shell("set -e; cd '" + (dir_ / "new") +
                                "'; PATH=$(dirname '" FATHOM_BINARY "'):$PATH\n" + commands);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, testing::ContainsRegex("tokens of prompt, [0-9]+ generated"));
  EXPECT_TRUE(fs::exists(dir_ / "new/runs/first/report.html"));
  EXPECT_THAT(outcome.err, testing::Not(HasSubstr("warning"))) << "it puzzles who follows";
}

}  // namespace
}  // namespace fathom::test
