#include "data/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <map>

#include "data/document_chunks.h"
#include "data/prepare_split.h"
#include "data/sample_data.h"
#include "tokenizer/trainer.h"

namespace fathom {
namespace {

using test::byte_encoder;
using test::input_error_of;
using test::read_file;
using test::runtime_error_of;
using test::sample_config;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;

std::map<std::string, std::string> content_of(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) {
      files[std::filesystem::relative(entry.path(), directory)] = read_file(entry.path());
    }
  }
  return files;
}

TEST(Prepare, EveryDocumentIsInOneSplitAndCounted) {
  const TempDir dir;
  const PrepareReport report = prepare_data(sample_config(dir), byte_encoder());
  const PreparedData data = open_prepared(dir / "out", Verify::content);
  ShardCounts expected[2];
  for (int i = 0; i < 200; ++i) {
    const auto size = static_cast<std::int64_t>(test::document(i).size());
    expected[is_held_out(test::document(i), 0, 0.2)] += {1, size + 1, size};
  }
  EXPECT_EQ(data.sources[0].train.counts(), expected[0]);
  EXPECT_EQ(data.sources[0].held_out.counts(), expected[1]);
  EXPECT_NEAR(double(expected[1].documents), 40, 20);
  EXPECT_GT(report.manifest.sources[0].shards[0].size(), 5u);
  EXPECT_EQ(data.eos, 0);
  EXPECT_EQ(data.sources[0].weight, 3.0);
  EXPECT_THAT(summary(report), HasSubstr("bytes/token"));
}

TEST(Prepare, OutputDoesNotDependOnTheThreads) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  // Enough text for several pieces of work.
  std::string text;
  for (int i = 0; i < 100000; ++i) text += test::document(i) + "\n";
  write_file(config.sources[0].paths[0], text);
  config.shard_tokens = 400'000;
  config.threads = 1;
  prepare_data(config, byte_encoder());
  const auto one = content_of(config.output);
  config.threads = 5;
  config.output = dir / "out5";
  prepare_data(config, byte_encoder());
  EXPECT_TRUE(one == content_of(config.output));
  EXPECT_GT(one.size(), 8u);
}

TEST(Prepare, LargeVocabulariesAreStoredIn32Bits) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder(70000));
  EXPECT_EQ(open_prepared(dir / "out", Verify::content).vocab_size, 70000);
}

TEST(Prepare, ExistingOutputIsKeptUnlessOverwritten) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  prepare_data(config, byte_encoder());
  const auto before = content_of(config.output);
  EXPECT_EQ(input_error_of([&] { prepare_data(config, byte_encoder()); }),
            config.output + ": already exists; choose another output or use --overwrite");
  config.seed = 1;
  prepare_data(config, byte_encoder(), Overwrite::yes);
  EXPECT_FALSE(before == content_of(config.output));
  EXPECT_EQ(dir.count(), 3);  // the output and two text files: no temporaries
}

TEST(Prepare, FullDiskLeavesTheOldOutput) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  prepare_data(config, byte_encoder());
  const auto before = content_of(config.output);
  config.shard_tokens = 1'000'000;
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 2000;
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string error =
      runtime_error_of([&] { prepare_data(config, byte_encoder(), Overwrite::yes); });
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_THAT(error, HasSubstr("writing failed after"));
  EXPECT_TRUE(before == content_of(config.output));
  EXPECT_EQ(dir.count(), 3);
}

TEST(Prepare, BrokenLinesAreCountedOnlyWhenAskedFor) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  write_file(dir / "j.jsonl", "{\"text\": \"one\"}\n{\"text\": \"\"}\n{\n{\"text\": \"two\"}\n");
  config.held_out_fraction = 0;
  config.sources.resize(1);
  config.sources[0].paths = {dir / "j.jsonl"};
  config.sources[0].format = TextFormat::jsonl;
  EXPECT_THAT(
      input_error_of([&] { prepare_data(config, byte_encoder()); }),
      testing::AllOf(HasSubstr("j.jsonl:3: not valid JSON"),
                     HasSubstr("; mend the line or set skip_broken_lines = true for source 'a'")));
  EXPECT_FALSE(std::filesystem::exists(config.output));
  config.sources[0].skip_broken_lines = true;
  const PrepareReport report = prepare_data(config, byte_encoder());
  EXPECT_EQ(report.sources[0].broken_lines, 1);
  EXPECT_EQ(report.sources[0].empty_documents, 1);
  EXPECT_EQ(report.manifest.sources[0].counts(Split::train).documents, 2);
  EXPECT_THAT(summary(report), HasSubstr("1 empty documents are left out"));
  EXPECT_THAT(summary(report),
              HasSubstr("1 broken lines are left out (the first: " + (dir / "j.jsonl") + ":3)"));
}

