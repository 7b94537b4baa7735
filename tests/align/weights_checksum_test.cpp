// A checksum of weights tells one model from another: it depends on each of their files.
#include "align/weights_checksum.h"

#include <gmock/gmock.h>

#include "checkpoint/manifest.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::TempDir;
using test::write_file;

TEST(WeightsChecksum, DependsOnEachFileOfADirectory) {
  const TempDir dir;
  const auto checksum = [&](const std::string& first, const std::string& last) {
    write_file(dir / "model/config.json", "{}");
    write_file(dir / "model/model-00001-of-00002.safetensors", first);
    write_file(dir / "model/model-00002-of-00002.safetensors", last);
    return weights_checksum(dir / "model");
  };
  const std::string model = checksum("one", "two");
  EXPECT_NE(checksum("ONE", "two"), model);
  EXPECT_NE(checksum("one", "TWO"), model);
  EXPECT_NE(checksum("two", "one"), model);
  EXPECT_EQ(checksum("one", "two"), model);
  write_file(dir / "model/tokenizer.json", "{}");
  EXPECT_EQ(weights_checksum(dir / "model"), model) << "not of the weights";
  std::filesystem::remove(dir / "model/model-00001-of-00002.safetensors");
  EXPECT_NE(weights_checksum(dir / "model"), model);
  std::filesystem::remove(dir / "model/model-00002-of-00002.safetensors");
  EXPECT_EQ(test::input_error_of([&] { weights_checksum(dir / "model"); }),
            (dir / "model") + ": holds no .safetensors file");
}

// Of a checkpoint the manifest has the files' checksums. Its moments are not the model.
TEST(WeightsChecksum, DependsOnEachFileOfWeightsOfACheckpoint) {
  const TempDir dir;
  const auto checksum = [&](std::uint64_t weight0, std::uint64_t weight1, std::uint64_t remainder,
                            std::uint64_t moment) {
    CheckpointManifest manifest;
    manifest.files = {{std::string(name_of(StateKind::weight)) + "-0", 1, weight0},
                      {std::string(name_of(StateKind::weight)) + "-1", 1, weight1},
                      {std::string(name_of(StateKind::remainder)) + "-0", 1, remainder},
                      {std::string(name_of(StateKind::first_moment)) + "-0", 1, moment}};
    write_file(dir / "step/manifest.json", checkpoint_manifest_text(manifest));
    return weights_checksum(dir / "step");
  };
  const std::string model = checksum(1, 2, 3, 4);
  EXPECT_NE(checksum(9, 2, 3, 4), model);
  EXPECT_NE(checksum(1, 9, 3, 4), model);
  EXPECT_NE(checksum(1, 2, 9, 4), model);
  EXPECT_EQ(checksum(1, 2, 3, 9), model);
}

}  // namespace
}  // namespace fathom
