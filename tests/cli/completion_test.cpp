// What shells offer when Tab is pressed, by the scripts of `fathom completion`.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "cli/all_commands.h"

namespace fathom::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::UnorderedElementsAre;
using testing::UnorderedElementsAreArray;
using Words = std::vector<std::string>;

std::string quoted(const std::string& word) {
  return "'" + word + "'";
}

class Completion : public testing::Test {
 protected:
  Completion() {
    write_file(dir_ / "script.bash", run_fathom(dir_, {"completion", "bash"}).out);
    write_file(dir_ / "files/run.toml", "");
    write_file(dir_ / "files/two words.toml", "");
    mkdir((dir_ / "files/folder").c_str(), 0777);
  }

  // What bash offers for the last of the words that follow `fathom`, in a folder with two files and
  // a folder. `complete -p` tells the function, as bash itself looks it up.
  std::vector<std::string> offered(const Words& words) {
    std::string line = "COMP_WORDS=(fathom";
    for (const std::string& word : words) line += " " + quoted(word);
    line += "); COMP_CWORD=" + std::to_string(words.size());
    const Outcome outcome = bash("cd " + quoted(dir_ / "files") + "; source " +
                                 quoted(dir_ / "script.bash") + "; " + line +
                                 R"(
spec=($(complete -p fathom))
[[ ${spec[1]} == -F ]] || exit 3
"${spec[2]}" fathom "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\n' "${COMPREPLY[@]}")");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return lines_of(outcome.out);
  }
  Outcome bash(const std::string& script) {
    return Process(dir_, {"/bin/bash", "-c", "set -u; " + script}, Process::Program::any).wait();
  }

  TempDir dir_{"completion"};
};

TEST_F(Completion, CommandsAndSwitchesOfEveryCommand) {
  for (const CommandHelp& command : all_commands(dir_)) {
    const std::string name = testing::PrintToString(command.path);
    Words words = command.path;
    words.emplace_back("");
    EXPECT_THAT(offered(words), IsSupersetOf(commands_in(command.help))) << name;
    words.back() = "-";
    EXPECT_THAT(offered(words), UnorderedElementsAreArray(switches_in(command.help))) << name;
  }
}

TEST_F(Completion, OfABeginning) {
  EXPECT_THAT(offered({"tr"}), ElementsAre("train"));
  EXPECT_THAT(offered({"data", "pre"}), ElementsAre("prepare"));
  EXPECT_THAT(offered({"data", "quality", "t"}), ElementsAre("train"));
  EXPECT_THAT(offered({"generate", "m", "--max"}), ElementsAre("--max-tokens"));
  EXPECT_THAT(offered({"zzz"}), IsEmpty());
}

TEST_F(Completion, OfValues) {
  EXPECT_THAT(offered({"data", "check", "--learn", ""}), ElementsAre("all", "last"));
  EXPECT_THAT(offered({"data", "check", "--learn", "l"}), ElementsAre("last"));
  EXPECT_THAT(offered({"data", "check", "--learn", "=", "l"}), ElementsAre("last"));
  EXPECT_THAT(offered({"data", "check", "--learn", "="}), ElementsAre("all", "last"));
  EXPECT_THAT(offered({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(offered({"generate", "m", "--top-k", ""}), IsEmpty());
  EXPECT_THAT(offered({"bench", "cpu", "--json", "--b"}), ElementsAre("--brief"));
}

TEST_F(Completion, OfFilesAndFolders) {
  const auto all = UnorderedElementsAre("run.toml", "two words.toml", "folder");
  EXPECT_THAT(offered({"train", ""}), all);
  EXPECT_THAT(offered({"train", "two"}), ElementsAre("two words.toml"));
  EXPECT_THAT(offered({"train", "--ranks", "2", "r"}), ElementsAre("run.toml"));
  EXPECT_THAT(offered({"generate", "m", "--prompts", ""}), all);
  EXPECT_THAT(offered({"generate", "m", "--template", ""}), all) << "NAME|FILE";
  EXPECT_THAT(offered({"eval", "m", "--tasks", ""}), all) << "NAME|FILE";
  EXPECT_THAT(offered({"eval", "m", "--beside", ""}), all) << "DIR|FILE";
  EXPECT_THAT(offered({"data", "text", ""}), ElementsAre("folder"));
  EXPECT_THAT(offered({"bench", "cpu", "--json", ""}), all);
}

// `eval` takes a model and has commands: a value that is called like one is none.
TEST_F(Completion, AfterValuesThatLookLikeCommands) {
  EXPECT_THAT(offered({"eval", "--data", "compare", ""}), Contains("overlap"));
  EXPECT_THAT(offered({"eval", "compare", ""}), Not(Contains("overlap")));
  EXPECT_THAT(offered({"eval", "--data", "=", "compare", ""}), Contains("overlap"));
}

// Of fish, which tells what it would offer.
TEST_F(Completion, OfFish) {
  if (bash("command -v fish").code != 0) GTEST_SKIP() << "needs fish";
  write_file(dir_ / "script.fish", run_fathom(dir_, {"completion", "fish"}).out);
  const auto fish = [&](const std::string& line) {
    const Outcome outcome = bash(
        "cd " + quoted(dir_ / "files") + "; HOME=" + quoted(dir_ / "home") +
        " fish --no-config -c 'source ../script.fish; complete -C \"" + line + "\"' | cut -f 1");
    EXPECT_EQ(outcome.err, "");
    return lines_of(outcome.out);
  };
  EXPECT_THAT(fish("fathom tr"), ElementsAre("train"));
  EXPECT_THAT(fish("fathom data pre"), ElementsAre("prepare"));
  EXPECT_THAT(fish("fathom data prepare --over"), ElementsAre("--overwrite"));
  EXPECT_THAT(fish("fathom data check --learn "), ElementsAre("all", "last"));
  EXPECT_THAT(fish("fathom train r"), ElementsAre("run.toml"));
  EXPECT_THAT(fish("fathom data text "), ElementsAre("folder/"));
  EXPECT_THAT(fish("fathom eval --data compare o"), ElementsAre("overlap"));
}

TEST_F(Completion, OfZshIsAScriptThatZshReads) {
  if (bash("command -v zsh").code != 0) GTEST_SKIP() << "needs zsh";
  write_file(dir_ / "_fathom", run_fathom(dir_, {"completion", "zsh"}).out);
  const Outcome outcome = bash("zsh -n " + quoted(dir_ / "_fathom"));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST_F(Completion, OfAnotherShellIsRefused) {
  const Outcome outcome = run_fathom(dir_, {"completion", "tcsh"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, testing::HasSubstr("tcsh not in {bash,zsh,fish}"));
}

}  // namespace
}  // namespace fathom::test
