#include "io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "io/checksum.h"
#include "io/recorded_calls.h"
#include "io/temp_dir.h"
#include "test_data.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::read_file;
using test::runtime_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string golden = golden_path("safetensors/");

template <class T>
std::vector<T> values_of(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(Safetensors, ReadsWhatTheLibraryWrote) {
  const SafetensorsFile file(golden + "mixed.safetensors");
  EXPECT_EQ(file.tensors().size(), 6u);
  EXPECT_EQ(file.metadata(), (SafetensorsMetadata{{"format", "pt"}}));
  const StoredTensor& matrix = file.at("a.matrix");
  EXPECT_EQ(matrix.type, StoredType::f32);
  EXPECT_THAT(matrix.shape, ElementsAre(3, 4));
  EXPECT_EQ(matrix.bytes(), 48u);
  EXPECT_THAT(values_of<float>(matrix.rows(1, 1)), ElementsAre(1.0f, 1.25f, 1.5f, 1.75f));
  EXPECT_THAT(values_of<std::uint8_t>(file.at("b.small").data), ElementsAre(0, 1, 2));
  EXPECT_THAT(values_of<std::int64_t>(file.at("c.count").data), ElementsAre(-7));
  EXPECT_TRUE(file.at("c.count").shape.empty());
  EXPECT_THAT(values_of<std::uint16_t>(file.at("d.half").data), ElementsAre(0x3e00, 0xc000));
  EXPECT_EQ(file.at("e.empty").elements(), 0);
  EXPECT_THAT(values_of<std::int32_t>(file.at("f.\"quoted\" 中").data), ElementsAre(1, 2));
  EXPECT_EQ(file.find("g"), nullptr);
  EXPECT_EQ(input_error_of([&] { file.at("g"); }),
            golden + "mixed.safetensors: holds no tensor 'g'");
}

TEST(Safetensors, WritesTheLibrarysBytes) {
  const TempDir dir;
  const SafetensorsFile oracle(golden + "mixed.safetensors");
  std::vector<TensorSpec> specs(oracle.tensors().rbegin(), oracle.tensors().rend());
  SafetensorsWriter writer(dir / "a", specs, {{"format", "pt"}});
  for (const TensorSpec& spec : writer.tensors()) {
    const auto data = oracle.at(spec.name).data;
    writer.append(spec.name, data.first(data.size() / 2));
    writer.append(spec.name, data.subspan(data.size() / 2));
  }
  const std::uint64_t checksum = writer.finish();
  EXPECT_TRUE(read_file(dir / "a") == read_file(golden + "mixed.safetensors"));
  EXPECT_EQ(checksum, checksum_of_file(dir / "a"));
  EXPECT_EQ(dir.count(), 1);
}

TEST(Safetensors, RowsOutsideTheTensorAreRefused) {
  const SafetensorsFile file(golden + "mixed.safetensors");
  const StoredTensor& matrix = file.at("a.matrix");
  EXPECT_EQ(matrix.rows(3, 0).size(), 0u);
  EXPECT_EQ(file.at("c.count").rows(0, 1).size(), 8u);
  EXPECT_EQ(file.at("e.empty").rows(0, 0).size(), 0u);
  EXPECT_EQ(runtime_error_of([&] { matrix.rows(2, 2); }),
            "tensor 'a.matrix' has 3 rows, so not 2 from row 2");
  EXPECT_NE(runtime_error_of([&] { matrix.rows(-1, 1); }), "no error");
  EXPECT_NE(runtime_error_of([&] { matrix.rows(1, INT64_MAX); }), "no error");
}

TEST(Safetensors, WriterHoldsTheCallerToTheDeclaration) {
  const TempDir dir;
  const std::vector<TensorSpec> specs = {{"a", StoredType::u8, {2}}, {"b", StoredType::u8, {1}}};
  SafetensorsWriter writer(dir / "x", specs);
  EXPECT_EQ(runtime_error_of([&] { writer.append("b", bytes_of("1")); }),
            (dir / "x") + ": tensor 'a' is due, not 'b'");
  EXPECT_EQ(runtime_error_of([&] { writer.append("a", bytes_of("123")); }),
            (dir / "x") + ": more bytes for 'a' than its 2");
  writer.append("a", bytes_of("12"));
  EXPECT_EQ(runtime_error_of([&] { writer.finish(); }),
            (dir / "x") + ": tensor 'b' is not complete");
  writer.append("b", bytes_of("1"));
  EXPECT_EQ(runtime_error_of([&] { writer.append("b", bytes_of("1")); }),
            (dir / "x") + ": bytes of 'b' after the last tensor");
  EXPECT_EQ(runtime_error_of([&] {
              SafetensorsWriter(dir / "y", {specs[0], specs[0]});
            }),
            (dir / "y") + ": tensor 'a' is declared twice");
}

TEST(Safetensors, UnfinishedFileIsNotThere) {
  const TempDir dir;
  { SafetensorsWriter writer(dir / "x", {{"a", StoredType::u8, {2}}}); }
  EXPECT_EQ(dir.count(), 0);
}

TEST(Safetensors, FileWithoutTensorsReadsBack) {
  const TempDir dir;
  SafetensorsWriter(dir / "x", {}).finish();
  EXPECT_TRUE(SafetensorsFile(dir / "x").tensors().empty());
}

// Readers map the values where they are.
TEST(Safetensors, ValuesBeginAtAMultipleOfEightBytes) {
  const TempDir dir;
  for (std::size_t length = 1; length <= 8; ++length) {
    const TensorSpec spec{std::string(length, 'n'), StoredType::u8, {1}};
    SafetensorsWriter writer(dir / "a", {spec});
    writer.append(spec.name, bytes_of("x"));
    writer.finish();
    EXPECT_EQ(std::filesystem::file_size(dir / "a") % 8, 1u) << length;
  }
}

TEST(Safetensors, TypesMapBothWays) {
  for (const DType dtype :
       {DType::f32, DType::bf16, DType::i32, DType::u32, DType::u16, DType::u8}) {
    EXPECT_EQ(dtype_of_stored(stored_type_of(dtype)), dtype);
    EXPECT_EQ(size_of(stored_type_of(dtype)), size_of(dtype));
  }
  EXPECT_EQ(dtype_of_stored(StoredType::f16), std::nullopt);
  EXPECT_EQ(name_of(StoredType::f8_e4m3), "F8_E4M3");
}

// In the order in which the libraries sort them: the widest come last here, and first in files.
TEST(Safetensors, TypesHaveTheirNamesAndSizes) {
  const std::pair<std::string_view, std::size_t> types[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
  std::vector<TensorSpec> specs;
  for (std::size_t i = 0; i < std::size(types); ++i) {
    const auto type = static_cast<StoredType>(i);
    EXPECT_EQ(name_of(type), types[i].first);
    EXPECT_EQ(size_of(type), types[i].second) << types[i].first;
    specs.push_back({std::string(types[i].first), type, {3}});
  }
  const TempDir dir;
  SafetensorsWriter writer(dir / "a", specs);
  for (const TensorSpec& spec : writer.tensors()) {
    writer.append(spec.name, bytes_of(std::string(spec.bytes(), 'x')));
  }
  writer.finish();
  const SafetensorsFile file(dir / "a");
  ASSERT_EQ(file.tensors().size(), std::size(types));
  for (std::size_t i = 0; i < std::size(types); ++i) {
    const StoredTensor& tensor = file.tensors()[std::size(types) - 1 - i];
    EXPECT_EQ(tensor.name, types[i].first) << "wide types first";
    EXPECT_EQ(tensor.data.size(), 3 * types[i].second) << tensor.name;
  }
}

TEST(Safetensors, TensorsOfOneTypeAreSortedByName) {
  const TempDir dir;
  const SafetensorsWriter writer(dir / "x", {{"b", StoredType::u8, {1}},
                                             {"a", StoredType::u8, {1}},
                                             {"z", StoredType::f32, {1}},
                                             {"B", StoredType::u8, {1}}});
  std::vector<std::string> names;
  for (const TensorSpec& spec : writer.tensors()) names.push_back(spec.name);
  EXPECT_THAT(names, ElementsAre("z", "B", "a", "b"));
}

TEST(Safetensors, TensorsWithoutBytesNeedNone) {
  const TempDir dir;
  SafetensorsWriter writer(
      dir / "x",
      {{"a", StoredType::u8, {0}}, {"b", StoredType::u8, {1}}, {"c", StoredType::u8, {2, 0}}});
  writer.append("c", {});
  writer.append("b", bytes_of("1"));
  writer.append("none", {});
  writer.finish();
  EXPECT_EQ(SafetensorsFile(dir / "x").tensors().size(), 3u);
}

TEST(Safetensors, MetadataIsWrittenWhereThereIsAny) {
  const TempDir dir;
  SafetensorsWriter(dir / "none", {}).finish();
  EXPECT_EQ(read_file(dir / "none").find("__metadata__"), std::string::npos);
  SafetensorsWriter(dir / "some", {}, {{"b", "2"}, {"a", "1"}}).finish();
  EXPECT_EQ(SafetensorsFile(dir / "some").metadata(),
            (SafetensorsMetadata{{"a", "1"}, {"b", "2"}}));
}

TEST(Safetensors, IsFlushedUnlessItsDirectoryDoesThat) {
  const TempDir dir;
  for (const Flush when : {Flush::at_commit, Flush::by_directory}) {
    SafetensorsWriter writer(dir / "x", {}, {}, when);
    test::RecordedCalls recorded(dir.path());
    writer.finish();
    EXPECT_EQ(recorded.calls().size(), when == Flush::at_commit ? 3u : 1u);
  }
}

// Writes a, b, c of 8 bytes each as a model directory.
void write_model(const std::string& directory, std::uint64_t max_shard_bytes) {
  const std::vector<SafetensorsShard> shards = plan_shards(
      {{"c", StoredType::u8, {8}}, {"a", StoredType::f32, {2}}, {"b", StoredType::u8, {2, 4}}},
      max_shard_bytes);
  for (const SafetensorsShard& shard : shards) {
    SafetensorsWriter writer(directory + "/" + shard.file, shard.tensors, hugging_face_metadata);
    for (const TensorSpec& spec : shard.tensors) {
      writer.append(spec.name, bytes_of(std::string(8, spec.name[0])));
    }
    writer.finish();
  }
  write_shard_index(directory, shards);
}

TEST(SafetensorsSet, ShardsAreNamedAndIndexedAsHuggingFaceDoes) {
  const TempDir dir;
  write_model(dir.path(), 20);
  const auto index = nlohmann::json::parse(read_file(dir / "model.safetensors.index.json"));
  EXPECT_EQ(index, nlohmann::json::parse(R"({"metadata": {"total_size": 24}, "weight_map": {
      "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
      "c": "model-00001-of-00002.safetensors"}})"));
  EXPECT_EQ(dir.count(), 3);
  const SafetensorsSet set(dir.path());
  EXPECT_THAT(set.names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(values_of<char>(set.at("b").data), std::vector<char>(8, 'b'));
  EXPECT_EQ(set.metadata().at("format"), "pt");
  EXPECT_EQ(input_error_of([&] { set.at("d"); }), dir.path() + ": holds no tensor 'd'");
}

TEST(SafetensorsSet, OneShardIsASingleFileWithoutIndex) {
  const TempDir dir;
  write_model(dir.path(), 24);
  EXPECT_EQ(dir.count(), 1);
  EXPECT_THAT(SafetensorsSet(dir.path()).names(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(SafetensorsSet(dir / "model.safetensors").names(), ElementsAre("a", "b", "c"));
}

TEST(SafetensorsSet, BrokenDirectoriesAreRefused) {
  const TempDir dir;
  const std::string index = dir / "model.safetensors.index.json";
  const auto error = [&] { return input_error_of([&] { SafetensorsSet set(dir.path()); }); };
  EXPECT_EQ(error(), dir.path() +
                         ": holds neither model.safetensors nor "
                         "model.safetensors.index.json");
  write_file(index, "{");
  EXPECT_THAT(error(), testing::StartsWith(index + ": not valid JSON"));
  write_file(index, "{\"weight_map\": []}");
  EXPECT_EQ(error(), index + ": has no object 'weight_map', so it is not a safetensors index");
  write_file(index, "{\"weight_map\": {}}");
  EXPECT_EQ(error(), index + ": lists no tensors");
  write_file(index, R"({"weight_map": {"a": 1}})");
  EXPECT_EQ(error(), index + ": the shard of tensor 'a' is not a file name");
  write_file(index, R"({"weight_map": {"a": "../x"}})");
  EXPECT_EQ(error(), index +
                         ": the shard of tensor 'a' is '../x', which is not a file beside the "
                         "index");
  for (const char* outside : {"..", "", "/x"}) {
    write_file(index, fmt::format(R"({{"weight_map": {{"a": "{}"}}}})", outside));
    EXPECT_THAT(error(), HasSubstr("which is not a file beside the index")) << outside;
  }
  write_file(index, R"({"weight_map": {"a": "x"}})");
  EXPECT_EQ(error(), (dir / "x") + ": cannot read this file: No such file or directory");
  SafetensorsWriter(dir / "x", {}).finish();
  EXPECT_EQ(error(), index + ": tensor 'a' should be in " + (dir / "x") + ", but is not");
}

TEST(SafetensorsSet, NamesOfManyTensorsAreSorted) {
  const TempDir dir;
  std::vector<TensorSpec> specs;
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) {
    specs.push_back(
        {fmt::format("layer.{}", 97 * i % 50), i % 2 ? StoredType::u8 : StoredType::f32, {0}});
    names.push_back(specs.back().name);
  }
  std::ranges::sort(names);
  SafetensorsWriter(dir / "model.safetensors", specs).finish();
  EXPECT_EQ(SafetensorsSet(dir.path()).names(), names);
  EXPECT_EQ(SafetensorsSet(dir.path()).find("layer.50"), nullptr);
  EXPECT_NE(SafetensorsSet(dir.path()).find("layer.49"), nullptr);
}

TEST(SafetensorsSet, OneFileGoesBeforeAnIndex) {
  const TempDir dir;
  write_file(dir / "model.safetensors.index.json", "{");
  SafetensorsWriter(dir / "model.safetensors", {{"a", StoredType::u8, {0}}}).finish();
  EXPECT_THAT(SafetensorsSet(dir.path()).names(), ElementsAre("a"));
}

TEST(SafetensorsSet, ShardsAreFilledToTheirBound) {
  const auto sizes = [](std::initializer_list<std::int64_t> tensors, std::uint64_t bound) {
    std::vector<TensorSpec> specs;
    for (const std::int64_t bytes : tensors) {
      specs.push_back({std::string(specs.size() + 1, 'n'), StoredType::u8, {bytes}});
    }
    std::vector<std::uint64_t> found;
    std::size_t number = 0;
    const auto shards = plan_shards(specs, bound);
    for (const SafetensorsShard& shard : shards) {
      found.push_back(shard.bytes);
      EXPECT_EQ(shard.file, shards.size() == 1 ? "model.safetensors"
                                               : fmt::format("model-{:05}-of-{:05}.safetensors",
                                                             ++number, shards.size()));
    }
    return found;
  };
  EXPECT_THAT(sizes({3, 4}, 7), ElementsAre(7));
  EXPECT_THAT(sizes({3, 4}, 6), ElementsAre(3, 4));
  EXPECT_THAT(sizes({3, 4, 1, 9, 2}, 8), ElementsAre(8, 9, 2));
  EXPECT_THAT(sizes({0, 9}, 8), ElementsAre(0, 9));
  EXPECT_THAT(sizes({}, 8), ElementsAre(0));
}

TEST(SafetensorsSet, ShardsNeverCutATensorAndRefuseNamesTwice) {
  const std::vector<TensorSpec> tensors{{"a", StoredType::u8, {9}}, {"b", StoredType::u8, {1}}};
  const std::vector<SafetensorsShard> shards = plan_shards(tensors, 4);
  ASSERT_EQ(shards.size(), 2u);
  EXPECT_EQ(shards[0].bytes, 9u);
  EXPECT_EQ(runtime_error_of([&] {
              plan_shards({tensors[0], tensors[0]}, 100);
            }),
            "a model's tensor 'a' is declared twice");
}

}  // namespace
}  // namespace fathom
