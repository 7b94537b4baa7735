// The whole model against PyTorch in float64: logits, loss, every gradient.
#include "model/golden.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/enum_names.h"

namespace fathom {
namespace {

using golden::Golden;

struct Case {
  Device device;
  const char* name;
  DType dtype;
  Recompute recompute;
  std::int64_t logits_chunk;
};

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return std::string(c.device == cpu_device ? "cpu_" : "cuda_") + c.name + "_" +
         std::string(name_of(c.dtype)) + "_" + std::string(enum_name(c.recompute));
}

class GoldenModel : public testing::TestWithParam<Case> {
 protected:
  static double bound() { return GetParam().dtype == DType::f32 ? 1e-5 : 2e-2; }
};

TEST_P(GoldenModel, MatchesPyTorch) {
  const Case& c = GetParam();
  const Device device = c.device;
  const Golden golden(c.name);
  Context context(device);
  const StageRange range = whole_model(golden.config);
  const StageOptions options{c.recompute, c.logits_chunk};
  ParameterStore parameters(stage_parameters(golden.config, range), c.dtype, Gradients::f32,
                            device);
  golden::load_weights(golden, context, parameters);
  const Stage stage(golden.config, range, parameters, options, device);
  const golden::Step step(golden, context, 0);
  const std::int64_t n = golden.batch * golden.length;

  Arena forward(device,
                Stage::logits_bytes(golden.config, whole_model(golden.config), c.dtype, n, n));
  Buffer logits_memory(device, n * golden.config.vocab_size * size_of(c.dtype));
  const Tensor logits = logits_memory.tensor(c.dtype, {n, golden.config.vocab_size});
  std::vector<std::int32_t> rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  stage.logits(context, step.batch, forward, rows, logits);
  EXPECT_LT(
      golden::relative_error(golden::download(context, logits), golden.values<float>("logits")),
      bound());

  Activations activations(
      Arena(device, Stage::activation_bytes(golden.config, range, options, c.dtype, n)));
  Buffer losses_memory(device, n * sizeof(float));
  const Tensor losses = losses_memory.tensor(DType::f32, {n});
  stage.forward(context, step.batch, {}, activations, {}, 1.0f / step.counted, losses);
  stage.backward(context, step.batch, activations, {}, {});
  const std::vector<float> each = golden::download(context, losses);
  const std::vector<float> weights = step.weights ? golden::download(context, step.weights->tensor)
                                                  : std::vector<float>(each.size(), 1.0f);
  const double sum = std::inner_product(each.begin(), each.end(), weights.begin(), 0.0);
  const double expected = golden.values<float>("loss.0")[0];
  EXPECT_NEAR(sum / step.counted, expected, bound() * expected);
  for (Parameter& parameter : parameters.all()) {
    EXPECT_LT(golden::relative_error(golden::download(context, parameter.gradient),
                                     golden.values<float>("gradient." + parameter.spec.name)),
              bound())
        << parameter.spec.name;
  }
}

// On every kind of device that the machine has.
std::vector<Case> all_cases() {
  std::vector<Device> devices{cpu_device};
  if (cuda::device_count() > 0) devices.push_back({DeviceType::cuda, 0});
  std::vector<Case> cases;
  for (const Device device : devices) {
    for (const char* name : {"mha", "mha_documents", "gqa", "gqa_documents", "gqa_weighted"}) {
      for (const DType dtype : {DType::f32, DType::bf16}) {
        cases.push_back({device, name, dtype, Recompute::none, 1024});
        cases.push_back({device, name, dtype, Recompute::selective, 7});
        cases.push_back({device, name, dtype, Recompute::full, 26});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel, testing::ValuesIn(all_cases()), name_of_case);

}  // namespace
}  // namespace fathom
