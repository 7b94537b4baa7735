// `cmake --install` of the build that is tested, into a folder that is then moved.
#include <gmock/gmock.h>

#include <filesystem>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Installation : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TempDir("install");
    must(Process(*dir_, {FATHOM_CMAKE, "--install", FATHOM_BUILD_DIR, "--prefix", *dir_ / "first"},
                 Process::Program::any)
             .wait());
    fs::rename(*dir_ / "first", *dir_ / "moved");
    fs::create_directory(*dir_ / "elsewhere");
  }
  static void TearDownTestSuite() { delete dir_; }
  // The installed fathom, from a folder without configs/.
  static Outcome run(const std::string& arguments) {
    return Process(*dir_,
                   {"/bin/sh", "-c",
                    "cd '" + (*dir_ / "elsewhere") + "'; exec ../moved/bin/fathom " + arguments},
                   Process::Program::any)
        .wait();
  }
  static std::string installed(const std::string& path) { return *dir_ / ("moved/" + path); }

  static TempDir* dir_;
};
TempDir* Installation::dir_ = nullptr;

TEST_F(Installation, FindsItsConfigsFromAnywhere) {
  const Outcome flops = run("scaling flops configs/models/deepseek-llm-7b.toml");
  EXPECT_EQ(flops.code, 0) << flops.err;
  EXPECT_THAT(run("eval x --tasks piqua --data .").err, HasSubstr("did you mean piqa"));
  EXPECT_THAT(run("train configs/demo/nothing.toml").err,
              HasSubstr("configs/demo/nothing.toml: cannot read"));
  // One of the user's own comes first.
  write_file(*dir_ / "elsewhere/configs/demo/train.toml", "[modle]\n");
  const Outcome own = run("train configs/demo/train.toml");
  fs::remove_all(*dir_ / "elsewhere/configs");
  EXPECT_THAT(own.err, HasSubstr("configs/demo/train.toml:1: modle: this key is not known"));
}

TEST_F(Installation, HasManualAndCompletions) {
  EXPECT_TRUE(fs::exists(installed("share/man/man1/fathom-data-prepare.1")) ||
              fs::exists(installed("share/man/man1/fathom-data-prepare.1.gz")));
  for (const auto& [shell, file] : {std::pair{"bash", "share/bash-completion/completions/fathom"},
                                    {"zsh", "share/zsh/site-functions/_fathom"},
                                    {"fish", "share/fish/vendor_completions.d/fathom.fish"}}) {
    EXPECT_EQ(read_file(installed(file)), run(std::string("completion ") + shell).out);
  }
  for (const char* file : {"README.md", "LICENSE", "docs/training.md"}) {
    EXPECT_TRUE(fs::exists(installed(std::string("share/doc/fathom/") + file))) << file;
  }
}

TEST_F(Installation, HasItsReaderOfParquet) {
  if (!FATHOM_READS_PARQUET) GTEST_SKIP() << "built without Parquet";
  EXPECT_TRUE(fs::exists(installed("lib/fathom/libfathom_parquet.so")));
  EXPECT_EQ(run("data stats '" FATHOM_SOURCE_DIR "/tests/golden/parquet/plain.parquet'").code, 0);
}

}  // namespace
}  // namespace fathom::test
