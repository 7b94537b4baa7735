// How the library that reads Parquet is found; also for builds that have none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/temp_dir.h"
#include "text/parquet_module.h"

namespace fathom {
namespace {

using testing::HasSubstr;

TEST(ParquetLibrary, AMissingOneHasTheLoadersReason) {
  const ParquetLibrary absent = open_parquet_library("libfathom_absent.so");
  EXPECT_EQ(absent.module, nullptr);
  EXPECT_THAT(absent.problem, HasSubstr("libfathom_absent.so: cannot open shared object file"));
}

TEST(ParquetLibrary, OneWithoutTheModuleIsRefused) {
  const ParquetLibrary other = open_parquet_library("libc.so.6");
  EXPECT_EQ(other.module, nullptr);
  EXPECT_THAT(other.problem, HasSubstr(parquet_module_symbol));
}

TEST(ParquetLibrary, SupportIsAVersionOrAProblem) {
  const ParquetSupport support = parquet_support();
  EXPECT_NE(support.arrow_version.empty(), support.problem.empty());
  EXPECT_EQ(support.problem.empty(), FATHOM_READS_PARQUET) << support.problem;
}

TEST(ParquetLibrary, WithoutItParquetIsRefusedByName) {
  const test::TempDir dir;
  test::write_file(dir / "a", "PAR1\x15\x04\x15\x1cPAR1");
  EXPECT_EQ(test::input_error_of([&] {
              open_parquet_by({nullptr, "no such library"}, dir / "a", {});
            }),
            (dir / "a") +
                ": holds Parquet, which this fathom can't read: no such library; run "
                "scripts/setup_parquet and build again, or convert the file to JSON lines");
}

// The ends of a file are checked before the library is asked for.
TEST(ParquetLibrary, FilesWithoutTheirEndNeedNoLibrary) {
  const test::TempDir dir;
  test::write_file(dir / "a", "PAR1\x15\x04\x15\x1c");
  EXPECT_EQ(test::input_error_of([&] { open_parquet(dir / "a"); }),
            (dir / "a") + ": holds Parquet without its end; the file is cut off");
}

}  // namespace
}  // namespace fathom
