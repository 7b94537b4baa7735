// Tensors of several blocks: read in any slices, each block compared with its checksum when it is
// read, and checkpoints of older programs, which have the files' checksums alone.
#include <gmock/gmock.h>

#include <random>

#include "checkpoint/checkpoint_state.h"
#include "checkpoint/manifest.h"
#include "checkpoint/slice_file.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t rows = 1100, columns = 2003;  // 8.8 MB of f32: two blocks and a part
constexpr std::int64_t block_values = slice_block_bytes / sizeof(float);

// A checkpoint whose "matrix" counts its values.
std::string large(const std::string& name) {
  const std::string path = fresh_directory(name) + "/" + checkpoint_name(1);
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  State state;
  write_checkpoint(path,
                   {CheckpointTensor::whole(StateKind::weight, "matrix",
                                            Tensor(values.data(), DType::f32, {rows, columns})),
                    state.tensors.back()},
                   state.training(1));
  return path;
}

// Flips a bit of the value at `index` of the matrix.
void damage(const std::string& checkpoint, std::int64_t index) {
  const std::string path = checkpoint + "/weight.safetensors";
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto at = static_cast<std::streamoff>(fs::file_size(path)) - (rows * columns - index) * 4;
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(at);
  file.put(byte);
}

std::string load_error(const Checkpoint& checkpoint, std::int64_t row, std::int64_t count) {
  std::vector<float> into(static_cast<std::size_t>(count * columns));
  Context context(cpu_device, 0);
  const std::int64_t offset[] = {row, 0};
  return message_of([&] {
    checkpoint.load_slice(context, StateKind::weight, "matrix", offset,
                          Tensor(into.data(), DType::f32, {count, columns}));
  });
}

void expect_any_slice(const Checkpoint& checkpoint) {
  std::mt19937 random(3);
  Context context(cpu_device, 0);
  for (int trial = 0; trial < 12; ++trial) {
    const std::int64_t row = random() % rows, column = random() % columns;
    const std::int64_t height = 1 + random() % (rows - row),
                       width = 1 + random() % (columns - column);
    std::vector<float> into(static_cast<std::size_t>(height * width), -1);
    const std::int64_t offset[] = {row, column};
    checkpoint.load_slice(context, StateKind::weight, "matrix", offset,
                          Tensor(into.data(), DType::f32, {height, width}));
    for (std::int64_t i = 0; i < height; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        ASSERT_EQ(into[static_cast<std::size_t>(i * width + j)],
                  static_cast<float>((row + i) * columns + column + j))
            << trial << ": " << i << ", " << j;
      }
    }
  }
}

TEST(CheckpointBlocks, AnySliceAcrossThem) {
  const std::string path = large("blocks");
  expect_any_slice(Checkpoint(path, Checkpoint::Verify::as_read));
  make_old(path);
  expect_any_slice(Checkpoint(path, Checkpoint::Verify::as_read));
}

TEST(CheckpointBlocks, DamageIsSeenInWhatIsReadAlone) {
  const std::string path = large("damaged_block");
  damage(path, block_values + 5);  // the second block
  const Checkpoint checkpoint(path, Checkpoint::Verify::as_read);
  EXPECT_EQ(load_error(checkpoint, 0, 100), "");
  EXPECT_EQ(load_error(checkpoint, 1060, 40), "");
  EXPECT_THAT(load_error(checkpoint, 600, 1),
              AllOf(HasSubstr(path + "/weight.safetensors"), HasSubstr("'matrix' from 4194304 on"),
                    HasSubstr("damaged")));
  EXPECT_THROW(Checkpoint(path, Checkpoint::Verify::checksums), DamagedCheckpoint);
}

TEST(CheckpointBlocks, WhatIsReadIsReadOnce) {
  const std::string path = large("read_once");
  const Checkpoint checkpoint(path, Checkpoint::Verify::as_read);
  EXPECT_EQ(load_error(checkpoint, 0, rows), "");
  EXPECT_EQ(checkpoint.bytes_read(), rows * columns * sizeof(float));
}

