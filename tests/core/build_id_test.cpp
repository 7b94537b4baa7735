// The number that tells builds apart, against what readelf says of this program.
#include "core/build_id.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace fathom {
namespace {

std::string output_of(const char* command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command, "r"), pclose);
  std::array<char, 4096> text{};
  std::string all;
  while (std::fgets(text.data(), text.size(), pipe.get())) all += text.data();
  return all;
}

TEST(BuildId, IsTheOneOfTheProgramsFile) {
  const std::string command =
      "readelf -n " + std::filesystem::read_symlink("/proc/self/exe").string() + " 2>/dev/null";
  const std::string notes = output_of(command.c_str());
  if (notes.find("Build ID") == std::string::npos) GTEST_SKIP() << "takes readelf and a build id";
  EXPECT_GE(build_id().size(), 16u);
  EXPECT_THAT(notes, testing::HasSubstr("Build ID: " + build_id()));
}

}  // namespace
}  // namespace fathom
