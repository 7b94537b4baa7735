// What each command takes: what it needs, what it has by itself, and the numbers that it refuses;
// and how fathom starts.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <sstream>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Arguments = std::vector<std::string>;

Arguments words_of(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

// Whatever the path by which it was started.
TEST(Usage, HelpCallsTheProgramByItsName) {
  const TempDir dir;
  EXPECT_THAT(run_fathom(dir, {"--help"}).out, HasSubstr("Usage: fathom [OPTIONS]"));
}

TEST(Usage, CommandsNameWhatTheyLack) {
  const TempDir dir;
  for (const auto& [command, missing] : {std::pair{"", "A subcommand is required"},
                                         {"data", "A subcommand is required"},
                                         {"tokenizer", "A subcommand is required"},
                                         {"bench", "A subcommand is required"},
                                         {"scaling", "A subcommand is required"},
                                         {"scaling flops", "model is required"},
                                         {"scaling allocate", "--compute is required"},
                                         {"scaling fit", "results is required"},
                                         {"scaling predict", "--laws is required"},
                                         {"convert", "from is required"},
                                         {"convert x", "to is required"},
                                         {"data prepare", "config is required"},
                                         {"data check", "paths is required"},
                                         {"data clean", "config is required"},
                                         {"data dedup", "config is required"},
                                         {"data mix", "directory is required"},
                                         {"data mix x", "--tokens is required"},
                                         {"data quality", "A subcommand is required"},
                                         {"data quality train", "config is required"},
                                         {"data run", "config is required"},
                                         {"data sample", "paths is required"},
                                         {"data stats", "paths is required"},
                                         {"data text", "directory is required"},
                                         {"chat", "model is required"},
                                         {"generate", "model is required"},
                                         {"eval", "model is required"},
                                         {"eval x", "--tasks is required"},
                                         {"eval x --tasks y", "--data is required"},
                                         {"eval compare x", "second is required"},
                                         {"eval overlap", "paths is required"},
                                         {"serve", "model is required"},
                                         {"tokenizer encode", "tokenizer is required"},
                                         {"tokenizer decode", "tokenizer is required"},
                                         {"train", "config is required"},
                                         {"verify --layouts dp2", "config is required"},
                                         {"verify x", "--layouts is required"}}) {
    const Outcome outcome = run_fathom(dir, words_of(command));
    EXPECT_EQ(outcome.code, 2) << command;
    EXPECT_THAT(outcome.err, HasSubstr(missing)) << command;
    EXPECT_EQ(outcome.out, "") << command;
  }
}

TEST(Usage, WhatIsLackingIsToldWithTheCommandAndItsHelp) {
  const TempDir dir;
  for (const auto& [command, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "error: fathom: A subcommand is required; fathom --help shows how\n"},
           {"data prepare --overwrite",
            "error: fathom data prepare: config is required; fathom data prepare --help shows "
            "how\n"},
           {"train --set",
            "error: fathom train: --set: 1 required KEY=VALUE missing; fathom train --help shows "
            "how\n"}}) {
    EXPECT_EQ(run_fathom(dir, words_of(command)).err, message);
  }
}

// Also where the parser stumbles over another word first, and below a command that takes words.
TEST(Usage, UnknownWordsAreAnsweredWithTheNearestKnown) {
  const TempDir dir;
  for (const auto& [command, message] : std::vector<std::pair<std::string, std::string>>{
           {"generate m --max-token 5",
            "fathom generate has no switch '--max-token': did you mean '--max-tokens'? fathom "
            "generate --help"},
           {"generate m -max-tokens=5", "no switch '-max-tokens': did you mean '--max-tokens'?"},
           {"generate m --prompt --topk --max-token=5",
            "no switch '--max-token': did you mean '--max-tokens'?"},
           {"generate --zzzzzzzz",
            "fathom generate has no switch '--zzzzzzzz': fathom generate --help lists its "
            "switches"},
           {"--verson", "fathom has no switch '--verson': did you mean '--version'?"},
           {"data --hlep", "fathom data has no switch '--hlep': did you mean '--help'?"},
           {"data quality trian x",
            "fathom data quality has no command 'trian': did you mean 'train'?"},
           {"data mix x --token 5", "no switch '--token': did you mean '--tokens'?"},
           {"eval compar a b", "fathom eval has no command 'compar': did you mean 'compare'?"},
           {"eval compare a b --jsn",
            "fathom eval compare has no switch '--jsn': did you mean '--json'?"},
           // Values are not words of fathom.
           {"generate m --seed -5", "--seed"},
           {"eval --data overlap", "model is required"}}) {
    const Outcome outcome = run_fathom(dir, words_of(command));
    EXPECT_EQ(outcome.code, 2) << command;
    EXPECT_THAT(outcome.err, HasSubstr(message)) << command;
    EXPECT_EQ(outcome.out, "") << command;
  }
}

