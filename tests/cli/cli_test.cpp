#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "cli/random_model.h"
#include "io/packed.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::read_file;
using testing::AllOf;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::HasSubstr;
namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string out, err;
};

std::string temporary(const std::string& name) {
  static const test::TempDir directory("cli");
  return directory / name;
}

// Runs the binary with `arguments` as a shell reads them.
Outcome run(const std::string& arguments) {
  const std::string out = temporary("out"), err = temporary("err");
  const std::string command =
      fmt::format("{} {} > '{}' 2> '{}' < /dev/null", FATHOM_BINARY, arguments, out, err);
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(err)};
}

// A model directory with tiny random weights; made once.
std::string model_directory() {
  static const std::string directory = [] {
    const std::string path = temporary("model");
    fs::remove_all(path);
    test::save_random_model(path, temporary("tokenizer.json"));
    return path;
  }();
  return directory;
}

TEST(CommandLine, EveryCommandHasAnExample) {
  const Outcome top = run("--help");
  EXPECT_EQ(top.code, 0);
  EXPECT_THAT(top.out, HasSubstr("Example: fathom"));
  for (const std::string command :
       {"chat", "generate", "info", "bench", "bench cpu", "bench gpu"}) {
    EXPECT_THAT(top.out, HasSubstr(command.substr(0, command.find(' '))));
    const Outcome help = run(command + " --help");
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("Example: fathom " + command));
  }
}

TEST(CommandLine, BadUsageIsExitCode2) {
  EXPECT_EQ(run("").code, 2);
  EXPECT_EQ(run("no-such-command").code, 2);
  EXPECT_EQ(run("--no-such-option").code, 2);
  EXPECT_EQ(run("generate").code, 2);
  EXPECT_EQ(run("generate x --no-such-option").code, 2);
  EXPECT_EQ(run("generate x --threads -3").code, 2);
  EXPECT_EQ(run("generate x --seed -1").code, 2);
  EXPECT_EQ(run("generate x --threads 100000").code, 2);
}

TEST(CommandLine, SuggestsTheNearestCommand) {
  const auto message = [](const std::string& arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(message("trian run.toml"),
              HasSubstr("fathom has no command 'trian': did you mean 'train'? fathom --help"));
  EXPECT_THAT(
      message("data prepar x.toml --overwrite"),
      HasSubstr("fathom data has no command 'prepar': did you mean 'prepare'? fathom data"));
  EXPECT_THAT(message("xyzxyzxyz"),
              HasSubstr("fathom has no command 'xyzxyzxyz': fathom --help lists its commands"));
}

TEST(CommandLine, TellsItsVersion) {
  const Outcome outcome = run("--version");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, ContainsRegex("^fathom [0-9]+\\.[0-9]+\\.[0-9]+\n$"));
}

TEST(CommandLine, OutputThatCannotBeWrittenIsExitCode1) {
  for (const std::string& command :
       {std::string("info"), "generate " + model_directory() + " --prompt x --max-tokens 2"}) {
    for (const char* output : {"> /dev/full", ">&-"}) {
      const std::string shell =
          fmt::format("{} {} {} 2> '{}'", FATHOM_BINARY, command, output, temporary("err"));
      const int status = std::system(shell.c_str());
      EXPECT_EQ(WEXITSTATUS(status), 1) << shell;
      EXPECT_THAT(read_file(temporary("err")), HasSubstr("cannot write to standard output"));
    }
  }
}

TEST(Info, SaysWhatTheMachineCanDo) {
  const Outcome text = run("info");
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, HasSubstr("default dtype"));
  const Outcome json = run("info --json");
  EXPECT_EQ(json.code, 0);
  EXPECT_THAT(json.out, HasSubstr("\"instruction_sets\""));
}

// One line says why there are none; on a machine with GPUs each has a line.
TEST(Info, ListsGpusOrSaysWhyNot) {
  const Outcome text = run("info");
  ASSERT_EQ(text.code, 0);
  if (cuda::device_count() > 0) {
    EXPECT_THAT(text.out, AllOf(HasSubstr("\ncuda:0 "), HasSubstr("compute capability"),
                                HasSubstr("\nNVIDIA driver "), HasSubstr("\ncuBLASLt ")));
  } else {
    EXPECT_THAT(text.out, ContainsRegex("\nGPUs +none: [^\n]+\n"));
  }
}

TEST(Device, AMissingGpuIsOneLineAndExitCode2) {
  for (const std::string device : {"cuda:9", "cuda:x", "gpu"}) {
    const Outcome outcome = run("bench cpu --device " + device);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("error: device '" + device + "'"),
                                   AnyOf(HasSubstr("cannot be used: "), HasSubstr("use cpu, "))));
  }
}

