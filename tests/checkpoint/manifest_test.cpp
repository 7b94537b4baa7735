// The text of a manifest, and what its slices may be.
#include "checkpoint/manifest.h"

#include <gmock/gmock.h>

#include <limits>

#include "checkpoint/checkpoint_state.h"
#include "checkpoint/files.h"
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

// Parts of one tensor, as ranks write them.
TEST(CheckpointManifest, PartsOfRanksMakeOneManifest) {
  const auto part = [](std::int64_t row, const char* file) {
    CheckpointManifest manifest;
    manifest.step = 7;
    manifest.files = {{file, 8, 1}};
    manifest.tensors = {{StateKind::weight, "m", DType::f32, {2, 3}, {}}};
    manifest.tensors[0].slices = {{{row, 0}, {1, 3}, file, "k", {}}};
    return manifest;
  };
  std::vector<CheckpointManifest> parts{part(0, "a"), part(1, "b")};
  parts[1].tensors.push_back({StateKind::first_moment, "m", DType::f32, {1}, {}});
  parts[1].tensors[1].slices = {{{0}, {1}, "b", "v", {}}};
  const CheckpointManifest whole = merge_manifests(parts);
  EXPECT_EQ(whole.step, 7);
  ASSERT_EQ(whole.files.size(), 2u);
  EXPECT_EQ(whole.files[1].name, "b");
  ASSERT_EQ(whole.tensors.size(), 2u);
  ASSERT_EQ(whole.tensors[0].slices.size(), 2u);
  EXPECT_EQ(whole.tensors[0].slices[1].file, "b");
  EXPECT_EQ(whole.tensors[1].kind, StateKind::first_moment);
  const auto refused = [&](auto&& change) {
    std::vector<CheckpointManifest> other = parts;
    change(other[1].tensors[0]);
    return message_of([&] { merge_manifests(other); });
  };
  const std::string differ = "the slices of 'm' differ in type or global shape";
  EXPECT_EQ(refused([](ManifestTensor& t) { t.dtype = DType::bf16; }), differ);
  EXPECT_EQ(refused([](ManifestTensor& t) { t.shape = {3, 3}; }), differ);
  EXPECT_EQ(refused([](ManifestTensor& t) { t.slices.clear(); }),
            "cannot save: the slices of 'm' hold 3 of its 6 values");
  EXPECT_THAT(refused([](ManifestTensor& t) {
                t.slices[0].offset = {0, 0};
              }),
              StartsWith("cannot save: two slices of 'm' overlap"));
}