TEST(Prepare, DocumentsThatTheTokenizerFailsOnNameFileAndLineOrAreCounted) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.held_out_fraction = 0;
  config.sources.resize(1);
  write_file(config.sources[0].paths[0], "fine\nbad one\nfine too\nbad two\n");
  DocumentEncoder encoder = byte_encoder();
  const auto bytes = encoder.encode;
  encoder.encode = [bytes](std::string_view text, std::vector<std::int32_t>& ids) {
    bytes(text, ids);
    if (text.starts_with("bad")) fail_input("too many steps");
  };
  const std::string place = config.sources[0].paths[0] + ":2";
  EXPECT_EQ(
      input_error_of([&] { prepare_data(config, encoder); }),
      place + ": too many steps; mend the document or set skip_broken_lines = true for source 'a'");
  EXPECT_FALSE(std::filesystem::exists(config.output));
  config.sources[0].skip_broken_lines = true;
  const PrepareReport report = prepare_data(config, encoder);
  EXPECT_EQ(report.manifest.sources[0].counts(Split::train), (ShardCounts{2, 4 + 8 + 2, 12}));
  EXPECT_THAT(summary(report), HasSubstr("2 documents that the tokenizer cannot encode are left "
                                         "out (the first: " +
                                         place + ")"));
  encoder.encode = [](std::string_view, std::vector<std::int32_t>&) { fail_runtime("broken"); };
  EXPECT_EQ(runtime_error_of([&] { prepare_data(config, encoder, Overwrite::yes); }), "broken");
}

// The output of `data prepare` for one source and split, computed by hand.
TEST(Prepare, SummaryHasDocumentsBytesTokensAndTheirRatio) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.held_out_fraction = 0;
  config.sources.resize(1);
  write_file(config.sources[0].paths[0], "four\n12345678\n");
  const std::string text = summary(prepare_data(config, byte_encoder()));
  // 12 bytes of text: as many tokens, and one more after each document.
  EXPECT_THAT(text, testing::ContainsRegex("a +train +2 +12 +14 +0\\.857"));
  EXPECT_THAT(text, testing::ContainsRegex("a +held_out +0 +0 +0 +0\\.000"));
  EXPECT_THAT(text, testing::ContainsRegex("all +train +2 +12 +14 +0\\.857"));
}

TEST(Prepare, TheSummaryHasARowForEachSplitAndTheirSums) {
  PrepareReport report;
  for (const char* name : {"english", "chinese"}) {
    SourceEntry source{name, 1.0, {}};
    source.shards[0] = {{"x", {1, 20, 50}, 0}, {"y", {2, 30, 75}, 0}};
    source.shards[1] = {{"z", {4, 8, 6}, 0}};
    report.manifest.sources.push_back(source);
  }
  report.manifest.sources[1].shards[1].clear();
  report.sources.resize(2);
  report.sources[1].empty_documents = 3;
  report.sources[1].broken_lines = 1;
  report.sources[1].first_broken = "b.jsonl:7";
  EXPECT_EQ(
      summary(report),
      "source               split        documents            bytes           tokens  bytes/token\n"
      "english              train                3              125               50        2.500\n"
      "english              held_out             4                6                8        0.750\n"
      "chinese              train                3              125               50        2.500\n"
      "chinese              held_out             0                0                0        0.000\n"
      "chinese              3 empty documents are left out\n"
      "chinese              1 broken lines are left out (the first: b.jsonl:7)\n"
      "all                  train                6              250              100        2.500\n"
      "all                  held_out             4                6                8        "
      "0.750\n");
}

