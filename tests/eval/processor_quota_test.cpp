// Files of cgroups, as Linux writes them.
#include "eval/processor_quota.h"

#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::TempDir;
using test::write_file;

TEST(ProcessorQuota, IsTheLeastOfTheGroupsAbove) {
  const TempDir dir;
  const auto quota = [&] { return processor_quota(dir / "cgroup", dir / "own"); };
  EXPECT_GT(quota(), 1000);  // no cgroups
  write_file(dir / "own", "1:cpu:/old\n0::/a/b\n");
  write_file(dir / "cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_GT(quota(), 1000);
  write_file(dir / "cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota(), 1.5);
  write_file(dir / "cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota(), 0.5);
  write_file(dir / "cgroup/a/b/cpu.max", "25000 100000\n");
  EXPECT_EQ(quota(), 0.25);
  for (const char* other : {"", "x\n", "25000 0\n", "25000\n", "max\n"}) {
    write_file(dir / "cgroup/a/b/cpu.max", other);
    EXPECT_EQ(quota(), 0.5) << other;
  }
  write_file(dir / "cgroup/a/b/cpu.max", "25000 100000\n");
  for (const char* other : {"", "1:cpu:/a/b\n", "0:/a/b\n", "0::/none\n"}) {
    write_file(dir / "own", other);
    EXPECT_EQ(quota(), 0.5) << other;
  }
  write_file(dir / "own", "0::/\n");  // as in a container
  EXPECT_EQ(quota(), 0.5);
}

}  // namespace
}  // namespace fathom::eval