TEST(CheckpointManifest, OnlySlicesOfTheTensorAreSaved) {
  float values[6] = {};
  const auto refused = [&](std::vector<CheckpointTensor> tensors) {
    return message_of([&] { check_tensors(tensors); });
  };
  const Tensor row(values, DType::f32, {1, 3});
  const CheckpointTensor first{StateKind::weight, "m", {2, 3}, {0, 0}, row};
  const CheckpointTensor second{StateKind::weight, "m", {2, 3}, {1, 0}, row};
  EXPECT_EQ(refused({first, second}), "");
  EXPECT_EQ(refused({first}), "cannot save: the slices of 'm' hold 3 of its 6 values");
  EXPECT_EQ(message_of([&] { check_tensors({first}, ManifestSlices::part); }), "");
  const std::string dimensions = "the slice of 'm' has not the dimensions of [2, 3]";
  for (const auto& [offset, tensor] :
       {std::pair{std::vector<std::int64_t>{1}, row},
        {std::vector<std::int64_t>{1, 0, 0}, row},
        {std::vector<std::int64_t>{1, 0}, Tensor(values, DType::f32, {3})},
        {std::vector<std::int64_t>{1, 0}, Tensor{}}}) {
    EXPECT_EQ(refused({first, {StateKind::weight, "m", {2, 3}, offset, tensor}}), dimensions);
  }
  const CheckpointTensor other{
      StateKind::weight, "m", {2, 3}, {1, 0}, Tensor(values, DType::bf16, {1, 3})};
  EXPECT_EQ(refused({first, other}), "the slices of 'm' differ in type or global shape");
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

// Their checksums would not match; the files' own still do.
TEST(CheckpointManifest, BlocksOfAnotherSizeHaveNoChecksums) {
  CheckpointManifest manifest;
  manifest.tensors.push_back({StateKind::weight, "m", DType::f32, {2, 3}, {}});
  manifest.tensors[0].slices = {{{0, 0}, {1, 3}, "a", "k", {7}}, {{1, 0}, {1, 3}, "a", "l", {8}}};
  const std::string text = checkpoint_manifest_text(manifest);
  const auto checksums = [](const std::string& of) {
    std::vector<std::uint64_t> all;
    const CheckpointManifest parsed = parse_checkpoint_manifest(of, "s");
    for (const ManifestSlice& slice : parsed.tensors[0].slices) {
      all.insert(all.end(), slice.checksums.begin(), slice.checksums.end());
    }
    return all;
  };
  const std::string key = "\"block_bytes\": 4194304";
  EXPECT_THAT(checksums(text), testing::ElementsAre(7, 8));
  for (const char* other :
       {"\"block_bytes\": 4194303", "\"block_bytes\": 4194305", "\"other_bytes\": 4194304"}) {
    EXPECT_THAT(checksums(changed(text, key, other)), testing::IsEmpty()) << other;
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

// Each figure differs, so that no two can be exchanged.
TEST(CheckpointManifest, StatesHaveThePhasesThatHaveBegun) {
  TrainingState state;
  state.data = {5, 0xab, 64, false, {{"a", 0.5, 7, 8, 0xcd}}};
  state.data->phases = {{11, 12, 0xe1, {{"b", 0.25, 13, 14, 0xf1}, {"c", 3, 15, 16, 0xf2}}},
                        {21, 22, 0xe2, {}}};
  const std::string text = state_text(state);
  EXPECT_THAT(text, HasSubstr(R"(
  "phases": [{"first_sample": 11, "step": 12, "sample_order": "00000000000000e1",
    "sources": [{"name": "b", "weight": "0.25", "tokens": 13, "documents": 14, "content": "00000000000000f1"},
    {"name": "c", "weight": "3", "tokens": 15, "documents": 16, "content": "00000000000000f2"}]},
    {"first_sample": 21, "step": 22, "sample_order": "00000000000000e2",
    "sources": []}]},
)"));
  EXPECT_EQ(parse_state(text, "state.json"), state);
  state.data->phases.clear();
  EXPECT_THAT(state_text(state), testing::Not(HasSubstr("phases")));
  EXPECT_EQ(parse_state(state_text(state), "state.json"), state);
}

TEST(CheckpointManifest, AStateWithoutAnOptionalPartHasItsDefault) {
  const TrainingState state = parse_state(
      R"({"step": 0, "tokens": 0, "seed": 18446744073709551615, "elapsed_seconds": "inf",
          "tokenizer_hash": "", "config_toml": ""})",
      "state.json");
  EXPECT_EQ(state.objective, "next_token");
  EXPECT_EQ(state.schedule, (ScheduleState{1, 1}));
  EXPECT_EQ(state.seed, ~0ULL);
  EXPECT_EQ(state.elapsed_seconds, std::numeric_limits<double>::infinity());
  EXPECT_FALSE(state.data || state.guard || state.branch);
}

TEST(CheckpointManifest, FiguresOfAStateThatAreNoneAreNamed) {
  TrainingState state;
  state.data = {5, 0xab, 64, true, {{"a", 0.5, 7, 8, 0xcd}}};
  const auto refused = [&](const std::string& old, const std::string& with) {
    std::string text = state_text(state);
    EXPECT_NE(text.find(old), std::string::npos) << old;
    text.replace(text.find(old), old.size(), with);
    return message_of([&] { parse_state(text, "state.json"); });
  };
  EXPECT_EQ(refused("\"warmup\": \"1\"", "\"warmup\": \"one\""),
            "state.json: 'warmup' holds 'one', which is no number");
  EXPECT_EQ(refused("\"weight\": \"0.5\"", "\"weight\": \"0.5x\""),
            "state.json: 'weight' holds '0.5x', which is no number");
  EXPECT_EQ(refused("\"weight\": \"0.5\"", "\"weight\": \"\""),
            "state.json: 'weight' holds '', which is no number");
  EXPECT_EQ(refused("00000000000000cd", "00000000000000cg"),
            "state.json: 'content' holds '00000000000000cg', which is no number");
  EXPECT_EQ(refused("00000000000000ab", "100000000000000ab"),
            "state.json: 'sample_order' holds '100000000000000ab', which is no number");
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
