// A source's files divided into parts, and the names of these.
#include "data/parts.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "io/output_path.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;

constexpr std::size_t mega = 1 << 20;

// Sizes of the files of each part, of files a, b, ... of these sizes.
std::vector<std::vector<std::uint64_t>> part_sizes(const std::vector<std::size_t>& sizes,
                                                   std::int64_t part_mb) {
  const TempDir dir;
  TextSourceConfig source;
  source.name = "web";
  source.paths = {dir.path()};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    write_file(dir / std::string(1, static_cast<char>('a' + i)), std::string(sizes[i], 'x'));
  }
  std::vector<std::vector<std::uint64_t>> found;
  for (const SourcePart& part : parts_of(source, part_mb)) {
    EXPECT_EQ(part.number, std::ssize(found));
    std::uint64_t sum = 0;
    found.emplace_back();
    for (const PartFile& file : part.files) {
      found.back().push_back(file.bytes);
      sum += file.bytes;
    }
    EXPECT_EQ(part.bytes(), sum);
  }
  return found;
}

TEST(Parts, EndWithTheFileThatBringsThemToTheirSize) {
  EXPECT_THAT(part_sizes({5, 6, 7}, 1), ElementsAre(ElementsAre(5, 6, 7)));
  EXPECT_THAT(part_sizes({mega, 6, 7, 8}, 1), ElementsAre(ElementsAre(mega), ElementsAre(6, 7, 8)))
      << "each part counts from nothing";
  EXPECT_THAT(part_sizes({mega - 1, 1, 7}, 1),
              ElementsAre(ElementsAre(mega - 1, 1), ElementsAre(7)));
  EXPECT_THAT(part_sizes({mega - 1, mega, 7}, 1),
              ElementsAre(ElementsAre(mega - 1, mega), ElementsAre(7)));
  EXPECT_THAT(part_sizes({mega, mega - 1, mega, 3}, 2),
              ElementsAre(ElementsAre(mega, mega - 1, mega), ElementsAre(3)));
  EXPECT_THAT(part_sizes({mega, 0}, 1), ElementsAre(ElementsAre(mega), ElementsAre(0)));
  EXPECT_THAT(part_sizes({0, 0}, 1), ElementsAre(ElementsAre(0, 0)));
}

TEST(Parts, HaveTheirFilesInOrder) {
  const TempDir dir;
  for (const char* name : {"b.txt", "a.txt", "d/c.txt"}) write_file(dir / name, name);
  TextSourceConfig source;
  source.paths = {dir / "d", dir / "*.txt"};
  const auto parts = parts_of(source, 1);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_THAT(parts[0].paths(), ElementsAre(dir / "d/c.txt", dir / "a.txt", dir / "b.txt"));
  EXPECT_EQ(parts[0].files[0], (PartFile{dir / "d/c.txt", 7}));
  EXPECT_EQ(SourcePart{}.bytes(), 0u);
}

TEST(Parts, ErrorsAndNotesNameTheSource) {
  const TempDir dir;
  write_file(dir / "in/a.txt", "a");
  TextSourceConfig source;
  source.name = "web";
  source.paths = {dir / "none"};
  EXPECT_EQ(input_error_of([&] { parts_of(source, 1); }),
            "source 'web': '" + (dir / "none") + "' matches no file; check the path");
  source.paths = {dir / "in"};
  EXPECT_EQ(input_error_of([&] { parts_of(source, 1, dir / "in/out"); }),
            "output: " + (dir / "in/out") + " is inside " + (dir / "in") +
                ", a directory that source 'web' reads; choose another output");
  EXPECT_EQ(parts_of(source, 1, dir / "out").size(), 1u);
  EXPECT_EQ(parts_of(source, 1, "").size(), 1u);
  source.paths = {dir / "in/a.txt", dir / "in/a.txt"};
  testing::internal::CaptureStderr();
  parts_of(source, 1);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("source 'web': 1 files are named more than once"));
}

TEST(Parts, HaveNamesWithAtLeastFiveDigits) {
  EXPECT_EQ(part_name("web", 0), "web-00000");
  EXPECT_EQ(part_name("a.b", 99999), "a.b-99999");
  EXPECT_EQ(part_name("web", 1234567), "web-1234567");
}

// Of five to seven digits.
TEST(Parts, PatternsAreOfTheirNamesAlone) {
  const std::vector<std::string> sources = {"web", "books"};
  EXPECT_EQ(part_patterns(sources).size(), 6u);
  for (const auto& [name, own] : {std::pair("web-00000", true),
                                  {"books-00012", true},
                                  {"web-123456", true},
                                  {"web-1234567", true},
                                  {"web-0000", false},
                                  {"web-12345678", false},
                                  {"web-0000x", false},
                                  {"webs-00000", false},
                                  {"web00000", false},
                                  {"web-00000.json", false}}) {
    const TempDir dir;
    write_file(dir / (std::string("out/") + name), "x");
    EXPECT_EQ(input_error_of([&] { require_own_files(dir / "out", part_patterns(sources)); }) ==
                  "no error",
              own)
        << name;
  }
}

}  // namespace
}  // namespace fathom