TEST(Prepare, ShardsEndWithTheDocumentThatFillsThem) {
  const TempDir dir;
  for (const char* split : {"train", "held_out"}) std::filesystem::create_directory(dir / split);
  for (const Split split : all_splits) {
    SplitWriter writer(dir.path(), split, {"s", 1, 256, 0}, 8);
    for (int i = 0; i < 5; ++i) writer.add_document(std::vector<std::int32_t>{1, 2, 3}, 10);
    writer.add_document(std::vector<std::int32_t>(20, 1), 20);
    const std::vector<ShardEntry> shards = writer.finish();
    const ShardCounts expected[] = {{2, 8, 20}, {2, 8, 20}, {2, 25, 30}};
    ASSERT_EQ(shards.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(shards[i].file, fmt::format("{}/s-0000{}.tokens", name_of(split), i));
      EXPECT_EQ(shards[i].counts, expected[i]);
      EXPECT_EQ(shards[i].checksum, Shard(dir / shards[i].file).checksum());
    }
  }
  EXPECT_TRUE(SplitWriter(dir.path(), Split::train, {"t", 1, 256, 0}, 8).finish().empty());
}

TEST(Prepare, ChunksAreAboutAMegabyte) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 2050; ++i) text += std::string(1024, 'x') + "\n";
  write_file(dir / "a", text);
  SourceConfig source;
  source.format = TextFormat::lines;
  DocumentReader reader({dir / "a"}, document_options(source));
  std::vector<std::size_t> sizes;
  for (std::vector<RawDocument> chunk; detail::read_chunk(reader, chunk); chunk.clear()) {
    sizes.push_back(chunk.size());
  }
  EXPECT_THAT(sizes, testing::ElementsAre(1024, 1024, 2));
}

TEST(Prepare, DocumentsAreReadAsTheSourceSays) {
  SourceConfig source;
  source.name = "web";
  source.format = TextFormat::separated;
  source.content = TextContent::html;
  source.field = "body";
  source.separator = "--";
  const DocumentOptions options = document_options(source);
  EXPECT_EQ(options.format, TextFormat::separated);
  EXPECT_EQ(options.content, TextContent::html);
  EXPECT_THAT(options.fields, testing::ElementsAre("body"));
  EXPECT_EQ(options.separator, "--");
  EXPECT_FALSE(options.skip_broken_lines);
  EXPECT_EQ(options.remedy, "mend the line or set skip_broken_lines = true for source 'web'");
  source.skip_broken_lines = true;
  EXPECT_TRUE(document_options(source).skip_broken_lines);
  EXPECT_EQ(detail::max_chunk_bytes(3), 96u << 20);
}

// Its share is that of all files of the source together.
TEST(Prepare, HeldOutBytesAreOfAllFiles) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.sources.resize(1);
  const auto held_out = [&](const std::string& output) {
    config.output = dir / output;
    prepare_data(config, byte_encoder());
    return open_prepared(config.output).sources[0].held_out.counts();
  };
  const std::string text = read_file(config.sources[0].paths[0]);
  const std::size_t middle = text.find('\n', text.size() / 2) + 1;
  config.held_out_bytes = std::int64_t(text.size()) / 10;
  const ShardCounts one = held_out("one");
  write_file(dir / "first.txt", text.substr(0, middle));
  write_file(dir / "second.txt", text.substr(middle));
  config.sources[0].paths = {dir / "first.txt", dir / "second.txt"};
  EXPECT_EQ(held_out("two"), one);
}

// A file below a source's paths, one beside them, and a link to a file that is read.
TEST(Prepare, HeldOutPathsAreHeldOutWhole) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.held_out_fraction = 0.9;  // of the other source alone
  SourceConfig& source = config.sources[0];
  std::filesystem::create_directories(dir / "text/project");
  write_file(dir / "text/a.txt", "a");
  write_file(dir / "text/linked.txt", "bb");
  write_file(dir / "text/project/c.txt", "ccc");
  write_file(dir / "beside.txt", "dddd");
  std::filesystem::create_symlink(dir / "text/linked.txt", dir / "link");
  source.format = TextFormat::text;
  source.paths = {dir / "text"};
  source.held_out_paths = {dir / "text/project", dir / "beside.txt", dir / "link"};
  prepare_data(config, byte_encoder());
  const PreparedData data = open_prepared(config.output);
  EXPECT_EQ(data.sources[0].train.counts().documents, 1);
  EXPECT_EQ(data.sources[0].train.counts().text_bytes, 1);
  EXPECT_EQ(data.sources[0].held_out.counts().documents, 3);
  EXPECT_EQ(data.sources[0].held_out.counts().text_bytes, 9);
  EXPECT_GT(data.sources[1].held_out.counts().documents, 0);
  EXPECT_GT(data.sources[1].train.counts().documents, 0);
}

