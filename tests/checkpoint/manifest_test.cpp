// The text of a manifest, and what its slices may be.
#include "checkpoint/manifest.h"

#include <gmock/gmock.h>

#include "checkpoint/checkpoint_state.h"
#include "io/checksum.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using Box = std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>>;  // offset, extent

std::string problem(const std::vector<Box>& boxes, Shape shape = {4, 6}) {
  ManifestTensor tensor;
  tensor.name = "m";
  tensor.shape = shape;
  for (const auto& [offset, extent] : boxes)
    tensor.slices.push_back({offset, extent, "f", "k", {}});
  return message_of([&] { check_slices(tensor, "s"); });
}

TEST(CheckpointManifest, SlicesLieInsideTheirTensor) {
  EXPECT_EQ(problem({{{0, 0}, {4, 6}}}), "");
  EXPECT_EQ(problem({{{0, 0}, {3, 6}}, {{3, 0}, {1, 5}}, {{3, 5}, {1, 1}}}), "");
  for (const Box& box : {Box{{0, -1}, {4, 6}},
                         {{-1, 0}, {4, 6}},
                         {{0, 0}, {5, 6}},
                         {{0, 0}, {4, 7}},
                         {{1, 0}, {4, 6}},
                         {{0, 1}, {4, 6}},
                         {{4, 0}, {1, 6}},
                         {{0, 0}, {0, 6}},
                         {{0, 0}, {4, 0}},
                         {{0, 0}, {4, -6}},
                         {{0}, {4}},
                         {{0, 0, 0}, {4, 6, 1}},
                         {{0, 0}, {4, 6, 1}},
                         {{0}, {4, 6}}}) {
    EXPECT_THAT(problem({box}), HasSubstr("is not inside its shape [4, 6]"))
        << testing::PrintToString(box);
  }
  EXPECT_EQ(problem({{{2, 0}, {3, 6}}}),
            "s: a slice of 'm' at [2,0] of size [3,6] is not inside its shape [4, 6]");
}

TEST(CheckpointManifest, SlicesAreApartAndCoverTheTensor) {
  EXPECT_EQ(problem({{{0, 0}, {2, 3}}, {{0, 3}, {2, 3}}, {{2, 0}, {2, 6}}}), "");
  // They share a corner, a row, and a column.
  EXPECT_EQ(problem({{{0, 0}, {2, 3}}, {{1, 2}, {3, 4}}}),
            "s: two slices of 'm' overlap, at [0,0] and [1,2]");
  EXPECT_EQ(problem({{{1, 0}, {3, 6}}, {{0, 0}, {2, 6}}}),
            "s: two slices of 'm' overlap, at [1,0] and [0,0]");
  EXPECT_EQ(problem({{{0, 0}, {1, 6}}, {{1, 0}, {3, 4}}, {{1, 3}, {3, 3}}}),
            "s: two slices of 'm' overlap, at [1,0] and [1,3]");
  EXPECT_EQ(problem({{{0, 0}, {2, 6}}, {{3, 0}, {1, 6}}}),
            "s: the slices of 'm' hold 18 of its 24 values");
  EXPECT_EQ(problem({}), "s: the slices of 'm' hold 0 of its 24 values");
}

TEST(CheckpointManifest, EachBlockHasAChecksum) {
  const auto with = [](std::int64_t values, std::size_t checksums) {
    ManifestTensor tensor;
    tensor.name = "m";
    tensor.shape = {values};
    tensor.slices.push_back({{0}, {values}, "f", "k", std::vector<std::uint64_t>(checksums)});
    return message_of([&] { check_slices(tensor, "s"); });
  };
  constexpr std::int64_t block = slice_block_bytes / 4;
  EXPECT_EQ(with(block, 0), "");
  EXPECT_EQ(with(block, 1), "");
  EXPECT_EQ(with(block + 1, 2), "");
  EXPECT_EQ(with(block, 2), "s: a slice of 'm' of 4194304 bytes has 2 checksums, not 1");
  EXPECT_EQ(with(block + 1, 1), "s: a slice of 'm' of 4194308 bytes has 1 checksums, not 2");
}

