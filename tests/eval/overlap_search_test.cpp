// Which documents of files and prepared data hold a task's items, and what is written of them.
#include "eval/overlap_search.h"

#include <gmock/gmock.h>

#include "data/prepare.h"
#include "infer/tiny_model.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr OverlapRule short_runs{.length = 3, .shortest = 2};

class OverlapSearch : public testing::Test {
 protected:
  OverlapSearch() {
    write_file(dir_ / "data/rows.jsonl",
               "{\"q\": \"alpha beta gamma\", \"c\": [\"wrong\", \"delta epsilon\"], \"g\": 1}\n"
               "{\"q\": \"one two\", \"c\": [\"three\", \"wrong\"], \"g\": 0}\n");
  }
  TaskConfig task(const std::string& keys) {
    write_file(dir_ / "own.toml", keys + "[data]\nfiles = [\"rows.jsonl\"]\n");
    return load_task(dir_ / "own.toml");
  }
  TaskConfig choices() {
    return task(
        "[prompt]\ndescription = \"zeta eta theta\"\ncontext = \"{{ q }}\"\n"
        "choice_list = \"c\"\ngold = \"{{ g }}\"\n[shots]\ncount = 1\n");
  }
  // Of the first task's items, the documents of which are lines of a text file.
  std::vector<ItemOverlap> items(const TaskConfig& task, const std::string& lines) {
    write_file(dir_ / "text.txt", lines);
    DocumentOptions options;
    options.format = TextFormat::lines;
    const std::vector<std::string> paths{dir_ / "text.txt"};
    return find_overlap({task}, dir_ / "data", paths, short_runs, options).at(0).items;
  }
  // Of an item's documents the line and the number of runs.
  static std::vector<std::string> lines(const ItemOverlap& item) {
    std::vector<std::string> all;
    for (const auto& document : item.documents) {
      all.push_back(fmt::format("{} with {}", document.where.substr(document.where.rfind(':') + 1),
                                document.runs));
    }
    return all;
  }

  test::TempDir dir_;
};

TEST_F(OverlapSearch, DocumentsWithMostRunsComeFirst) {
  const auto found = items(choices(),
                           "alpha beta gamma\nx alpha beta gamma delta epsilon y\n"
                           "beta gamma delta epsilon\ngamma delta epsilon\nnothing\n");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].runs, 3);
  EXPECT_THAT(lines(found[0]), ElementsAre("2 with 3", "3 with 2", "1 with 1", "4 with 1"));
  EXPECT_EQ(found[0].documents[0].beginning, "x alpha beta gamma delta epsilon y");
  EXPECT_EQ(found[1].runs, 1);
  EXPECT_TRUE(found[1].documents.empty());
}

TEST_F(OverlapSearch, TwentyDocumentsAreKept) {
  std::string text;
  for (int i = 0; i < 25; ++i) text += i == 23 ? "alpha beta gamma delta\n" : "alpha beta gamma\n";
  const std::vector<std::string> kept = lines(items(choices(), text)[0]);
  ASSERT_EQ(kept.size(), 20u);
  EXPECT_EQ(kept.front(), "24 with 2");
  EXPECT_EQ(kept[1], "1 with 1");
  EXPECT_EQ(kept.back(), "19 with 1");
}

TEST_F(OverlapSearch, BeginningsAreValidText) {
  const auto found = items(choices(), "alpha beta gamma " + std::string(182, 'x') + "中\n");
  EXPECT_EQ(found[0].documents.at(0).beginning,
            "alpha beta gamma " + std::string(182, 'x') + "\xef\xbf\xbd");
}

// The question with its right answer, without the description and the examples.
TEST_F(OverlapSearch, AnItemIsItsQuestionAndRightAnswer) {
  const auto of_choices = items(choices(),
                                "gamma delta epsilon\nbeta gamma wrong\n"
                                "zeta eta theta\none two three\none two wrong\n");
  EXPECT_THAT(lines(of_choices[0]), ElementsAre("1 with 1"));
  EXPECT_THAT(lines(of_choices[1]), ElementsAre("4 with 1"));
  const auto generated = items(task("mode = \"generate\"\n[prompt]\ncontext = \"{{ q }}\"\n"
                                    "target = \"{{ c[g] }}\"\n"),
                               "one two three\none two wrong\n");
  EXPECT_THAT(lines(generated[1]), ElementsAre("1 with 1"));
  const auto documents = items(task("mode = \"perplexity\"\n[prompt]\ntarget = \"{{ q }}\"\n"),
                               "one two\nalpha beta gamma\none two three\n");
  EXPECT_THAT(lines(documents[0]), ElementsAre("2 with 1"));
  EXPECT_THAT(lines(documents[1]), ElementsAre("1 with 1", "3 with 1")) << "whole, as it is short";
}

TEST_F(OverlapSearch, TasksAreSearchedTogether) {
  write_file(dir_ / "text.txt", "one two three\n");
  DocumentOptions options;
  options.format = TextFormat::lines;
  const std::vector<std::string> paths{dir_ / "text.txt"};
  const TaskConfig first = choices();
  const TaskConfig second =
      task("mode = \"perplexity\"\n[prompt]\ntarget = \"{{ c[0] }} two three\"\n");
  const auto both = find_overlap({first, second}, dir_ / "data", paths, short_runs, options);
  ASSERT_EQ(both.size(), 2u);
  ASSERT_EQ(both[1].items.size(), 2u);
  EXPECT_THAT(lines(both[0].items[1]), ElementsAre("1 with 1"));
  EXPECT_TRUE(both[1].items[0].documents.empty());
  EXPECT_TRUE(both[1].items[1].documents.empty());
}

