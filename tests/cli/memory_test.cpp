// Compares the memory table that `fathom train` prints with the run's memory.
#include <gmock/gmock.h>

#include <sstream>

#include "cli/tiny_run.h"
#include "core/context.h"

namespace fathom::test {
namespace {

// The table's total in bytes; 0 when there is none.
double printed_total(const std::string& text) {
  const std::size_t at = text.find("\n  total ");
  if (at == std::string::npos) return 0;
  std::istringstream line(text.substr(at + 8));
  double value = 0;
  std::string unit;
  line >> value >> unit;
  return value * (unit == "GB" ? 1e9 : unit == "MB" ? 1e6 : unit == "kB" ? 1e3 : 1);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

struct Size {
  const char* name;
  int layers, width, micro_batch, length;
  const char* dtype;
};

class Memory : public testing::TestWithParam<Size> {};

TEST_P(Memory, TheTableHolds) {
  if (sanitized) GTEST_SKIP() << "a sanitizer takes memory of its own";
  const Size& size = GetParam();
  const TempDir dir;
  make_tiny_data(dir);
  const std::string config = make_tiny_config(dir);
  const Outcome outcome = run_fathom(
      dir, {"train", config, "--set", "train.steps=2", "--set", "model.max_position=1024", "--set",
            fmt::format("model.num_layers={}", size.layers), "--set",
            fmt::format("model.hidden_size={}", size.width), "--set",
            fmt::format("train.sequence_length={}", size.length), "--set",
            fmt::format("train.global_batch={}", 2 * size.micro_batch), "--set",
            fmt::format("train.micro_batch={}", size.micro_batch), "--set",
            fmt::format("dtype={}", size.dtype)});
  must(outcome);
  const double printed = printed_total(outcome.err), taken = 1024.0 * double(outcome.peak_kb);
  EXPECT_LT(taken / printed, 1.1) << "taken " << taken << "\n" << outcome.err;
  // Of the workspace the operations of these models touch little or much; the rest is not taken.
  constexpr auto workspace = static_cast<double>(Context::default_workspace);
  EXPECT_GT(taken / (printed - workspace), 0.9) << "taken " << taken << "\n" << outcome.err;
  fmt::print("{}: printed {:.1f} MB, taken {:.1f} MB, ratio {:.3f}\n", size.name, printed / 1e6,
             taken / 1e6, taken / printed);
}

INSTANTIATE_TEST_SUITE_P(All, Memory,
                         testing::Values(Size{"small_f32", 2, 64, 2, 32, "f32"},
                                         Size{"small_bf16", 2, 64, 2, 32, "bf16"},
                                         Size{"wide_bf16", 4, 512, 4, 256, "bf16"},
                                         Size{"long_f32", 8, 256, 2, 1024, "f32"}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace fathom::test