// The text with `old` replaced, and its checksum put right.
std::string changed(std::string text, const std::string& old, const std::string& with) {
  EXPECT_NE(text.find(old), std::string::npos) << old;
  text.replace(text.find(old), old.size(), with);
  const std::size_t head = text.find("\",\n") + 3;
  return text.replace(head - 19, 16,
                      checksum_text(checksum_of(std::string_view(text).substr(head))));
}

TEST(CheckpointManifest, TextsThatMakeNoSenseAreRefused) {
  CheckpointManifest manifest;
  manifest.step = 3;
  manifest.files = {{"a", 8, 1}, {"b", 9, 2}};
  for (const char* name : {"m", "n"}) {
    manifest.tensors.push_back({StateKind::first_moment, name, DType::f32, {2, 3}, {}});
    manifest.tensors.back().slices = {{{0, 0}, {1, 3}, "a", "k", {7}},
                                      {{1, 0}, {1, 3}, "b", "k", {}}};
  }
  const std::string text = checkpoint_manifest_text(manifest);
  EXPECT_EQ(checkpoint_manifest_text(parse_checkpoint_manifest(text, "s")), text);
  const auto refused = [&](const std::string& old, const std::string& with) {
    return message_of([&] { parse_checkpoint_manifest(changed(text, old, with), "s"); });
  };
  EXPECT_EQ(refused("first_moment", "third_moment"), "s: there is no kind 'third_moment'");
  EXPECT_EQ(refused("f32", "f31"), "s: there is no element type 'f31'");
  EXPECT_EQ(refused("\"format\": 1", "\"format\": 2"),
            "s: has format 2, but this program reads format 1; use the version that wrote it");
  for (const char* name :
       {"", ".a", "..", "x/a", "additional_chat_templates/../a", "additional_chat_templates/a/b"}) {
    EXPECT_EQ(refused("\"name\": \"a\"", fmt::format("\"name\": \"{}\"", name)),
              fmt::format("s: '{}' is no name of a file beside it", name));
  }
  EXPECT_EQ(refused("\"shape\": [2,3]", "\"shape\": []"), "s: 'm' has 0 dimensions, not 1 to 4");
  EXPECT_EQ(refused("\"shape\": [2,3]", "\"shape\": [1,1,1,1,6]"),
            "s: 'm' has 5 dimensions, not 1 to 4");
  EXPECT_EQ(refused("\"shape\": [2,3]", "\"shape\": [2,0]"), "s: 'm' cannot have the shape [2,0]");
  EXPECT_EQ(refused("\"shape\": [2,3]", "\"shape\": [4294967296,4294967296]"),
            "s: 'm' cannot have the shape [4294967296,4294967296]");
  const std::string digits = "s: a checksum in it is not 16 hexadecimal digits; is it damaged?";
  const std::string seven = "0000000000000007";
  for (const std::string& wrong : {seven.substr(1), seven + "0", "x" + seven.substr(1)}) {
    EXPECT_EQ(refused(seven, wrong), digits) << wrong;
  }
  EXPECT_EQ(refused("\"block_bytes\": 4194304", "\"block_bytes\": 7"), "");
  EXPECT_EQ(message_of([&] { parse_checkpoint_manifest(text + " ", "s"); }),
            "s: its content does not match its checksum; the file is damaged");
  for (const std::string& other :
       {std::string(), text.substr(0, 34), text.substr(1), "[" + text.substr(1),
        text.substr(0, 33) + "x" + text.substr(34)}) {
    EXPECT_THAT(message_of([&] { parse_checkpoint_manifest(other, "s"); }), StartsWith("s: "))
        << other;
  }
}

TEST(CheckpointManifest, AStateIsOfAStep) {
  TrainingState state;
  state.step = -1;
  EXPECT_EQ(message_of([&] { parse_state(state_text(state), "state.json"); }),
            "state.json: 'step' is -1, less than 0");
}

