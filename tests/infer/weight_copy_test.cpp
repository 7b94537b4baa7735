// Weights that move out of a file while a model generates.
#include "infer/weight_copy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "infer/tiny_model.h"
#include "io/temp_dir.h"
#include "model/gguf.h"
#include "model/hugging_face.h"

namespace fathom::infer {
namespace {

std::size_t count_in_place(const ParameterStore& parameters) {
  std::size_t count = 0;
  for (const Parameter& p : parameters.all()) count += p.is_in_place ? 1 : 0;
  return count;
}

TEST(WeightCopy, MovesAShareAfterAnotherAndEndsInTheFileAgain) {
  const test::TempDir dir;
  test::TinyModel model(test::tiny_config(258));
  SaveGgufOptions options;
  options.type = GgufType::f32;
  save_gguf(dir / "f32.gguf", model.config, weights_of(model.parameters, model.context), options);
  const auto file = std::make_shared<const GgufFile>(dir / "f32.gguf");
  ParameterStore store(parameter_table(model.config), DType::f32, MatrixStorage::dtype, cpu_device,
                       gguf_in_place(file));
  load_weights(gguf_weights(*file, model.config), store, model.context);
  const auto same = [&] {
    for (const Parameter& p : model.parameters.all()) {
      const Tensor& weight = store.at(p.spec.name).weight;
      EXPECT_EQ(std::memcmp(weight.data, p.weight.data, p.weight.bytes()), 0) << p.spec.name;
    }
  };
  const std::size_t before = count_in_place(store);
  const Tensor embedding = store.at("embedding.weight").weight;
  {
    WeightCopy copy(store);
    copy.advance(3);
    EXPECT_LT(count_in_place(store), before);
    EXPECT_GT(count_in_place(store), 0u);
    same();
    for (int i = 0; i < 5; ++i) copy.advance(3);
    EXPECT_EQ(count_in_place(store), 0u);
    EXPECT_NE(store.at("embedding.weight").weight.data, embedding.data);
    same();
  }
  EXPECT_EQ(count_in_place(store), before);
  EXPECT_EQ(store.at("embedding.weight").weight.data, embedding.data);
  same();
}

}  // namespace
}  // namespace fathom::infer