TEST(CheckpointBlocks, AnOldFileOfAnotherLengthIsDamaged) {
  const std::string path = large("longer");
  make_old(path);
  const std::string file = path + "/state.json";
  for (const std::int64_t change : {1, -1}) {
    const std::uint64_t length = fs::file_size(file);
    fs::resize_file(file, length + static_cast<std::uint64_t>(change));
    EXPECT_THAT(message_of([&] { Checkpoint(path, Checkpoint::Verify::as_read); }),
                HasSubstr(fmt::format("{}: is {} bytes long, but the manifest says {}", file,
                                      fs::file_size(file), length)));
    fs::resize_file(file, length);
  }
}

TEST(CheckpointBlocks, OldCheckpointsAreComparedFileByFileInShares) {
  const std::string path = large("old");
  EXPECT_FALSE(Checkpoint(path, Checkpoint::Verify::as_read).verify_share(0, 1)) << "has blocks'";
  make_old(path);
  damage(path, 3);
  std::uint64_t bytes = 0;
  int damaged = 0, calls = 0;
  for (int share = 0; share < 3; ++share) {
    const Checkpoint checkpoint(path, Checkpoint::Verify::as_read);
    const std::string error =
        message_of([&] { EXPECT_TRUE(checkpoint.verify_share(share, 3, [&] { ++calls; })); });
    damaged += error.find("does not match its checksum") != std::string::npos;
    bytes += checkpoint.bytes_read();
  }
  EXPECT_EQ(damaged, 1) << "one share has the file";
  EXPECT_GE(calls, 3);
  EXPECT_EQ(bytes, fs::file_size(path + "/second_moment.safetensors") +
                       fs::file_size(path + "/state.json"));
}

TEST(CheckpointBlocks, AWrongNumberOfChecksumsIsRefused) {
  const std::string path = large("count"), manifest_path = path + "/manifest.json";
  CheckpointManifest manifest = parse_checkpoint_manifest(read_file(manifest_path), manifest_path);
  manifest.tensors[0].slices[0].checksums.pop_back();
  write_file(manifest_path, checkpoint_manifest_text(manifest));
  EXPECT_THAT(message_of([&] { Checkpoint(path, Checkpoint::Verify::as_read); }),
              HasSubstr("has 2 checksums, not 3"));
}

// The file holds a matrix of f32, 7 by 5: any other that the manifest says is damage, also one of
// as many bytes.
TEST(CheckpointBlocks, ASliceHasTheKeyTypeAndShapeOfTheManifest) {
  State state;
  const std::string path = saved(fresh_directory("other_slice"), state, 1);
  const std::string source = path + "/manifest.json";
  const CheckpointManifest manifest = parse_checkpoint_manifest(read_file(source), source);
  const std::string name = "weight.safetensors";
  const auto description = std::ranges::find(manifest.files, name, &ManifestFile::name);
  ASSERT_NE(description, manifest.files.end());
  const SliceFile file(path + "/" + name, *description);
  const auto tensor = std::ranges::find_if(manifest.tensors, [](const ManifestTensor& t) {
    return t.kind == StateKind::weight && t.name == "matrix";
  });
  ASSERT_NE(tensor, manifest.tensors.end());
  const ManifestSlice& slice = tensor->slices.at(0);
  EXPECT_EQ(file.place_of(*tensor, slice).bytes, 7u * 5 * 4);

  const auto refusal = [&](DType dtype, std::vector<std::int64_t> extent, const std::string& key) {
    ManifestTensor other = *tensor;
    other.dtype = dtype;
    ManifestSlice wanted = slice;
    wanted.extent = std::move(extent);
    wanted.key = key;
    EXPECT_THROW(file.place_of(other, wanted), DamagedCheckpoint);
    return message_of([&] { file.place_of(other, wanted); });
  };
  const std::string begin = path + "/" + name + ": '" + slice.key + "' is F32[7, 5], but the ";
  EXPECT_EQ(refusal(DType::f32, {5, 7}, slice.key), begin + "manifest says F32[5, 7]");
  EXPECT_EQ(refusal(DType::f32, {35}, slice.key), begin + "manifest says F32[35]");
  EXPECT_EQ(refusal(DType::i32, {7, 5}, slice.key), begin + "manifest says I32[7, 5]");
  EXPECT_EQ(refusal(DType::bf16, {7, 10}, slice.key), begin + "manifest says BF16[7, 10]");
  EXPECT_EQ(refusal(DType::f32, {7, 5}, "none"), path + "/" + name + ": holds no tensor 'none'");
}

}  // namespace
}  // namespace fathom::test
