// A checkpoint's model as a Hugging Face directory, written by one rank and by several.
#include "checkpoint/export.h"

#include <gmock/gmock.h>

#include <map>

#include "checkpoint/model_state.h"
#include "comm/ranks.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

using Files = std::map<std::string, std::string>;  // content by name

Files files_in(const std::string& directory) {
  Files files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    files[entry.path().filename().string()] = read_file(entry.path());
  }
  return files;
}

void export_on(int ranks, const Checkpoint& checkpoint, const std::string& directory,
               const SaveModelOptions& options) {
  run_ranks(ranks, {60}, [&](Communicator& world) {
    export_model(checkpoint, directory, small_model(), options, world);
  });
}

std::string export_error(int ranks, const Checkpoint& checkpoint, const std::string& directory,
                         const SaveModelOptions& options) {
  return message_of([&] { export_on(ranks, checkpoint, directory, options); });
}

TEST(Export, GivesTheSameFilesOnAnyNumberOfRanks) {
  const std::string directory = fresh_directory("export");
  const Checkpoint checkpoint(saved_model(directory, 1, small_model()));
  SaveModelOptions options;
  for (const std::uint64_t shard_bytes : {1'000'000, 9'000}) {
    options.max_shard_bytes = shard_bytes;
    for (const DType dtype : {DType::f32, DType::bf16}) {
      options.dtype = dtype;
      options.replace = true;
      export_on(1, checkpoint, directory + "/one", options);
      const Files one = files_in(directory + "/one");
      EXPECT_EQ(one.size(), shard_bytes == 1'000'000 ? 3u : one.size());
      EXPECT_EQ(one.contains("model.safetensors"), shard_bytes == 1'000'000);
      EXPECT_EQ(one.contains("model.safetensors.index.json"), shard_bytes == 9'000);
      for (const int ranks : {2, 3}) {
        export_on(ranks, checkpoint, directory + "/several", options);
        EXPECT_TRUE(files_in(directory + "/several") == one) << ranks << " ranks";
      }
    }
  }
}

TEST(Export, HoldsTheCheckpointsWeights) {
  const std::string directory = fresh_directory("export_weights");
  const ModelConfig model = small_model();
  const Checkpoint checkpoint(saved_model(directory, 1, model));
  SaveModelOptions options;
  options.dtype = DType::f32;
  options.max_shard_bytes = 9'000;
  export_on(3, checkpoint, directory + "/model", options);
  Context context(cpu_device, 1 << 16);
  ParameterStore store(parameter_table(model), DType::f32, Gradients::none, cpu_device);
  load_weights(directory + "/model", store, context);
  for (const Parameter& parameter : store.all()) {
    const auto count = static_cast<std::size_t>(parameter.weight.elements());
    std::vector<float> want(count);
    checkpoint.load(context, StateKind::weight, parameter.spec.name,
                    Tensor(want.data(), DType::f32, parameter.weight.shape));
    const auto* have = static_cast<const float*>(parameter.weight.data);
    EXPECT_TRUE(std::equal(want.begin(), want.end(), have)) << parameter.spec.name;
  }
}

// A rank that cannot read its part leaves what was there, and no half directory.
TEST(Export, IsWholeOrAbsent) {
  const std::string directory = fresh_directory("export_fails");
  const std::string path = saved_model(directory, 1, small_model());
  SaveModelOptions options;
  options.max_shard_bytes = 9'000;
  options.replace = true;
  export_on(2, Checkpoint(path), directory + "/model", options);
  const Files before = files_in(directory + "/model");
  std::string weights = read_file(path + "/weight.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  write_file(path + "/weight.safetensors", weights);
  const Checkpoint damaged(path, Checkpoint::Verify::as_read);
  for (const int ranks : {1, 3}) {
    EXPECT_THAT(export_error(ranks, damaged, directory + "/model", options),
                HasSubstr("do not match their checksum"));
    EXPECT_TRUE(files_in(directory + "/model") == before);
    EXPECT_THAT(export_error(ranks, damaged, directory + "/new", options), HasSubstr("checksum"));
    EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 2) << "nothing half made";
  }
  options.replace = false;
  EXPECT_THAT(
      export_error(3, Checkpoint(path, Checkpoint::Verify::as_read), directory + "/model", options),
      HasSubstr("exists already"));
}

}  // namespace
}  // namespace fathom::test
