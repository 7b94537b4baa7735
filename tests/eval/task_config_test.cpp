// Task files: those of configs/tasks are read, and mistakes are named.
#include "eval/task_config.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "eval/prompts.h"
#include "eval/task_folder.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;

TEST(TaskConfig, OfEveryTaskIsReadAndHasPrompts) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FATHOM_SOURCE_DIR "/configs/tasks")) {
    if (entry.path().extension() != ".toml") continue;
    const TaskConfig task = load_task(entry.path().string());
    EXPECT_EQ(task.name, entry.path().stem().string());
    EXPECT_FALSE(task.description.empty() || task.language.empty()) << task.name;
    EXPECT_NO_THROW(make_items(task, {}, {})) << task.name;  // its templates are templates
    ++count;
  }
  EXPECT_GE(count, 40);
}

TEST(TaskConfig, NamesWhatIsMissingOrDoubled) {
  const TempDir dir;
  const auto error = [&](const std::string& text) {
    write_file(dir / "t.toml", text);
    return input_error_of([&] { load_task(dir / "t.toml"); });
  };
  const std::string data = "[data]\nfiles = [\"x\"]\n";
  EXPECT_THAT(error("mode = \"choices\""), HasSubstr("t.toml: data.files is missing"));
  EXPECT_THAT(error(data), HasSubstr("prompt.choices is missing"));
  EXPECT_THAT(error(data + "[prompt]\nchoices = [\"a\"]"), HasSubstr("prompt.gold is missing"));
  EXPECT_THAT(error(data + "[prompt]\nchoices = [\"a\"]\nchoice_list = \"c\"\ngold = \"0\""), HasSubstr("exclude each other"));
  EXPECT_THAT(error(data + "[prompt]\ncontext = \"x\"\ncontexts = [\"a\"]\ngold = \"0\"\ntarget = \"t\""), HasSubstr("exclude each other"));
  EXPECT_THAT(error(data + "[prompt]\nchoices = [\"a\"]\ngold = \"0\"\ngold_choice = \"0\""), HasSubstr("exclude each other"));
  EXPECT_THAT(error("mode = \"generate\"\n" + data), HasSubstr("prompt.target is missing"));
  EXPECT_THAT(error("mode = \"guess\"\n" + data), HasSubstr("guess"));
  EXPECT_THAT(error("name = \"mmlu/law\"\n" + data), HasSubstr("t.toml: name is 'mmlu/law': use no /"));
  EXPECT_THAT(error("weight = 0\n" + data), HasSubstr("t.toml: weight is 0"));
  EXPECT_THAT(error("mode = \"perplexity\"\n" + data + "[prompt]\ntarget = \"x\"\n[shots]\ncount = 2"), HasSubstr("without examples"));
  EXPECT_THAT(error(data + "[prompt]\nchoices = [\"a\"]\ngold = \"0\"\n[shots]\ncount = 2\ntexts = [\"x\"]"), HasSubstr("shots.texts has 1"));
  EXPECT_THAT(error(data + "[prompt]\nchoices = [\"a\"]\ngold = \"0\"\nchoise = 1"), HasSubstr("choise"));
}