TEST_F(OverlapSearch, PreparedDataIsReadByItsDocuments) {
  write_file(dir_ / "text.txt", "nothing\nx alpha beta gamma y\none two three\n");
  const std::string path = dir_ / "tokenizer.json";
  write_file(path, test::byte_tokenizer({"<|endoftext|>"}));
  PrepareConfig config;
  config.output = dir_ / "prepared";
  config.tokenizer = path;
  config.held_out_fraction = 0;
  SourceConfig source;
  source.name = "web";
  source.paths = {dir_ / "text.txt"};
  source.format = TextFormat::lines;
  config.sources = {source};
  prepare_data(config, make_encoder(Tokenizer::load(path), path));
  const std::vector<std::string> paths{config.output};
  const auto found = find_overlap({choices()}, dir_ / "data", paths, short_runs)[0].items;
  ASSERT_EQ(found[0].documents.size(), 1u);
  EXPECT_EQ(found[0].documents[0].where, config.output + "/web, document 2");
  EXPECT_EQ(found[0].documents[0].beginning, "x alpha beta gamma y");
  ASSERT_EQ(found[1].documents.size(), 1u);
  EXPECT_EQ(found[1].documents[0].where, config.output + "/web, document 3");
}

// As where preparing was cut short: the last document has no end token.
TEST_F(OverlapSearch, PreparedDataMayEndWithinADocument) {
  write_file(dir_ / "text.txt", "nothing\nx alpha beta gamma y\n");
  const std::string path = dir_ / "tokenizer.json";
  write_file(path, test::byte_tokenizer({"<|endoftext|>"}));
  PrepareConfig config;
  config.output = dir_ / "prepared";
  config.tokenizer = path;
  config.held_out_fraction = 0;
  SourceConfig source;
  source.name = "web";
  source.paths = {dir_ / "text.txt"};
  source.format = TextFormat::lines;
  config.sources = {source};
  prepare_data(config, make_encoder(Tokenizer::load(path), path));
  const std::string shard = config.output + "/train/web-00000.tokens";
  std::string bytes = test::read_file(shard);
  const std::size_t tokens =
      8 + std::string("x alpha beta gamma y").size() + 1;  // of 2 bytes, behind 256
  ASSERT_EQ(bytes.substr(256 + 2 * (tokens - 1), 2), std::string("\0\1", 2));
  bytes[256 + 2 * (tokens - 1)] = '!';
  bytes[256 + 2 * (tokens - 1) + 1] = '\0';
  write_file(shard, bytes);
  const std::vector<std::string> paths{config.output};
  const auto found = find_overlap({choices()}, dir_ / "data", paths, short_runs)[0].items;
  ASSERT_EQ(found[0].documents.size(), 1u);
  EXPECT_EQ(found[0].documents[0].where, config.output + "/web, document 2");
  EXPECT_EQ(found[0].documents[0].beginning, "x alpha beta gamma y!");
}

TEST_F(OverlapSearch, RunsAreNoShorterThanWholeItems) {
  const TaskConfig own = choices();
  const auto refusal = [&](const OverlapRule& wrong) {
    return test::input_error_of([&] { find_overlap({own}, dir_ / "data", {}, wrong); });
  };
  EXPECT_EQ(refusal({.length = 2, .shortest = 2}), "no error");
  EXPECT_EQ(refusal({.length = 2, .shortest = 3}),
            "runs of 2 units, and whole items of 3: use at least 1, and no fewer for runs");
  EXPECT_THAT(refusal({.length = 2, .shortest = 0}), HasSubstr("whole items of 0"));
}

TEST(OverlapOutput, LinesAreOfItemsThatWereFound) {
  TaskOverlap overlap;
  overlap.items.resize(3);
  overlap.items[1].runs = 4;
  overlap.items[1].documents = {{"a:1", 3, "中"}, {"b:2", 1, "x"}};
  EXPECT_EQ(overlap_jsonl(overlap),
            "{\"doc_id\":1,\"runs\":4,\"documents\":[{\"where\":\"a:1\",\"runs\":3,\"beginning\":"
            "\"中\"},{\"where\":\"b:2\",\"runs\":1,\"beginning\":\"x\"}]}\n");
  overlap.items[0].documents = {{"c:1", 1, "\xff"}};
  EXPECT_THAT(overlap_jsonl(overlap),
              testing::StartsWith("{\"doc_id\":0,\"runs\":0,\"documents\":[{\"where\":\"c:1\","
                                  "\"runs\":1,\"beginning\":\"\ufffd\"}]}\n{\"doc_id\":1,"));
  overlap.items[0].documents.clear();
  overlap.task.name = "own";
  EXPECT_EQ(overlap_table({overlap}, ""),
            "task                       items   found    share\n"
            "own                            3       1   33.33%\n");
}

}  // namespace
}  // namespace fathom::eval
