// The file of reference log-probabilities: what is saved comes back, and another run's is refused.
#include "align/reference_cache.h"

#include <gmock/gmock.h>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using testing::HasSubstr;
using Tokens = std::vector<std::int32_t>;

TEST(ReferenceCache, BelongsToAKey) {
  const TempDir dir;
  const std::string path = dir / "reference.safetensors";
  PreferenceSet pairs;
  pairs.add({Tokens{1}, Tokens{2}, Tokens{3}});
  const std::vector<PairLogProbs> values{{-1, -2}};
  const ReferenceKey key{"w", "t", "c", "bf16"};
  ReferenceCache cache(key);
  EXPECT_FALSE(cache.load(path));
  cache.add(pairs, values);
  cache.save(path);
  const auto error = [&](const ReferenceKey& other) {
    return input_error_of([&] { ReferenceCache(other).load(path); });
  };
  EXPECT_THAT(error({"x", "t", "c", "bf16"}), HasSubstr("another model (weights w; this run has x)"));
  EXPECT_THAT(error({"w", "x", "c", "bf16"}), HasSubstr("another tokenizer (tokenizer t; this run has x)"));
  EXPECT_THAT(error({"w", "t", "x", "bf16"}), HasSubstr("another chat template (chat_template c; this run has x)"));
  EXPECT_THAT(error({"w", "t", "c", "f32"}), HasSubstr("another precision (dtype bf16; this run has f32)"));
  // What this run does not know is not compared; what the file does not know is.
  ReferenceCache unknown({"w", "", "", ""});
  EXPECT_TRUE(unknown.load(path));
  EXPECT_EQ(unknown.find(pairs, "pairs", path).at(0).rejected, -2);
  unknown.save(path);
  EXPECT_THAT(error(key), HasSubstr("another tokenizer (tokenizer none; this run has t)"));
  EXPECT_THAT(error({"w", "", "c", ""}), HasSubstr("another chat template (chat_template none; this run has c)"));
}

}  // namespace
}  // namespace fathom