TEST(Prepare, HeldOutPathsAreCheckedLikeOthers) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  const auto error = [&](const std::string& path) {
    config.sources[0].held_out_paths = {path};
    return input_error_of([&] { prepare_data(config, byte_encoder()); });
  };
  EXPECT_THAT(error("/nonexistent"), testing::AllOf(HasSubstr("source 'a': held_out_paths"),
                                                    HasSubstr("matches no file")));
  EXPECT_THAT(error(config.sources[0].paths[0]),
              HasSubstr("held_out_paths hold out all files of paths"));
  config.sources[0].held_out_paths.clear();
  prepare_data(config, byte_encoder());
  config.sources[0].held_out_paths = {config.output + "/manifest.json"};
  EXPECT_THAT(input_error_of([&] { prepare_data(config, byte_encoder(), Overwrite::yes); }),
              HasSubstr("which source 'a' reads"));
}

TEST(Prepare, WithoutDocumentsForTrainingItFails) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  write_file(dir / "j.jsonl", "{\"text\": \"\"}\n{\n{\n{\"text\": \"bad\"}\n");
  config.sources[1].paths = {dir / "j.jsonl"};
  config.sources[1].format = TextFormat::jsonl;
  config.sources[1].skip_broken_lines = true;
  DocumentEncoder encoder = byte_encoder();
  const auto bytes = encoder.encode;
  encoder.encode = [bytes](std::string_view document, std::vector<std::int32_t>& ids) {
    bytes(document, ids);
    if (document == "bad") fail_input("too many steps");
  };
  EXPECT_EQ(input_error_of([&] { prepare_data(config, encoder); }),
            "source 'b': no documents for training (1 empty, 2 broken, 1 that the tokenizer cannot "
            "encode); check its paths, held_out_paths and held_out_fraction");
  encoder.encode = [](std::string_view, std::vector<std::int32_t>&) { fail_runtime("no memory"); };
  EXPECT_THAT(runtime_error_of([&] { prepare_data(config, encoder); }), HasSubstr("no memory"));
}

TEST(Prepare, HeldOutBytesOnlyLowerTheShare) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  const auto held_out = [&](const char* output, std::optional<std::int64_t> bytes) {
    config.output = dir / output;
    config.held_out_bytes = bytes;
    prepare_data(config, byte_encoder());
    return open_prepared(config.output).sources[0].held_out.counts().documents;
  };
  const std::int64_t by_fraction = held_out("fraction", std::nullopt);
  EXPECT_GT(by_fraction, 20);
  EXPECT_EQ(held_out("none", 0), 0);
  EXPECT_EQ(held_out("more", 1'000'000), by_fraction);
  const auto size =
      static_cast<std::int64_t>(std::filesystem::file_size(config.sources[0].paths[0]));
  const std::int64_t tenth = held_out("tenth", size / 10);
  EXPECT_LT(tenth, by_fraction);
  EXPECT_GT(tenth, 0);
}

TEST(Prepare, WhatWasMendedOrFoundInAnyPackingIsSaid) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.held_out_fraction = 0;
  config.sources.resize(1);
  config.sources[0].format = TextFormat::automatic;
  config.sources[0].paths = {dir / "in"};
  write_file(dir / "in/a.ndjson", "{\"x\": NaN, \"text\": \"one\"}\n{\"text\": \"t\xffwo\"}\n");
  write_file(dir / "in/b", "three");
  write_file(dir / "in/nothing", "");
  const PrepareReport report = prepare_data(config, byte_encoder());
  EXPECT_EQ(report.manifest.sources[0].counts(Split::train), (ShardCounts{3, 3 + 6 + 5 + 3, 14}));
  EXPECT_THAT(
      summary(report),
      HasSubstr("1 bytes in 1 texts are not UTF-8 (the first: " + (dir / "in/a.ndjson") + ":2)"));
  EXPECT_THAT(summary(report), HasSubstr("1 empty documents are left out"));
  write_file(dir / "in/c", "%PDF-1.7");
  EXPECT_EQ(input_error_of([&] { prepare_data(config, byte_encoder(), Overwrite::yes); }),
            (dir / "in/c") + ": holds a PDF document; convert it to text");
}

