// `fathom sft` as a user runs it: killed in either stage, it ends as if it had not been.
#include <gmock/gmock.h>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SftCommand : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(dir_);
    must(run_fathom(dir_, {"train", make_tiny_config(dir_), "--set", "train.steps=10"}));
    std::string rows;
    for (int i = 0; i < 40; ++i) {
      rows += fmt::format(
          R"({{"messages": [{{"role": "user", "content": "{}?"}}, {{"role": "assistant", )"
          R"("content": "{} ships"}}]}})"
          "\n",
          i, i * i);
    }
    write_file(dir_ / "rows.jsonl", rows);
    const std::string stage = fmt::format(
        "[[stage]]\nsteps = 150\n[stage.schedule]\npeak = 1e-3\n[[stage.data]]\npaths = [\"{}\"]\n",
        dir_ / "rows.jsonl");
    write_file(dir_ / "sft.toml",
               fmt::format("threads = 1\ndtype = \"f32\"\n[model]\nfrom = \"{}\"\n"
                           "template = \"deepseek\"\n[train]\nsequence_length = 64\n"
                           "global_batch = 4\n[validation]\nshare = 0.1\nsample_tokens = 0\n"
                           "[checkpoint]\ninterval_seconds = 0\nevery_steps = 20\n{}{}",
                           dir_ / "run", stage, stage));
  }
  std::vector<std::string> command(const std::string& output) const {
    return {"sft", dir_ / "sft.toml", "--set", "output=" + output};
  }
  // Kills a run as soon as a path is there.
  void kill_at(const std::string& output, const std::string& path) const {
    Process process(dir_, command(output));
    ASSERT_TRUE(process.until([&] { return fs::exists(output + path); }))
        << read_file(dir_ / "stderr");
    process.send(SIGKILL);
    EXPECT_EQ(process.wait().signal, SIGKILL);
  }

  TempDir dir_;
};

TEST_F(SftCommand, KilledInEitherStageEndsWithTheSameModel) {
  const std::string whole = dir_ / "whole", killed = dir_ / "killed";
  must(run_fathom(dir_, command(whole)));
  kill_at(killed, "/stage-1/checkpoints/step-00000020");
  EXPECT_FALSE(fs::exists(killed + "/model"));
  kill_at(killed, "/stage-2/checkpoints/step-00000020");
  const Outcome end = run_fathom(dir_, command(killed));
  must(end);
  EXPECT_THAT(end.err, HasSubstr("stage 1 is done"));
  EXPECT_THAT(end.err, HasSubstr("resuming"));
  const std::string model = read_file(whole + "/model/model.safetensors");
  EXPECT_GT(model.size(), 100000u);
  EXPECT_TRUE(read_file(killed + "/model/model.safetensors") == model);
  must(run_fathom(dir_, {"generate", killed + "/model", "--prompt", "7?", "--max-tokens", "4"}));
}

TEST_F(SftCommand, SaysWhatIsWrong) {
  const auto refused = [&](std::vector<std::string> more, const std::string& message) {
    std::vector<std::string> arguments = command(dir_ / "x");
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_fathom(dir_, arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  };
  refused({"--set", "model.from=/no/such"}, "model.from: /no/such");
  refused({"--set", "model.template=nothing"}, "nothing");
  refused({"--set", "train.sequence_length=8"}, "rows.jsonl");
  refused({"--resume", "/some/checkpoint"}, "--resume");
  write_file(dir_ / "rows.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n");
  refused({}, "rows.jsonl:1");
  EXPECT_FALSE(fs::exists(dir_ / "x"));
  const Outcome help = run_fathom(dir_, {"sft", "--help-config"});
  must(help);
  EXPECT_THAT(help.out, HasSubstr("stage[].data[].weight"));
}

}  // namespace
}  // namespace fathom::test