TEST(Usage, AFileThatIsCalledNearlyLikeACommandIsAFile) {
  const TempDir dir;
  write_file(dir / "compar", "");
  const std::string here = "cd '" + dir.path() + "'; exec '" FATHOM_BINARY "' eval compar --data x";
  const Outcome outcome = Process(dir, {"/bin/sh", "-c", here}, Process::Program::any).wait();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--tasks is required"));
}

TEST(Usage, HelpTellsTheDefaults) {
  const TempDir dir;
  const std::string step =
      "--micro-batch INT=0 --dtype TEXT=auto --precision TEXT=dtype --threads INT:INT in [0 - 4096]=0 ";
  const std::string gpu =
      "--device TEXT=cuda --tokens-per-step INT=32768 --sequence-length "
      "INT=4096 --recompute TEXT=auto --logits-chunk INT=8192 --heat FLOAT=10 ";
  for (const auto& [command, defaults] : std::vector<std::pair<std::string, std::string>>{
           {"bench cpu", step + "--device TEXT=cpu --tokens-per-step INT=4096 --sequence-length "
                                "INT=512 --recompute TEXT=none --logits-chunk INT=1024 --heat "
                                "FLOAT=0 --steps INT=5 --peak FLOAT=0"},
           {"bench gpu", step + gpu + "--steps INT=7 --peak FLOAT=989"},
           {"bench save", step + gpu + "--steps INT:POSITIVE=7"},
           {"eval",
            "--device TEXT=cpu --dtype TEXT=auto --batch INT=64 --cache-gib FLOAT=4 --max-length "
            "INT=0 "
            "--code TEXT:{isolated,limits}=isolated --python PROGRAM=python3"},
           {"data mix", "--temperature FLOAT=1 --max-epochs FLOAT=4"},
           {"data sample", "--count INT=10 --seed UINT=0"},
           {"generate",
            "--max-tokens INT=128 --temperature FLOAT=1 --top-k INT=0 --top-p FLOAT=1 "
            "--min-p FLOAT=0 --repetition-penalty FLOAT=1 --seed UINT:NONNEGATIVE=0 "
            "--device TEXT=cpu --dtype TEXT=auto --weights TEXT=dtype --batch INT=16"},
           {"serve",
            "--device TEXT=cpu --dtype TEXT=auto --weights TEXT=dtype --host TEXT=127.0.0.1 --port "
            "INT:INT in [0 - 65535]=8000 "
            "--drain-seconds FLOAT:FLOAT in [0 - 86400]=30"},
           {"convert", "--dtype TEXT:{bf16,f32,f16,q8_0}=bf16"},
           {"scaling allocate", "--laws NAME|FILE=deepseek --data DIR=prepared"},
           {"scaling fit",
            "--metric TEXT:{loss,bits_per_byte}=loss --budget-tolerance FLOAT:FLOAT in [0 - "
            "1]=0.05 "
            "--least-compute FLOAT:NONNEGATIVE=0 --draws INT:INT in [100 - 100000]=1000 --seed "
            "UINT=1"},
           {"scaling hparams", "--laws NAME|FILE=deepseek"},
           {"tokenizer train", "--out FILE=tokenizer.json"},
           {"tokenizer encode", "--out FILE=- --text-field TEXT=text"},
           {"tokenizer decode", "--out FILE=-"}}) {
    Arguments arguments = words_of(command);
    arguments.emplace_back("--help");
    std::string help = run_fathom(dir, arguments).out;
    std::ranges::replace(help, '\n', ' ');
    for (std::size_t begin = 0, end = 0; begin < defaults.size(); begin = end + 1) {
      end = std::min(defaults.find(" --", begin), defaults.size());
      const std::string shown = "  " + defaults.substr(begin, end - begin);
      const std::size_t equals = shown.rfind('=');
      // CLI11 writes "=5" up to version 2.3, " [5]" from 2.4 on.
      const std::string newer = shown.substr(0, equals) + " [" + shown.substr(equals + 1) + "] ";
      EXPECT_THAT(help, testing::AnyOf(HasSubstr(shown + " "), HasSubstr(newer))) << command;
    }
  }
}