TEST(Prepare, OnlyWhatItMadeIsOverwritten) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  const auto error = [&] {
    return input_error_of([&] { prepare_data(config, byte_encoder(), Overwrite::yes); });
  };
  write_file(dir / "out/tokenizer.json", "{}");
  EXPECT_EQ(error(), config.output +
                         ": not made by `fathom data prepare` (it has no manifest.json), so it is "
                         "not overwritten; choose another output or remove it yourself");
  EXPECT_EQ(read_file(dir / "out/tokenizer.json"), "{}");
  std::filesystem::remove(dir / "out/tokenizer.json");
  prepare_data(config, byte_encoder(), Overwrite::yes);  // an empty directory
  write_file(dir / "out/notes.txt", "mine");
  EXPECT_THAT(error(), HasSubstr("notes.txt"));
  EXPECT_EQ(read_file(dir / "out/notes.txt"), "mine");
}

TEST(Prepare, OutputAndSourcesStandApart) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.sources.resize(1);
  write_file(dir / "corpus/raw.txt", "one\ntwo\n");
  write_file(dir / "corpus/deep/raw.txt", "three\n");
  std::filesystem::create_directory_symlink("corpus", dir / "link");
  const auto error = [&](const std::string& path, const std::string& output) {
    config.sources[0].paths = {dir / path};
    config.output = dir / output;
    return input_error_of([&] { prepare_data(config, byte_encoder(), Overwrite::yes); });
  };
  EXPECT_EQ(error("corpus", "corpus/new"),
            "output: " + (dir / "corpus/new") + " is inside " + (dir / "corpus") +
                ", a directory that source 'a' reads; choose another output");
  EXPECT_THAT(error("corpus", "link/deep/new"), HasSubstr("link/deep/new is inside"));
  EXPECT_THAT(error("link", "corpus/new"), HasSubstr("corpus/new is inside"));
  EXPECT_THAT(error("corpus", "corpus"), HasSubstr("not made by `fathom data prepare`"));
  // Prepared before, then used for text.
  write_file(dir / "corpus/manifest.json", "{}");
  EXPECT_EQ(error("corpus/deep/raw.txt", "corpus"),
            "output: " + (dir / "corpus") + " holds " + (dir / "corpus/deep/raw.txt") +
                ", which source 'a' reads; choose another output");
  EXPECT_THAT(error("link/raw.txt", "corpus"), HasSubstr("corpus holds"));
  EXPECT_EQ(read_file(dir / "corpus/raw.txt"), "one\ntwo\n");
  // A file may be read beside the output, and a name that only begins the same is apart.
  EXPECT_EQ(error("corpus/raw.txt", "corpus/new"), "no error");
  EXPECT_EQ(error("corpus/deep", "corpus/deeper"), "no error");
}

TEST(Prepare, LinkedOutputIsWrittenThrough) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  std::filesystem::create_symlink("real", dir / "out");
  prepare_data(config, byte_encoder());
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "out"));
  EXPECT_TRUE(std::filesystem::exists(dir / "real/manifest.json"));
  prepare_data(config, byte_encoder(), Overwrite::yes);
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "out"));
}

// As `cat text | fathom data prepare` with /dev/stdin, or a shell's <(...), names one.
TEST(Prepare, OpenPipesAreRead) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.held_out_fraction = 0;
  config.sources.resize(1);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "one\ntwo\n", 8), 8);
  close(ends[1]);
  config.sources[0].paths = {"/dev/fd/" + std::to_string(ends[0])};
  const PrepareReport report = prepare_data(config, byte_encoder());
  close(ends[0]);
  EXPECT_EQ(report.manifest.sources[0].counts(Split::train).documents, 2);
}

// A tokenizer of bytes with these special tokens.
Tokenizer tokenizer_with(const std::vector<std::string>& special) {
  TokenizerTrainConfig config;
  const TempDir dir;
  write_file(dir / "a.txt", "text");
  config.files = {dir / "a.txt"};
  config.vocab_size = 256;
  config.pad_to_multiple = 1;
  config.special_tokens = special;
  return train_tokenizer(config).tokenizer;
}