TEST(TaskConfig, ChecksEachKindOfTask) {
  const TempDir dir;
  const auto error = [&](const std::string& begin, const std::string& rest) {
    write_file(dir / "t.toml", begin + "\n[data]\nfiles = [\"x\"]\n" + rest);
    const std::string message = input_error_of([&] { load_task(dir / "t.toml"); });
    return message.substr(message.rfind(dir / "t.toml: ", 0) == 0 ? (dir / "t.toml: ").size() : 0);
  };
  const std::string contexts = "[prompt]\ncontexts = [\"a\"]\n",
                    choices = "[prompt]\nchoices = [\"a\"]\n";
  EXPECT_EQ(error("", contexts + "gold = \"0\"\ntarget = \"t\""), "no error");
  EXPECT_EQ(error("", contexts + "gold_choice = \"0\"\ntarget = \"t\""),
            "prompt.gold is missing: which answer is right");
  EXPECT_EQ(error("", contexts + "gold = \"0\""),
            "prompt.target is missing: the answer to all contexts");
  EXPECT_EQ(error("", contexts + "gold = \"0\"\ntarget = \"t\"\nunconditional = \"\""),
            "prompt.unconditional compares answers, and prompt.contexts has only one");
  EXPECT_EQ(error("", choices + "gold_choice = \"0\"\nunconditional = \"\""), "no error");
  EXPECT_EQ(error("mode = \"likelihood\"", "[prompt]\ncontext = \"a\""),
            "prompt.target is missing: the answer whose likelihood is measured");
  EXPECT_EQ(error("mode = \"likelihood\"", "[prompt]\ntarget = \"a\""), "no error");
  EXPECT_EQ(error("mode = \"perplexity\"", ""), "prompt.target is missing: the document");
  EXPECT_EQ(error("mode = \"perplexity\"", "[prompt]\ntarget = \"a\"\n[shots]\ncount = 1"),
            "shots.count is 1: documents are read without examples");
  EXPECT_EQ(error("mode = \"generate\"", "[prompt]\ngolds = \"a\""), "no error");
  EXPECT_EQ(error("mode = \"generate\"", "[prompt]\ngolds = \"a\"\n[shots]\ncount = 1"),
            "prompt.target is missing: the answer that examples show");
  EXPECT_EQ(
      error("mode = \"generate\"", "[prompt]\ngolds = \"a\"\n[shots]\ncount = 1\ntexts = [\"x\"]"),
      "no error");
  EXPECT_EQ(error("mode = \"generate\"", "[generate]\nmetric = \"instructions\""), "no error");
  EXPECT_EQ(error("mode = \"generate\"", "[generate]\nmetric = \"drop\""),
            "prompt.target is missing: the right answer");
  const std::string good = choices + "gold = \"0\"\n[shots]\n";
  EXPECT_EQ(error("", good + "count = -1"), "shots.count is -1: use 0 or more");
  EXPECT_EQ(error("", good + "seed = -1"), "shots.seed is -1: use 0 or more");
  EXPECT_EQ(error("", good + "seed = 0"), "no error");
  EXPECT_EQ(error("", good + "count = 2\ntexts = [\"x\", \"y\"]"), "no error");
  EXPECT_EQ(error("", good + "count = 3\ntexts = [\"x\", \"y\"]"),
            "shots.count is 3, and shots.texts has 2");
  EXPECT_EQ(error("", good + "draw = \"same_value\""),
            "shots.same is missing: the field whose value examples share");
  EXPECT_EQ(error("", good + "draw = \"same_value\"\nsame = \"p\""), "no error");
  EXPECT_EQ(error("weight = -1.0", good), "weight is -1: use more than 0");
  EXPECT_EQ(error("weight = 0.5", good), "no error");
}

TEST(TaskConfig, HasTheNameOfItsFileAndAFilter) {
  const TempDir dir;
  write_file(dir / "own.x.toml",
             "[data]\nfiles = [\"x\"]\n[prompt]\nchoices = [\"a\"]\ngold = \"0\"\n");
  const TaskConfig task = load_task(dir / "own.x.toml");
  EXPECT_EQ(task.name, "own.x");
  EXPECT_EQ(task.source, dir / "own.x.toml");
  ASSERT_EQ(task.generate.filters.size(), 1u);
  EXPECT_EQ(task.generate.filters[0].name, "none");
  EXPECT_TRUE(task.generate.filters[0].steps.empty());
  EXPECT_EQ(load_task(dir / "own.x.toml", {"name=other"}).name, "other");
}

// They are of the task as its file has it.
TEST(TaskConfig, LeavesOutPublishedScoresWhereItIsChanged) {
  const TempDir dir;
  const std::string task = "[data]\nfiles = [\"x\"]\n[prompt]\nchoices = [\"a\"]\ngold = \"0\"\n";
  write_file(dir / "t.toml", task + "[[published]]\nmodel = \"M\"\nvalue = 0.5\nscore = \"acc\"\nsource = \"S\"\n");
  const auto published = [&](const std::vector<std::string>& overrides) { return load_task(dir / "t.toml", overrides).published; };
  ASSERT_EQ(published({}).size(), 1u);
  EXPECT_EQ(published({})[0].model, "M");
  EXPECT_EQ(published({})[0].value, 0.5);
  EXPECT_EQ(published({})[0].score, "acc");
  EXPECT_EQ(published({})[0].source, "S");
  EXPECT_TRUE(published({"shots.count=1"}).empty());
  EXPECT_TRUE(published({"shots.count=0"}).empty());
  const auto with_value = [&](const std::string& begin, const std::string& score,
                              const char* number) {
    write_file(dir / "t.toml", begin + task +
                                   "[[published]]\nmodel = \"M\"\nsource = \"S\"\nscore = \"" +
                                   score + "\"\nvalue = " + number);
    return input_error_of([&] { load_task(dir / "t.toml"); });
  };
  for (const char* share : {"0.0", "1.0"}) EXPECT_EQ(with_value("", "acc", share), "no error");
  for (const char* other : {"1.01", "-0.01"})
    EXPECT_THAT(with_value("", "acc", other), HasSubstr("use a share from 0 to 1")) << other;
  EXPECT_EQ(with_value("", "perplexity", "7.5"), "no error");
  EXPECT_THAT(with_value("", "perplexities", "7.5"), HasSubstr("published.value is 7.5"));
  EXPECT_THAT(with_value("mode = \"perplexity\"\n", "", "7.5"),
              HasSubstr("prompt.target is missing"));
  for (const char* value : {"75.4", "-0.1", "nan"}) {
    write_file(dir / "t.toml", task + "[[published]]\nmodel = \"M\"\nsource = \"S\"\nvalue = " + value);
    EXPECT_THAT(input_error_of([&] { load_task(dir / "t.toml"); }), HasSubstr("published.value is ")) << value;
  }
  for (const auto& [missing, kept] : {std::pair{"model", "source = \"S\""}, std::pair{"source", "model = \"M\""}}) {
    write_file(dir / "t.toml", task + "[[published]]\nvalue = 0.5\n" + kept);
    EXPECT_THAT(input_error_of([&] { load_task(dir / "t.toml"); }), HasSubstr(std::string("published.") + missing + " is missing"));
  }
}