TEST(Usage, NumbersOutsideTheirRangesAreRefused) {
  const TempDir dir;
  for (const char* command :
       {"bench cpu --threads -1", "bench cpu --threads 4097", "bench save --threads 4097",
        "bench save --steps 0", "generate x --threads 4097", "generate x --seed -1",
        "serve x --port -1", "serve x --port 65536", "serve x --max-sequences 0",
        "serve x --max-waiting -1", "serve x --max-length -1", "serve x --tokens-per-step -1",
        "serve x --cache-gib 0", "serve x --max-body-mib 0", "serve x --drain-seconds -1",
        "serve x --max-unsent-mib 0", "serve x --swap-seconds -1",
        "tokenizer train x --threads 4097", "tokenizer encode x --threads 4097",
        "tokenizer train x --threads -1", "tokenizer encode x --threads -1", "train x --ranks 0",
        "train x --ranks 4097", "verify x --layouts dp2 --steps 0",
        "verify x --layouts dp2 --steps 1000001", "verify x --layouts dp2 --transfers some",
        "convert x y --dtype f64", "convert x y --max-shard-size 0",
        "scaling flops x --sequence-length 0", "scaling fit x --draws 99",
        "scaling predict --laws x --tokens 1 --unique-tokens 0",
        "scaling predict --laws x --tokens 1 --sequence-length 0"}) {
    const Outcome outcome = run_fathom(dir, words_of(command));
    EXPECT_EQ(outcome.code, 2) << command;
    const std::string option = command + std::string(command).rfind("--");
    EXPECT_THAT(outcome.err, HasSubstr(option.substr(0, option.find(' ')) + ": ")) << command;
  }
}

// Idle threads of OpenMP sleep early, unless the user has set how they wait.
TEST(Usage, StartsItselfAgainWithItsEnvironment) {
  const TempDir dir;
  const std::string fifo = dir / "prompts";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  // Of a run that has come so far as to open its prompts.
  const auto environment = [&](const Arguments& settings) {
    Arguments words{"/usr/bin/env", "-u", "GOMP_SPINCOUNT", "-u", "OMP_WAIT_POLICY"};
    words.insert(words.end(), settings.begin(), settings.end());
    words.insert(words.end(), {FATHOM_BINARY, "generate", dir / "none", "--prompts", fifo});
    Process process(dir, words, Process::Program::any);
    int writer = -1;
    process.until([&] { return (writer = open(fifo.c_str(), O_WRONLY | O_NONBLOCK)) >= 0; });
    std::string all = read_file("/proc/" + std::to_string(process.pid()) + "/environ");
    std::ranges::replace(all, '\0', '\n');
    close(writer);
    process.wait();
    return "\n" + all;
  };
  EXPECT_THAT(environment({}), HasSubstr("\nGOMP_SPINCOUNT=3000\n"));
  EXPECT_THAT(environment({"GOMP_SPINCOUNT=7"}), HasSubstr("\nGOMP_SPINCOUNT=7\n"));
  EXPECT_THAT(environment({"OMP_WAIT_POLICY=active"}), Not(HasSubstr("GOMP_SPINCOUNT")));
}

}  // namespace
}  // namespace fathom::test