TEST(Prepare, EndOfDocumentIsTheUsualTokenOrTheOneNamed) {
  const Tokenizer one = tokenizer_with({"<pad>", "</s>", "<end>"});
  EXPECT_EQ(make_encoder(one, "t.json").eos, 257);
  EXPECT_EQ(make_encoder(one, "t.json", "<end>").eos, 258);
  EXPECT_EQ(input_error_of([&] { make_encoder(one, "t.json", "</S>"); }),
            "end_of_document: t.json has no token '</S>'; likely ones are '</s>'");
  const Tokenizer two = tokenizer_with({"<|im_end|>", "<|endoftext|>"});
  EXPECT_EQ(input_error_of([&] { make_encoder(two, "t.json"); }),
            "t.json: several tokens may end a document: '<|endoftext|>', '<|im_end|>'; set "
            "end_of_document to one of them");
  EXPECT_EQ(make_encoder(two, "t.json", "<|im_end|>").eos, 256);
  const Tokenizer none = tokenizer_with({"<pad>"});
  EXPECT_THAT(input_error_of([&] { make_encoder(none, "t.json"); }),
              HasSubstr("no end-of-document token with a usual name"));
}

TEST(Prepare, ConfigsThatCannotBeCarriedOutAreRefused) {
  const TempDir dir;
  const auto error = [&](auto change) {
    PrepareConfig config = sample_config(dir);
    change(config);
    return input_error_of([&] { prepare_data(config, byte_encoder()); });
  };
  EXPECT_EQ(error([](auto& c) { c.output = ""; }), "output: missing; name the directory to make");
  EXPECT_EQ(error([](auto& c) { c.sources.clear(); }),
            "sources: missing; add at least one [[sources]] table");
  EXPECT_EQ(error([](auto& c) { c.held_out_fraction = 1; }),
            "held_out_fraction: 1 is not in [0, 1)");
  EXPECT_EQ(error([](auto& c) { c.held_out_fraction = -0.1; }),
            "held_out_fraction: -0.1 is not in [0, 1)");
  EXPECT_EQ(error([](auto& c) { c.held_out_fraction = NAN; }),
            "held_out_fraction: nan is not in [0, 1)");
  EXPECT_EQ(error([](auto& c) { c.held_out_bytes = -1; }), "held_out_bytes: -1 is negative");
  EXPECT_EQ(error([](auto& c) { c.shard_tokens = 0; }), "shard_tokens: 0 is below 1");
  EXPECT_EQ(error([](auto& c) { c.threads = -1; }), "threads: -1 is not in [0, 4096]");
  EXPECT_EQ(error([](auto& c) { c.threads = 4097; }), "threads: 4097 is not in [0, 4096]");
  EXPECT_EQ(error([](auto& c) { c.sources[1].name = "a"; }),
            "sources: two are called 'a'; give each its own name");
  for (const std::string& name :
       {std::string(), std::string("../x"), std::string(".x"), std::string("a b"),
        std::string("\u00e9"), std::string(101, 'x')}) {
    EXPECT_EQ(
        error([&](auto& c) { c.sources[0].name = name; }),
        "sources: '" + name +
            "' is not a valid name of a source; use up to 100 letters, digits, '-', '_' and '.', "
            "and no '.' first");
  }
  for (const double weight : {-1.0, double(INFINITY), double(NAN)}) {
    EXPECT_EQ(error([&](auto& c) { c.sources[0].weight = weight; }),
              fmt::format("source 'a': weight {} must be 0 or more", weight));
  }
  EXPECT_THAT(error([](auto& c) { c.sources[0].paths = {"/nonexistent"}; }),
              HasSubstr("'/nonexistent' matches no file"));
  write_file(dir / "small.txt", "one\ntwo\n");
  EXPECT_EQ(error([&](auto& c) {
              c.held_out_fraction = 0, c.held_out_bytes = 0, c.shard_tokens = 1, c.threads = 0;
              c.sources.resize(1);
              c.sources[0].weight = 0, c.sources[0].name = "AZaz09-_.";
              c.sources[0].paths = {dir / "small.txt"};
            }),
            "no error");
}