TEST(TaskConfig, ChecksHowTextIsGenerated) {
  const TempDir dir;
  const auto error = [&](const std::string& generate) {
    write_file(dir / "t.toml", "mode = \"generate\"\n[data]\nfiles = [\"x\"]\n[prompt]\ntarget = \"t\"\n[generate]\n" + generate);
    return input_error_of([&] { load_task(dir / "t.toml"); });
  };
  EXPECT_THAT(error("metric = \"code\""), HasSubstr("generate.program is missing"));
  EXPECT_THAT(error("max_tokens = 0"), HasSubstr("generate.max_tokens is 0: use at least 1"));
  EXPECT_THAT(error("samples = 0"), HasSubstr("generate.samples is 0"));
  EXPECT_THAT(error("samples = 2"), HasSubstr("at temperature 0, which gives the same answer each time"));
  EXPECT_THAT(error("temperature = -1.0"), HasSubstr("generate.temperature is -1"));
  EXPECT_THAT(error("top_p = 0.0"), HasSubstr("generate.top_p is 0"));
  EXPECT_THAT(error("program_seconds = 0.0"), HasSubstr("generate.program_seconds is 0"));
  EXPECT_THAT(error("program_mib = 0"), HasSubstr("generate.program_mib is 0"));
  EXPECT_THAT(error("top_p = 1.01"), HasSubstr("generate.top_p is 1.01: use more than 0, to 1"));
  EXPECT_THAT(error("top_p = nan"), HasSubstr("generate.top_p is nan"));
  EXPECT_THAT(error("temperature = nan"), HasSubstr("generate.temperature is nan"));
  EXPECT_THAT(error("program_seconds = -1.0"), HasSubstr("generate.program_seconds is -1"));
  EXPECT_EQ(error("max_tokens = 1\nsamples = 1\nprogram_mib = 1\ntop_p = 1.0\ntemperature = "
                  "0.0\nprogram_seconds = 0.1"),
            "no error");
  EXPECT_EQ(error("samples = 2\ntemperature = 0.1\ntop_p = 0.1\npass_at = [9]"), "no error")
      << "no code, no pass@k";
  const std::string code = "metric = \"code\"\nprogram = \"{{ completion }}\"\ntemperature = 1.0\nsamples = 4\n";
  EXPECT_THAT(error(code + "pass_at = [1, 5]"), HasSubstr("generate.pass_at has 5: use 1 to generate.samples, 4"));
  EXPECT_THAT(error(code + "pass_at = [0]"), HasSubstr("generate.pass_at has 0"));
  EXPECT_EQ(error(code + "pass_at = [1, 4]"), "no error");
}

TEST(TaskConfig, IsFoundByItsName) {
  const TempDir dir;
  write_file(dir / "piqa.toml", "");
  EXPECT_EQ(find_task("piqa", dir.path()), dir / "piqa.toml");
  EXPECT_EQ(find_task("own/task.toml", dir.path()), "own/task.toml");
  EXPECT_THAT(input_error_of([&] { find_task("piq", dir.path()); }), HasSubstr("did you mean piqa?"));
  write_file(dir / "other.txt", "");
  for (const auto& [name, folder] : {std::pair(std::string("other"), dir.path()),
                                     {"nothing-like-it", dir.path()},
                                     {"piqa", dir / "none"}}) {
    EXPECT_EQ(input_error_of([&] { find_task(name, folder); }),
              "there is no task '" + name + "' in " + folder +
                  ": give the path of its .toml file, or --configs");
  }
}

TEST(TaskFolder, IsTheOneGivenOrOneThatIsThere) {
  const TempDir dir;
  EXPECT_EQ(task_folder(dir.path()), dir.path());
  EXPECT_THAT(input_error_of([&] { task_folder(dir / "none"); }), HasSubstr("--configs: there is no folder"));
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  const std::string none = input_error_of([&] { task_folder(""); });
  std::filesystem::create_directories("configs/tasks");
  const std::string own = task_folder("");
  std::filesystem::current_path(here);
  EXPECT_THAT(none, HasSubstr("there is no folder configs/tasks here nor beside"));
  EXPECT_EQ(own, "configs/tasks");
}

}  // namespace
}  // namespace fathom::eval
