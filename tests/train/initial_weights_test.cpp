// Weights that a run begins with: the same from each place where the same model is kept.
#include <gmock/gmock.h>

#include "model/hugging_face.h"
#include "train/small_run.h"

namespace fathom {
namespace {

using namespace test;

struct Begun {
  std::vector<std::pair<std::int64_t, double>> losses;
  std::map<std::string, std::string> tensors;
};

Begun begin_with(const TempDir& dir, const std::string& from, DTypeChoice dtype, int ranks) {
  TrainConfig config = tiny(dir, "begun");
  std::filesystem::remove_all(config.output);
  config.init_from = from;
  config.dtype = dtype;
  config.train.micro_batch = 2;
  config.train.steps = 2;
  config.validation.every_steps = 0;
  config.parallel.pp = config.parallel.tp = ranks == 4 ? 2 : 1;
  EXPECT_EQ(run(config, "auto", ranks), 0) << from;
  return {metric_of(config, metric::loss), tensors_of(checkpoint_of(config, 2))};
}

class InitialWeights : public testing::TestWithParam<DTypeChoice> {};

TEST_P(InitialWeights, AreTheSameFromDirectoryRunAndCheckpoint) {
  const TempDir dir;
  prepare(dir);
  TrainConfig base = tiny(dir, "base");
  base.train.steps = 3;
  ASSERT_EQ(run(base), 0);
  const Begun one = begin_with(dir, base.output, GetParam(), 1);
  ASSERT_EQ(one.losses.size(), 2u);
  const double random = metric_of(base, metric::loss).front().second;
  EXPECT_LT(one.losses.front().second, random - 0.3) << "trained weights, not random ones";
  for (const int ranks : {1, 4}) {
    const Begun run = begin_with(dir, base.output, GetParam(), ranks);
    EXPECT_NEAR(run.losses.front().second, one.losses.front().second, 1e-2);
    for (const std::string& from : {checkpoint_of(base, 3), base.output + "/model"}) {
      const Begun other = begin_with(dir, from, GetParam(), ranks);
      EXPECT_EQ(other.losses, run.losses) << from << " on " << ranks;
      EXPECT_TRUE(other.tensors == run.tensors) << from << " on " << ranks;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, InitialWeights,
                         testing::Values(DTypeChoice::f32, DTypeChoice::bf16),
                         [](const auto& of) { return std::string(enum_name(of.param)); });

// Every box of a parameter, across the parts that files keep apart.
TEST(DirectoryWeights, AnySliceIsItsPartOfTheWhole) {
  const TempDir dir;
  prepare(dir);
  TrainConfig base = tiny(dir, "base");
  base.train.steps = 1;
  ASSERT_EQ(run(base), 0);
  const DirectoryWeights weights(base.output + "/model");
  for (const ParameterSpec& spec : parameter_table(weights.config())) {
    const bool matrix = spec.shape.rank() == 2;
    const std::int64_t rows = spec.shape[0], columns = matrix ? spec.shape[1] : 1;
    std::vector<float> whole(static_cast<std::size_t>(rows * columns));
    weights.load_slice(spec.name, std::vector<std::int64_t>(matrix ? 2 : 1, 0),
                       Tensor(whole.data(), DType::f32, spec.shape));
    const std::int64_t row = rows / 3, column = matrix ? columns / 4 : 0;
    const std::int64_t height = rows - row - 1, width = matrix ? columns / 2 : 1;
    std::vector<float> part(static_cast<std::size_t>(height * width));
    const Shape shape = matrix ? Shape{height, width} : Shape{height};
    const std::vector<std::int64_t> offset = matrix ? std::vector{row, column} : std::vector{row};
    const std::uint64_t bytes =
        weights.load_slice(spec.name, offset, Tensor(part.data(), DType::f32, shape));
    EXPECT_EQ(bytes, part.size() * sizeof(float)) << "nothing else is read";
    for (std::int64_t i = 0; i < height * width; ++i) {
      const std::int64_t place = (row + i / width) * columns + column + i % width;
      ASSERT_EQ(part[std::size_t(i)], whole[std::size_t(place)]) << spec.name << " " << i;
    }
  }
}

}  // namespace
}  // namespace fathom