TEST(Prepare, FilesOfItsOutputAreKnownByName) {
  const TempDir dir;
  const PrepareConfig config = sample_config(dir);
  DocumentEncoder encoder = byte_encoder();
  encoder.tokenizer_json = "{}";
  prepare_data(config, encoder);
  EXPECT_EQ(read_file(dir / "out/tokenizer.json"), "{}");
  const std::vector<std::string> both = {"a", "b"}, one = {"a"};
  require_own_files(config.output, prepared_files());
  require_own_files(config.output, prepared_files(both));
  EXPECT_THAT(input_error_of([&] { require_own_files(config.output, prepared_files(one)); }),
              HasSubstr("/b-0000"));
  for (const char* other : {"out/train/a-00000.txt", "out/a-00000.tokens",
                            "out/held_out/x/a.tokens", "out/notes.json"}) {
    write_file(dir / other, "mine");
    EXPECT_THAT(input_error_of([&] { require_own_files(config.output, prepared_files()); }),
                HasSubstr(std::string(other).substr(4)));
    std::filesystem::remove(dir / other);
  }
}

// A hash of the text and the seed, not of its place, tells what is held out.
TEST(Prepare, TheHeldOutShareIsOfTextsAndSeeds) {
  int held_out = 0, same = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = std::to_string(i);
    EXPECT_FALSE(is_held_out(text, 0, 0));
    EXPECT_TRUE(is_held_out(text, 0, 1));
    const bool quarter = is_held_out(text, 3, 0.25);
    held_out += quarter;
    same += quarter == is_held_out(text, 4, 0.25);
    if (quarter) {
      EXPECT_TRUE(is_held_out(text, 3, 0.5)) << "a larger share holds the smaller one";
    }
  }
  EXPECT_NEAR(held_out, 500, 80);  // standard deviation 19
  EXPECT_NEAR(same, 1250, 100);    // (1 - 2 · 0.25 · 0.75) of 2000
}

TEST(Prepare, ALongNameOfASourceNamesItsFiles) {
  const TempDir dir;
  PrepareConfig config = sample_config(dir);
  config.sources[0].name = std::string(99, 'x') + ".";
  prepare_data(config, byte_encoder());
  EXPECT_EQ(open_prepared(config.output).sources.at(0).name, config.sources[0].name);
}

TEST(Prepared, DamageAndMismatchesAreRefused) {
  const TempDir dir;
  const std::string out = dir / "out", manifest = out + "/manifest.json";
  prepare_data(sample_config(dir), byte_encoder());
  const auto error = [&] { return input_error_of([&] { open_prepared(out); }); };
  EXPECT_EQ(input_error_of([&] { open_prepared(out).check_tokenizer(1, "t.json"); }),
            out +
                ": prepared with another tokenizer (hash 0000000000001234) than t.json (hash "
                "0000000000000001); prepare the data again with it, or use " +
                out + "/tokenizer.json");
  const std::string shard = out + "/train/a-00001.tokens", whole = read_file(shard);
  write_file(shard, whole.substr(0, whole.size() - 8));
  EXPECT_THAT(error(), HasSubstr("a-00001.tokens: " + std::to_string(whole.size() - 8) +
                                 " bytes long, but its header describes"));
  write_file(shard, read_file(out + "/train/a-00000.tokens"));
  EXPECT_THAT(error(), HasSubstr("a-00001.tokens: not the shard that"));
  std::filesystem::remove(shard);
  EXPECT_THAT(error(), HasSubstr("a-00001.tokens: cannot read this file: No such file"));
  write_file(manifest, "{}");
  EXPECT_THAT(error(), HasSubstr("manifest.json: not the manifest of prepared data"));
  write_file(manifest, std::string(100000, '['));
  EXPECT_THAT(error(), HasSubstr("manifest.json: not the manifest of prepared data"));
}

TEST(Prepared, ConfigChoosesSourcesAndWeights) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder());
  DataConfig config;
  EXPECT_THAT(input_error_of([&] { open_prepared(config); }), HasSubstr("data.directory: missing"));
  config.directory = dir / "out";
  EXPECT_EQ(open_prepared(config).sources.size(), 2u);
  config.sources = {{"b", "", 7.0}};
  const PreparedData data = open_prepared(config);
  ASSERT_EQ(data.sources.size(), 1u);
  EXPECT_EQ(data.sources[0].weight, 7.0);
  config.sources = {{"c", "", {}}};
  EXPECT_THAT(input_error_of([&] { open_prepared(config); }), HasSubstr("has no source 'c'"));
}

}  // namespace
}  // namespace fathom
