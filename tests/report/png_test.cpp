// Pictures as pixels, by the program that draws them and by stand-ins for it.
#include "report/png.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::read_file;
using test::TempDir;
using test::write_file;

// $PATH for the time of a test.
class Path {
 public:
  explicit Path(const std::string& value) : before_(std::getenv("PATH")) {
    setenv("PATH", value.c_str(), 1);
  }
  ~Path() { setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

void write_program(const std::string& path, const std::string& text) {
  write_file(path, "#!/bin/sh\n" + text);
  chmod(path.c_str(), 0755);
}

std::string failure(const std::string& svg, const std::string& png) {
  try {
    write_png(svg, png);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Png, IsWhatTheProgramWrites) {
  const TempDir dir;
  write_program(dir / "rsvg-convert", "echo drawn \"$@\"\n");
  write_file(dir / "chart.svg", "<svg/>");
  const Path path("/nonexistent:" + dir.path());
  EXPECT_TRUE(can_write_png());
  write_png(dir / "chart.svg", dir / "chart.png");
  EXPECT_EQ(read_file(dir / "chart.png"),
            "drawn --zoom=2 --background-color=white " + (dir / "chart.svg") + "\n");
}

TEST(Png, AFailureLeavesNoFile) {
  const TempDir dir;
  write_program(dir / "rsvg-convert", "echo half\nexit 1\n");
  const Path path(dir.path());
  EXPECT_EQ(failure(dir / "a.svg", dir / "a.png"),
            (dir / "a.png") + ": rsvg-convert could not draw " + (dir / "a.svg"));
  EXPECT_FALSE(std::filesystem::exists(dir / "a.png"));
}

TEST(Png, AMissingProgramIsNamed) {
  const TempDir dir;
  const Path path(dir.path());
  EXPECT_FALSE(can_write_png());
  EXPECT_EQ(failure("a.svg", "a.png"),
            "a.png: needs the program rsvg-convert: install Debian's librsvg2-bin");
}

// Width and height of a PNG file: big-endian, behind its signature and the first chunk's head.
TEST(Png, TheRealProgramDrawsTwoPixelsForEachOne) {
  if (!can_write_png()) GTEST_SKIP() << "rsvg-convert is not installed";
  const TempDir dir;
  write_file(dir / "a.svg",
             "<svg xmlns='http://www.w3.org/2000/svg' width='30' height='20'>"
             "<rect width='10' height='10' fill='red'/></svg>");
  write_png(dir / "a.svg", dir / "a.png");
  const std::string png = read_file(dir / "a.png");
  ASSERT_GT(png.size(), 24u);
  EXPECT_EQ(png.substr(0, 4), "\x89PNG");
  EXPECT_EQ(png.substr(16, 8), std::string("\0\0\0\x3c\0\0\0\x28", 8));
}

}  // namespace
}  // namespace fathom
