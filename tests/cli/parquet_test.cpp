// Commands that read Parquet, with the files of tests/golden/parquet.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;

class Parquet : public testing::Test {
 protected:
  static std::string golden(const std::string& name) {
    return std::string(FATHOM_SOURCE_DIR) + "/tests/golden/parquet/" + name;
  }
  Outcome fathom(std::vector<std::string> arguments) { return run_fathom(dir_, arguments); }
  std::string train_tokenizer() {
    must(fathom({"tokenizer", "train", golden("plain.parquet"), "--vocab-size", "260", "--special",
                 "<s>", "--special", "</s>", "--out", dir_ / "tokenizer.json"}));
    return dir_ / "tokenizer.json";
  }

  TempDir dir_;
};

// The library is looked for where an installation has it first, and this one cannot be loaded.
TEST_F(Parquet, WithoutItsLibraryItIsRefusedByName) {
  write_file(dir_ / "lib/fathom/libfathom_parquet.so", "not a library");
  std::filesystem::create_directory(dir_ / "bin");
  std::filesystem::copy_file(FATHOM_BINARY, dir_ / "bin/fathom");
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), dir_ / "bin/fathom");
    return Process(dir_, arguments, Process::Program::any).wait();
  };
  write_file(dir_ / "words.txt", "one two three\n");
  must(run({"tokenizer", "train", dir_ / "words.txt", "--vocab-size", "260", "--out",
            dir_ / "tokenizer.json"}));
  const Outcome refused =
      run({"tokenizer", "encode", dir_ / "tokenizer.json", golden("plain.parquet")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr(golden("plain.parquet") +
                                     ": holds Parquet, which this fathom can't read: " +
                                     (dir_ / "lib/fathom/libfathom_parquet.so") + ": "));
  EXPECT_THAT(refused.err, HasSubstr("; run scripts/setup_parquet and build again, or convert the "
                                     "file to JSON lines\n"));
  EXPECT_THAT(run({"info"}).out, HasSubstr("Parquet            cannot be read: "));
}

#if FATHOM_READS_PARQUET

TEST_F(Parquet, InfoNamesArrow) {
  const auto info = nlohmann::json::parse(fathom({"info", "--json"}).out);
  EXPECT_EQ(info["parquet"]["problem"], "");
  EXPECT_THAT(fathom({"info"}).out,
              HasSubstr("Parquet            Arrow " + info["parquet"]["arrow"].get<std::string>()));
}

TEST_F(Parquet, TextIsPreparedFromAColumn) {
  const std::string tokenizer = train_tokenizer();
  const auto prepare = [&](const std::string& more) {
    write_file(dir_ / "data.toml",
               fmt::format("tokenizer = \"{}\"\noutput = \"{}\"\nheld_out_fraction = 0.0\n"
                           "end_of_document = \"</s>\"\n[[sources]]\nname = \"s\"\n"
                           "paths = [\"{}\"]\n{}",
                           tokenizer, dir_ / "out", golden("documents.parquet"), more));
    return fathom({"data", "prepare", dir_ / "data.toml"});
  };
  const Outcome broken = prepare("");
  EXPECT_EQ(broken.code, 2);
  EXPECT_THAT(broken.err,
              HasSubstr(golden("documents.parquet") + ":4: the field 'text' is not a string"));
  const Outcome other = prepare("field = \"body\"\n");
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("has no column 'body'; its columns are: id, text, bytes"));
  const Outcome outcome = prepare("skip_broken_lines = true\n");
  must(outcome);
  EXPECT_THAT(
      outcome.out,
      HasSubstr("1 broken lines are left out (the first: " + golden("documents.parquet") + ":4)"));
  EXPECT_EQ(fathom({"data", "text", dir_ / "out"}).out,
            "first document\n\n第三篇\nthe \"fifth\"\nlast\n");
}

TEST_F(Parquet, TextIsEncodedRowByRow) {
  const std::string tokenizer = train_tokenizer();
  const Outcome ids = fathom({"tokenizer", "encode", tokenizer, golden("plain.parquet")});
  must(ids);
  write_file(dir_ / "ids", ids.out);
  EXPECT_EQ(fathom({"tokenizer", "decode", tokenizer, dir_ / "ids"}).out, "first document\n\n\n");
}

TEST_F(Parquet, ConversationsAreChecked) {
  train_tokenizer();
  const Outcome outcome = fathom({"data", "check", golden("chats.parquet"), "--model", dir_ / ".",
                                  "--chat-template", "deepseek", "--show", "1"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("1 of 3 rows are bad"));
  EXPECT_THAT(outcome.out, HasSubstr("rows        3: 2 conversations\n"));
  EXPECT_THAT(outcome.out, HasSubstr("languages   en 50.0 %, zh 50.0 %\n"));
  EXPECT_THAT(outcome.out, HasSubstr(golden("chats.parquet") + ":3: "));
  EXPECT_THAT(outcome.out, HasSubstr("User: What is two and two?\n\nAssistant:[[ Four.</s>]]"));
}

#endif

}  // namespace
}  // namespace fathom::test
