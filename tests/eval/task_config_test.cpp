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
  const std::string code = "metric = \"code\"\nprogram = \"{{ completion }}\"\ntemperature = 1.0\nsamples = 4\n";
  EXPECT_THAT(error(code + "pass_at = [1, 5]"), HasSubstr("generate.pass_at has 5: use 1 to generate.samples, 4"));
  EXPECT_THAT(error(code + "pass_at = [0]"), HasSubstr("generate.pass_at has 0"));
}

TEST(TaskConfig, IsFoundByItsName) {
  const TempDir dir;
  write_file(dir / "piqa.toml", "");
  EXPECT_EQ(find_task("piqa", dir.path()), dir / "piqa.toml");
  EXPECT_EQ(find_task("own/task.toml", dir.path()), "own/task.toml");
  EXPECT_THAT(input_error_of([&] { find_task("piq", dir.path()); }), HasSubstr("did you mean piqa?"));
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
