// Whole files in memory.
#include "io/mapped_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;

TEST(MappedFile, HoldsTheBytes) {
  const TempDir dir;
  write_file(dir / "a", "abc");
  MappedFile file(dir / "a");
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.text(), "abc");
  EXPECT_EQ(moved.bytes().size(), 3u);
  write_file(dir / "empty", "");
  EXPECT_EQ(MappedFile(dir / "empty", MappedFile::Access::random).size(), 0u);
  EXPECT_EQ(input_error_of([&] { MappedFile(dir / "absent"); }),
            (dir / "absent") + ": cannot read this file: No such file or directory");
  EXPECT_EQ(input_error_of([&] { MappedFile(dir.path()); }),
            dir.path() + ": cannot read this file: Is a directory");
}

// The file is a hole but for its last byte.
TEST(MappedFile, MayBeLargerThanFourGigabytes) {
  const TempDir dir;
  constexpr off_t size = (off_t{5} << 30) + 3;
  const int file = open((dir / "a").c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_GE(file, 0);
  EXPECT_EQ(pwrite(file, "x", 1, size - 1), 1);
  close(file);
  const MappedFile mapped(dir / "a", MappedFile::Access::random);
  ASSERT_EQ(mapped.size(), static_cast<std::size_t>(size));
  EXPECT_EQ(mapped.text().back(), 'x');
  EXPECT_EQ(mapped.text()[0], '\0');
}

}  // namespace
}  // namespace fathom
