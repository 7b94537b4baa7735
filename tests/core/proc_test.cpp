// Figures from text of the kernel's form.
#include "core/proc.h"

#include <gtest/gtest.h>

#include <fstream>

#include "io/temp_dir.h"

namespace fathom {
namespace {

TEST(Proc, ValuesAreFoundByTheirWholeKey) {
  const test::TempDir directory;
  const std::string path = directory / "proc_test.txt";
  std::ofstream(path) << "no colon\n"
                         "MemAvailableNot:    1 kB\n"
                         "MemAvailable:  2048 kB\n"
                         "MemAvailable:  4096 kB\n"
                         "model name\t: A: CPU  \n"
                         "flags\t\t: fpu avx2\n"
                         "empty:\n";
  EXPECT_EQ(proc_bytes(path, "MemAvailable"), 2048u * 1024);
  EXPECT_EQ(proc_bytes(path, "Mem"), 0u);
  EXPECT_EQ(proc_bytes(path, "flags"), 0u);
  EXPECT_EQ(proc_text(path, "model name"), "A: CPU");
  EXPECT_EQ(proc_text(path, "flags"), "fpu avx2");
  EXPECT_EQ(proc_text(path, "empty"), "");
  EXPECT_EQ(proc_text(path, "absent"), "");
  EXPECT_EQ(proc_text(path + ".absent", "flags"), "");
}

TEST(Proc, ThisProcessHasMemory) {
  const std::size_t resident = proc_bytes("/proc/self/status", "VmRSS");
  EXPECT_GT(resident, std::size_t{100} << 10);
  EXPECT_GE(proc_bytes("/proc/self/status", "VmHWM"), resident);
}

}  // namespace
}  // namespace fathom