// As checkpoints hold it: another key, or two that are exchanged, would lose those that there are.
TEST(CheckpointManifest, StatesHaveTheKeysOfOlderCheckpoints) {
  TrainingState state;
  state.step = 3;
  state.tokens = 4096;
  state.seed = 17;
  state.data = {5, 0xab, 64, true, {{"a", 0.5, 7, 8, 0xcd}}};
  state.guard = {0.25, 0.125, 9, 10, 11};
  state.elapsed_seconds = 1.5;
  state.config_toml = "x = 1\n";
  state.tokenizer_hash = "abc";
  state.objective = "dpo";
  state.schedule = {0.75, 0.625};
  state.branch = {"runs/c", 12, 13, 14, 0.375, {{"b", 0xef, 32, 15}}};
  const std::string text = R"({
"step": 3,
"tokens": 4096,
"data": {"next_sample": 5, "sample_order": "00000000000000ab", "sequence_length": 64, "attention_within_documents": true,
  "sources": [{"name": "a", "weight": "0.5", "tokens": 7, "documents": 8, "content": "00000000000000cd"}]},
"spike_guard": {"mean": "0.25", "variance": "0.125", "seen": 9, "skipped": 10, "consecutive": 11},
"schedule": {"warmup": "0.75", "decay": "0.625"},
"branch": {"checkpoint": "runs/c", "step": 12, "tokens": 13, "next_sample": 14, "warmup": "0.375",
  "read": [{"name": "b", "content": "00000000000000ef", "sequence_length": 32, "windows": 15}]},
"seed": 17,
"elapsed_seconds": "1.5",
"tokenizer_hash": "abc",
"objective": "dpo",
"config_toml": "x = 1\n"
}
)";
  EXPECT_EQ(state_text(state), text);
  const TrainingState back = parse_state(text, "state.json");
  EXPECT_EQ(back.step, 3);
  EXPECT_EQ(back.tokens, 4096);
  EXPECT_EQ(back.seed, 17u);
  EXPECT_EQ(back.data, state.data);
  EXPECT_EQ(back.guard, state.guard);
  EXPECT_EQ(back.elapsed_seconds, 1.5);
  EXPECT_EQ(back.config_toml, "x = 1\n");
  EXPECT_EQ(back.tokenizer_hash, "abc");
  EXPECT_EQ(back.objective, "dpo");
  EXPECT_EQ(back.schedule.warmup, 0.75);
  EXPECT_EQ(back.schedule.decay, 0.625);
  EXPECT_EQ(state_text(back), text);  // the branch too
}

TEST(CheckpointManifest, HasTheKeysOfOlderCheckpoints) {
  CheckpointManifest manifest;
  manifest.step = 3;
  manifest.files = {{"weight.safetensors", 100, 0xab}};
  for (const auto kind : {StateKind::weight, StateKind::remainder, StateKind::first_moment,
                          StateKind::second_moment}) {
    ManifestTensor tensor{kind, "m", DType::f32, {2, 3}, {}};
    tensor.slices = {{{0, 0}, {1, 3}, "weight.safetensors", "k", {0xcd, 0xef}},
                     {{1, 0}, {1, 3}, "weight.safetensors", "l", {}}};
    manifest.tensors.push_back(tensor);
  }
  const std::string text = checkpoint_manifest_text(manifest);
  std::string tensors;
  for (const char* kind : {"weight", "remainder", "first_moment", "second_moment"}) {
    tensors += std::string(tensors.empty() ? "" : ",\n") + R"({"kind": ")" + kind +
               R"(", "name": "m", "dtype": "f32", "shape": [2,3], "slices": [)"
               R"({"offset": [0,0], "extent": [1,3], "file": "weight.safetensors", "key": "k", )"
               R"("blocks": "00000000000000cd00000000000000ef"}, )"
               R"({"offset": [1,0], "extent": [1,3], "file": "weight.safetensors", "key": "l", )"
               R"("blocks": ""}]})";
  }
  EXPECT_THAT(text, testing::EndsWith(R"("format": 1,
"step": 3,
"block_bytes": 4194304,
"files": [
{"name": "weight.safetensors", "bytes": 100, "checksum": "00000000000000ab"}
],
"tensors": [
)" + tensors + "\n]\n}\n"));
}

}  // namespace
}  // namespace fathom::test