TEST(Generate, TheSameTextForTheSameSeedAndAnyBatch) {
  const std::string file = temporary("prompts.jsonl");
  std::ofstream(file) << "{\"prompt\": \"one\"}\n\"two and three\"\n{\"text\": \"f\"}\n";
  const std::string command = "generate " + model_directory() + " --max-tokens 9 --seed 4";
  const auto sorted_lines = [](const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::ranges::sort(lines);
    return lines;
  };
  const Outcome one = run(command + " --prompts " + file + " --batch 1");
  const Outcome all = run(command + " --prompts " + file + " --batch 3");
  ASSERT_EQ(one.code, 0) << one.err;
  ASSERT_EQ(all.code, 0) << all.err;
  EXPECT_EQ(sorted_lines(one.out).size(), 3u);
  EXPECT_EQ(sorted_lines(one.out), sorted_lines(all.out));
  EXPECT_THAT(one.out, HasSubstr("\"finish_reason\":\"length\""));
  EXPECT_THAT(one.out, HasSubstr("\"tokens\":9"));
  EXPECT_THAT(one.err, HasSubstr("tokens/s"));
  EXPECT_NE(run(command + " --prompts " + file + " --seed 5").out, one.out);
}

// Equal prompts are samples of their own, and greedy ones are equal.
TEST(Generate, DrawsEachSampleByItself) {
  const std::string command = "generate " + model_directory() +
                              " --prompt abc --prompt abc --max-tokens 8 --batch 2 --temperature ";
  const auto texts = [](const std::string& out) {
    std::vector<std::string> found;
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);) {
      found.push_back(nlohmann::json::parse(line).at("text"));
    }
    return found;
  };
  const auto sampled = texts(run(command + "1").out), greedy = texts(run(command + "0").out);
  ASSERT_EQ(sampled.size(), 2u);
  ASSERT_EQ(greedy.size(), 2u);
  EXPECT_NE(sampled[0], sampled[1]);
  EXPECT_EQ(greedy[0], greedy[1]);
}

TEST(Generate, ReadsPromptsFromStandardInputLineByLine) {
  const std::string common = " --temperature 0 --max-tokens 6";
  const auto text = [&](const std::string& prompt) {
    return run("generate " + model_directory() + common + " --prompt '" + prompt + "'").out;
  };
  const std::string lines = temporary("lines"), out = temporary("lines_out");
  std::ofstream(lines) << "one\n\nlonger than the first\r\nabc";
  const std::string command = fmt::format("{} generate '{}' {} < '{}' > '{}' 2> /dev/null",
                                          FATHOM_BINARY, model_directory(), common, lines, out);
  ASSERT_EQ(WEXITSTATUS(std::system(command.c_str())), 0);
  EXPECT_EQ(read_file(out), text("one") + text("longer than the first") + text("abc"));
}

// A person who types may try again; a file of prompts ends at its first wrong one.
TEST(Generate, APromptThatIsRefusedEndsAFileAndNoTerminal) {
  const std::string model = model_directory(), typed = std::string(80, 'x') + "\nabc\n";
  const std::string common = " --temperature 0 --max-tokens 6";
  const std::string lines = temporary("refused_lines");
  std::ofstream(lines) << typed;
  const auto from = [&](const std::string& input) {
    const std::string out = temporary("typed_out"), err = temporary("typed_err");
    const int status = std::system(fmt::format("{} generate '{}' {} < '{}' > '{}' 2> '{}'",
                                               FATHOM_BINARY, model, common, input, out, err)
                                       .c_str());
    return Outcome{WEXITSTATUS(status), read_file(out), read_file(err)};
  };
  const std::string problem = "error: line 1: the prompt has 80 tokens";
  const Outcome file = from(lines);
  EXPECT_EQ(file.code, 2);
  EXPECT_EQ(file.out, "");
  EXPECT_THAT(file.err, testing::StartsWith(problem));
  const int ours = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_EQ(grantpt(ours), 0);
  ASSERT_EQ(unlockpt(ours), 0);
  const std::string terminal = ptsname(ours);
  const int theirs = open(terminal.c_str(), O_RDWR | O_NOCTTY);  // keeps what is typed
  const std::string keys = typed + "\x04";                       // Ctrl-D ends it
  ASSERT_EQ(write(ours, keys.data(), keys.size()), std::ssize(keys));
  const Outcome person = from(terminal);
  close(theirs);
  close(ours);
  EXPECT_EQ(person.code, 0) << person.err;
  EXPECT_EQ(person.out, run("generate " + model + common + " --prompt abc").out);
  EXPECT_THAT(person.err, testing::StartsWith("> " + problem));
}

