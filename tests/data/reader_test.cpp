#include "data/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;

SourceConfig source_of(std::vector<std::string> paths, TextFormat format = TextFormat::automatic) {
  SourceConfig source;
  source.name = "s";
  source.paths = std::move(paths);
  source.format = format;
  return source;
}

std::vector<std::string> documents_of(const SourceConfig& source) {
  DocumentReader reader(source, files_of(source));
  RawDocument raw;
  std::vector<std::string> documents;
  while (reader.next(raw)) {
    if (auto text = document_text(std::move(raw), source)) documents.push_back(*text);
  }
  return documents;
}

TEST(Reader, FormatsCutFilesIntoDocuments) {
  const TempDir dir;
  write_file(dir / "a.txt", "one\ntwo\n\n\nthree\n");
  EXPECT_THAT(documents_of(source_of({dir / "a.txt"})), ElementsAre("one\ntwo\n\n\nthree\n"));
  EXPECT_THAT(documents_of(source_of({dir / "a.txt"}, TextFormat::lines)),
              ElementsAre("one", "two", "three"));
  SourceConfig source = source_of({dir / "a.txt"}, TextFormat::separated);
  EXPECT_THAT(documents_of(source), ElementsAre("one\ntwo\n", "three\n"));
  source.separator = "two";
  EXPECT_THAT(documents_of(source), ElementsAre("one\n", "\n\nthree\n"));
}

TEST(Reader, JsonlPlainAndPacked) {
  const TempDir dir;
  const std::string lines =
      "{\"id\": [1, {\"text\": \"no\"}], \"text\": \"a\\u4e2d\\n\"}\n\n{\"text\": \"b\"}\n";
  write_file(dir / "a.jsonl", lines);
  gzFile gz = gzopen((dir / "b.jsonl.gz").c_str(), "wb");
  gzwrite(gz, lines.data(), unsigned(lines.size()));
  gzclose(gz);
  std::string packed(ZSTD_compressBound(lines.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), lines.data(), lines.size(), 3));
  write_file(dir / "c.jsonl.zst", packed);
  EXPECT_THAT(documents_of(source_of({dir.path()})),
              ElementsAre("a中\n", "b", "a中\n", "b", "a中\n", "b"));
}

TEST(Reader, FilesComeInOrderAndOnce) {
  const TempDir dir;
  for (const char* name : {"b/2.txt", "b/1.txt", "a/z.txt", ".hidden/x.txt", "b/.y.txt"}) {
    write_file(dir / name, name);
  }
  EXPECT_THAT(files_of(source_of({dir / "b/2.txt", dir.path()})),
              ElementsAre(dir / "b/2.txt", dir / "a/z.txt", dir / "b/1.txt"));
  EXPECT_THAT(files_of(source_of({dir / "*/[12].txt"})),
              ElementsAre(dir / "b/1.txt", dir / "b/2.txt"));
  EXPECT_EQ(input_error_of([&] { files_of(source_of({dir / "*.md"})); }),
            "source 's': '" + (dir / "*.md") + "' stands for no file; check the path");
  EXPECT_EQ(input_error_of([] { files_of(source_of({})); }),
            "source 's': no files; name at least one file or directory");
}

TEST(Reader, BrokenLinesNameFileAndLine) {
  const TempDir dir;
  const std::string path = dir / "a.jsonl";
  const auto error = [&](const std::string& line) {
    write_file(path, "{\"text\": \"fine\"}\n" + line + "\n");
    return input_error_of([&] { documents_of(source_of({path})); });
  };
  const std::string remedy = "; mend the line or set skip_broken_lines = true for source 's'";
  EXPECT_EQ(error("{\"text\": "), path + ":2: not valid JSON at column 10" + remedy);
  EXPECT_EQ(error("{\"text\": \"\xff\"}"), path + ":2: not valid JSON at column 11" + remedy);
  EXPECT_EQ(error("[1]"), path + ":2: not a JSON object" + remedy);
  EXPECT_EQ(error("{\"body\": \"x\"}"), path + ":2: has no field 'text'" + remedy);
  EXPECT_EQ(error("{\"text\": 1}"), path + ":2: the field 'text' is no string" + remedy);
  EXPECT_EQ(error("{\"text\": {\"text\": \"x\"}}"),
            path + ":2: the field 'text' is no string" + remedy);
  SourceConfig source = source_of({path});
  source.skip_broken_lines = true;
  EXPECT_THAT(documents_of(source), ElementsAre("fine"));
}

}  // namespace
}  // namespace fathom
