// The file of reference log-probabilities: what is saved comes back, and another run's is refused.
#include "align/reference_cache.h"

#include <gmock/gmock.h>

#include "io/safetensors.h"
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
  EXPECT_THAT(error({"x", "t", "c", "bf16"}),
              HasSubstr("another model (weights w; this run has x)"));
  EXPECT_THAT(error({"w", "x", "c", "bf16"}),
              HasSubstr("another tokenizer (tokenizer t; this run has x)"));
  EXPECT_THAT(error({"w", "t", "x", "bf16"}),
              HasSubstr("another chat template (chat_template c; this run has x)"));
  EXPECT_THAT(error({"w", "t", "c", "f32"}),
              HasSubstr("another precision (dtype bf16; this run has f32)"));
  // What this run does not know is not compared; what the file does not know is.
  ReferenceCache unknown({"w", "", "", ""});
  EXPECT_TRUE(unknown.load(path));
  EXPECT_EQ(unknown.find(pairs, "pairs", path).at(0).rejected, -2);
  unknown.save(path);
  EXPECT_THAT(error(key), HasSubstr("another tokenizer (tokenizer none; this run has t)"));
  EXPECT_THAT(error({"w", "", "c", ""}),
              HasSubstr("another chat template (chat_template none; this run has c)"));
}

TEST(ReferenceCache, FindsPairsInAnyOrder) {
  const TempDir dir;
  const std::string path = dir / "reference.safetensors";
  PreferenceSet pairs, other;
  pairs.add({Tokens{1}, Tokens{2}, Tokens{3}});
  pairs.add({Tokens{1}, Tokens{3}, Tokens{2}});
  ReferenceCache cache({});
  cache.add(pairs, std::vector<PairLogProbs>{{-1, -2}, {-3, -4}});
  cache.save(path);
  ReferenceCache loaded({});
  ASSERT_TRUE(loaded.load(path));
  for (const std::int64_t i : {1, 0, 1}) other.add(pairs[i]);
  const std::vector<PairLogProbs> found = loaded.find(other, "held-out data", path);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].chosen, -3);
  EXPECT_EQ(found[1].rejected, -2);
  EXPECT_EQ(found[2].rejected, -4);
  other.add({Tokens{9}, Tokens{3}, Tokens{2}});
  EXPECT_EQ(input_error_of([&] { loaded.find(other, "held-out data", path); }),
            path +
                ": reference log-probabilities of other data: pair 4 of the held-out data is "
                "not among them; name another file by dpo.reference, or remove this one to "
                "compute them again");
}

TEST(ReferenceCache, OtherFilesAndDamagedOnesAreRefused) {
  const TempDir dir;
  const std::string path = dir / "reference.safetensors";
  SafetensorsWriter(path, {}, {{"format", "pt"}}).finish();
  EXPECT_EQ(input_error_of([&] { ReferenceCache({}).load(path); }),
            path + ": no file of reference log-probabilities: name another one by dpo.reference");
  PreferenceSet pairs;
  pairs.add({Tokens{1}, Tokens{2}, Tokens{3}});
  ReferenceCache cache({});
  cache.add(pairs, std::vector<PairLogProbs>{{-1, -2}});
  cache.save(path);
  const std::string bytes = test::read_file(path);
  for (const std::size_t from_end : {1, 9}) {  // of the values and of the pairs
    std::string damaged = bytes;
    damaged[damaged.size() - from_end] = char(damaged[damaged.size() - from_end] ^ 1);
    test::write_file(path, damaged);
    EXPECT_EQ(input_error_of([&] { ReferenceCache({}).load(path); }),
              path + ": damaged: remove it to compute the reference log-probabilities again");
  }
}

}  // namespace
}  // namespace fathom
