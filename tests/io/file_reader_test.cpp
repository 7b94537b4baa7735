// Reading at any offset, and reading in pieces as pipes and decoders give them.
#include "io/file_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/line_reader.h"
#include "io/mapped_file.h"
#include "io/open_files.h"
#include "io/recorded_calls.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::open_files;
using test::RecordedCalls;
using test::runtime_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;

std::string read_at(const FileReader& file, std::uint64_t offset, std::size_t bytes) {
  std::string text(bytes, '?');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

TEST(FileReader, ReadsAtAnyOffsetUpToTheEnd) {
  const TempDir dir;
  const std::string path = dir / "a";
  write_file(path, "0123456789");
  const FileReader file(path);
  EXPECT_EQ(file.path(), path);
  EXPECT_EQ(file.size(), 10u);
  EXPECT_EQ(read_at(file, 0, 10), "0123456789");
  EXPECT_EQ(read_at(file, 3, 4), "3456");
  EXPECT_EQ(read_at(file, 10, 0), "");
  // The first read stops at the end of the file, and the second goes on from there.
  EXPECT_EQ(input_error_of([&] { read_at(file, 7, 5); }),
            path + ": ends after 10 bytes; it has been cut off");
  EXPECT_EQ(input_error_of([&] { read_at(file, 12, 1); }),
            path + ": ends after 12 bytes; it has been cut off");
}

TEST(FileReader, SaysWhyAFileCannotBeRead) {
  const TempDir dir;
  const std::string problem = ": cannot read this file: ";
  EXPECT_EQ(input_error_of([&] { FileReader(dir / "absent"); }),
            (dir / "absent") + problem + "No such file or directory");
  EXPECT_EQ(input_error_of([&] { FileReader(dir.path()); }),
            dir.path() + problem + "Is a directory");
  // Nothing is mapped at address 0, so reading there is an error of the device.
  const FileReader memory("/proc/self/mem");
  EXPECT_EQ(runtime_error_of([&] { read_at(memory, 0, 1); }),
            "/proc/self/mem: reading failed after 0 bytes: Input/output error");
  EXPECT_EQ(input_error_of([&] { read_text("/proc/self/mem"); }),
            "/proc/self/mem: reading failed: Input/output error");
}

TEST(FileReader, AdvisesTheSystem) {
  const TempDir dir;
  write_file(dir / "a", "0123456789");
  const FileReader file(dir / "a");
  RecordedCalls recorded(dir.path());
  file.will_need(0, 0);  // to the system this would be the whole file
  file.will_need(2, 5);
  const MappedFile sequential(dir / "a"), random(dir / "a", MappedFile::Access::random);
  EXPECT_THAT(recorded.calls(), ElementsAre("will need a 2 5", "sequential 10", "random 10"));
}

TEST(FileReader, ClosesItsFileAlsoWhenItRefusesIt) {
  const TempDir dir;
  write_file(dir / "a", "0123456789");
  const long before = open_files();
  {
    const FileReader file(dir / "a");
    const MappedFile mapped(dir / "a");
    EXPECT_EQ(open_files(), before + 1) << "a mapping needs no open file";
  }
  input_error_of([&] { FileReader(dir.path()); });
  input_error_of([&] { MappedFile(dir.path()); });
  EXPECT_EQ(open_files(), before);
}

// Gives its text in pieces of a few bytes, and its end once.
class Pieces : public ByteReader {
 public:
  Pieces(std::string text, std::size_t piece) : text_(std::move(text)), piece_(piece) {}
  std::size_t read(std::span<char> out) override {
    if (ended_) throw std::logic_error("read after the end");
    const std::size_t count = std::min({out.size(), piece_, text_.size() - at_});
    text_.copy(out.data(), count, at_);
    at_ += count;
    ended_ = count == 0;
    return count;
  }
  std::uint64_t file_position() const override { return at_; }

 private:
  std::string text_;
  std::size_t piece_, at_ = 0;
  bool ended_ = false;
};

TEST(ReadFully, FillsItsBufferOrReadsToTheEnd) {
  for (const std::size_t size : {1ul, 9ul, 10ul, 11ul, 20ul}) {
    Pieces pieces("0123456789", 3);
    std::string out(size, '?');
    const std::size_t count = read_fully(pieces, out);
    EXPECT_EQ(count, std::min<std::size_t>(size, 10));
    EXPECT_EQ(out.substr(0, count), std::string("0123456789").substr(0, size));
  }
}

// Line ends fall on each side of every edge between two pieces.
TEST(LineReader, LinesDoNotDependOnThePieces) {
  const std::string text = "one\r\n\r\n\n\rtwo\r\r\nthree\r";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineReader reader(std::make_unique<Pieces>(text, piece));
    std::vector<std::string> lines;
    for (std::string line; lines.size() < 5 && reader.next(line);) lines.push_back(line);
    EXPECT_THAT(lines, ElementsAre("one", "", "", "\rtwo\r", "three")) << piece;
    EXPECT_EQ(reader.line_number(), 5u);
    EXPECT_EQ(reader.file_position(), text.size());
  }
}

}  // namespace
}  // namespace fathom
