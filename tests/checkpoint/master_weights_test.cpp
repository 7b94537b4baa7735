// The f32 masters of weights, which a checkpoint holds in one piece, or as bf16 with the rest.
#include <gmock/gmock.h>

#include "checkpoint/checkpoint_state.h"
#include "checkpoint/export.h"
#include "ops/optimizer.h"

namespace fathom::test {
namespace {

using testing::ElementsAreArray;
using testing::Not;

constexpr std::int64_t master_rows = 5, master_columns = 3;

// Values whose last bits a bf16 does not hold.
std::vector<float> some_masters() {
  std::vector<float> masters;
  for (int i = 0; i < master_rows * master_columns; ++i) {
    masters.push_back((i % 2 == 0 ? 1.0f : -1.0f) / static_cast<float>(i + 3));
  }
  return masters;
}

// Masters as bf16 and the rest, of which either may be read and written.
struct Halves {
  std::vector<std::uint16_t> high, low;
  Shape shape;

  explicit Halves(Shape of)
      : high(static_cast<std::size_t>(of.elements())), low(high.size()), shape(of) {}
  Tensor weight() { return Tensor(high.data(), DType::bf16, shape); }
  Tensor remainder() { return Tensor(low.data(), DType::u16, shape); }
  std::vector<float> joined() {
    std::vector<float> masters(high.size());
    ops::join_master_weights(weight(), remainder(), Tensor(masters.data(), DType::f32, shape));
    return masters;
  }
};

class MasterWeights : public testing::Test {
 protected:
  // The checkpoint `name` of "m" in one piece, or in two.
  std::string saved_as(const std::string& name, bool in_two) {
    const std::string path = directory_ + "/" + name;
    const Tensor whole(masters_.data(), DType::f32, shape_);
    Halves halves(shape_);
    ops::split_master_weights(whole, halves.weight(), halves.remainder());
    std::vector<CheckpointTensor> tensors{
        CheckpointTensor::whole(StateKind::weight, "m", in_two ? halves.weight() : whole)};
    if (in_two) {
      tensors.push_back(CheckpointTensor::whole(StateKind::remainder, "m", halves.remainder()));
    }
    write_checkpoint(path, tensors, state_.training(1));
    return path;
  }

  const std::string directory_ = fresh_directory("masters");
  const Shape shape_{master_rows, master_columns};
  std::vector<float> masters_ = some_masters();
  State state_;
};

// Whatever the checkpoint and the run keep: of the last three rows too.
TEST_F(MasterWeights, ComeBackInAllTheirDigitsInOnePieceOrInTwo) {
  for (const bool in_two : {false, true}) {
    const Checkpoint checkpoint(saved_as(in_two ? "two" : "one", in_two));
    for (const std::int64_t first : {0, 2}) {
      SCOPED_TRACE(fmt::format("{} pieces from row {}", in_two ? 2 : 1, first));
      const Shape part{master_rows - first, master_columns};
      const std::vector<float> wanted(masters_.begin() + first * master_columns, masters_.end());
      const std::int64_t offset[] = {first, 0};
      std::vector<float> whole(wanted.size());
      checkpoint.load_weights(state_.context, "m", offset, Tensor(whole.data(), DType::f32, part),
                              {});
      EXPECT_EQ(whole, wanted);
      Halves halves(part);
      checkpoint.load_weights(state_.context, "m", offset, halves.weight(), halves.remainder());
      EXPECT_EQ(halves.joined(), wanted);
    }
  }
}

TEST_F(MasterWeights, AreExportedWholeToF32AndRoundedToBf16) {
  const Checkpoint checkpoint(saved_as("two", true));
  const auto world = world_of_one();
  const WeightReader weights = weights_in(checkpoint, *world);
  ParameterSpec spec;
  spec.name = "m";
  spec.shape = shape_;
  std::vector<float> whole(masters_.size());
  weights(spec, 0, Tensor(whole.data(), DType::f32, shape_));
  EXPECT_EQ(whole, masters_);
  std::vector<float> last(master_columns);
  weights(spec, master_rows - 1, Tensor(last.data(), DType::f32, {1, master_columns}));
  EXPECT_THAT(last, ElementsAreArray(masters_.end() - master_columns, masters_.end()));
  std::vector<bfloat16> rounded(masters_.size());
  weights(spec, 0, Tensor(rounded.data(), DType::bf16, shape_));
  for (std::size_t i = 0; i < rounded.size(); ++i) {
    EXPECT_EQ(static_cast<float>(rounded[i]), static_cast<float>(bfloat16(masters_[i]))) << i;
  }
  EXPECT_THAT(std::vector<float>(rounded.begin(), rounded.end()), Not(ElementsAreArray(masters_)));
}

}  // namespace
}  // namespace fathom::test