// Lines of text and lines of JSON, with line ends of any system, packed or not: known by
// their content, whatever the name.
TEST(Generate, ReadsPromptsOfAnyFile) {
  const std::string base = "generate " + model_directory() + " --max-tokens 2 --batch 1 --prompts ";
  const auto prompts = [&](const std::string& name, const std::string& content) {
    const std::string file = temporary(name);
    std::ofstream(file, std::ios::binary) << content;
    const Outcome outcome = run(base + file);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::vector<std::string> found;
    std::istringstream in(outcome.out);
    for (std::string line; std::getline(in, line);) {
      found.push_back(nlohmann::json::parse(line).at("prompt"));
    }
    return found;
  };
  const std::string text = "first\r\n\r\nsecond one\r\n";
  const std::string json =
      "\xef\xbb\xbf{\"prompt\": \"first\"}\r\n\r\n{\"text\": \"second one\"}\r\n";
  const std::vector<std::string> expected{"first", "second one"};
  EXPECT_EQ(prompts("crlf.txt", text), expected);
  EXPECT_EQ(prompts("crlf.jsonl", json), expected);
  EXPECT_EQ(prompts("json_by_content.txt", json), expected);
  EXPECT_EQ(prompts("packed.jsonl.gz", test::gzip(json)), expected);
  EXPECT_EQ(prompts("packed.txt", test::gzip(text)), expected);
  EXPECT_EQ(prompts("packed", test::gzip(json)), expected);
  EXPECT_EQ(prompts("last_line.txt", "first\nsecond one"), expected);
}

TEST(Generate, TakesAnyMaxTokens) {
  for (const char* max_tokens : {"61", "9223372036854775807"}) {
    const Outcome outcome = run("generate " + model_directory() + " --prompt abc --max-tokens " +
                                max_tokens + " --top-k 9223372036854775807");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("3 tokens of prompt, 61 generated"));
  }
}

TEST(Generate, StreamsOnePromptAsText) {
  const Outcome outcome =
      run("generate " + model_directory() + " --prompt abc --temperature 0 --max-tokens 5");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_GT(outcome.out.size(), 1u);
  EXPECT_EQ(outcome.out.find("\"prompt\""), std::string::npos);
}

TEST(Generate, SaysWhatIsWrongInOneLine) {
  const std::string model = model_directory();
  const auto refused = [](const std::string& arguments, const std::string& message) {
    const Outcome outcome = run("generate " + arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  };
  refused("/no/such/model --prompt x", "/no/such/model: there is no such file or directory");
  refused(model + " --prompt x --top-p 2", "top_p is 2");
  refused(model + " --prompt x --dtype f64", "--dtype is f64: use auto, f32 or bf16");
  refused(model + " --prompt ''", "prompt 1: the prompt is empty");
  refused(model + " --prompt " + std::string(80, 'x'), "prompt 1: the prompt has 80 tokens");
  refused(model + " --prompts /no/such/file", "/no/such/file: ");
  refused(model + " --prompt x --prompts y", "cannot be used together");
  refused(model + " --prompt x --batch 0", "--batch is 0: use at least 1");
  refused(model + " --prompt x --max-tokens 0", "--max-tokens is 0: use at least 1");
  refused(model + " --prompt x --stop ''", "--stop is empty");
  refused(model + " --prompts " + temporary(""), temporary(""));

  const std::string broken = temporary("broken.jsonl");
  std::ofstream(broken) << "\"fine\"\n{\"prompt\n";
  refused(model + " --prompts " + broken, broken + ":2: ");
  const std::string blank = temporary("blank.txt");
  std::ofstream(blank) << "\r\n\n";
  const Outcome nothing = run("generate " + model + " --prompts " + blank);
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, HasSubstr(blank + ": it contains no prompt"));

  const std::string bare = temporary("no_tokenizer");
  fs::remove_all(bare);
  fs::create_directory(bare);
  fs::copy(model, bare);
  fs::remove(bare + "/tokenizer.json");
  std::ofstream(temporary("tokenizer.json")) << test::byte_tokenizer();
  refused(bare + " --prompt x", "there is no tokenizer.json in it: name one with --tokenizer");
  EXPECT_EQ(run("generate " + bare + " --prompt x --max-tokens 1 --tokenizer " + model +
                "/tokenizer.json")
                .code,
            0);
}

}  // namespace
}  // namespace fathom
