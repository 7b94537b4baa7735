// GGUF files: out and in, and every way in which one can lie.
#include "io/gguf.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::HasSubstr;

// Puts a file together, field by field.
struct Bytes {
  std::string text;

  template <class T>
  Bytes& number(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  Bytes& u32(std::uint32_t value) { return number(value); }
  Bytes& u64(std::uint64_t value) { return number(value); }
  Bytes& string(const std::string& value) {
    u64(value.size());
    text += value;
    return *this;
  }
};

Bytes header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
  Bytes bytes;
  bytes.text = "GGUF";
  return bytes.u32(version).u64(tensors).u64(keys);
}

Bytes tensor(Bytes bytes, const std::string& name, std::vector<std::uint64_t> sizes,
             std::uint32_t type, std::uint64_t offset) {
  bytes.string(name).u32(static_cast<std::uint32_t>(sizes.size()));
  for (const std::uint64_t size : sizes) bytes.u64(size);
  return bytes.u32(type).u64(offset);
}

// The file with `data` bytes after the padded header.
std::string with_data(Bytes bytes, std::size_t data) {
  bytes.text.resize((bytes.text.size() + 31) / 32 * 32);
  return bytes.text + std::string(data, '\1');
}

std::string gguf_error(const std::string& file) {
  return input_error_of([&] { GgufFile(std::as_bytes(std::span(file)), "f"); });
}

TEST(Gguf, WhatIsWrittenIsRead) {
  const test::TempDir dir;
  GgufMetadata keys;
  keys.add_u32("a.u32", 7);
  keys.add_f32("a.f32", 0.5f);
  keys.add_boolean("a.bool", true);
  keys.add_text("a.text", "ü\n");
  keys.add_texts("a.texts", std::vector<std::string>{"x", "", "yz"});
  keys.add_i32s("a.i32s", std::vector<std::int32_t>{-1, 2});
  keys.add_f32s("a.f32s", std::vector<float>{1.5f});
  const std::string path = dir / "model.gguf";
  {
    GgufWriter writer(path, keys, {{"m", GgufType::f32, {2, 3}}, {"q", GgufType::q8_0, {1, 32}}});
    const std::vector<float> values{1, 2, 3, 4, 5, 6};
    const auto bytes = std::as_bytes(std::span(values));
    writer.append("m", bytes.first(5));
    writer.append("m", bytes.subspan(5));
    EXPECT_THROW(writer.append("m", bytes), Error);
    writer.append("q", std::vector<std::byte>(34, std::byte(1)));
    writer.finish();
  }
  EXPECT_TRUE(is_gguf_file(path));
  const GgufFile file(path);
  EXPECT_EQ(file.integer("a.u32"), 7);
  EXPECT_EQ(file.number("a.u32"), 7);
  EXPECT_EQ(file.number("a.f32"), 0.5);
  EXPECT_EQ(file.find_boolean("a.bool"), true);
  EXPECT_EQ(file.text("a.text"), "ü\n");
  EXPECT_EQ(file.texts("a.texts"), (std::vector<std::string>{"x", "", "yz"}));
  EXPECT_EQ(file.integers("a.i32s"), (std::vector<std::int64_t>{-1, 2}));
  EXPECT_EQ(file.numbers("a.f32s"), (std::vector<double>{1.5}));
  EXPECT_EQ(file.find_integer("none"), std::nullopt);
  ASSERT_EQ(file.tensors().size(), 2u);
  const GgufTensor* const matrix = file.find("m");
  ASSERT_TRUE(matrix);
  EXPECT_EQ(matrix->shape, (std::vector<std::int64_t>{2, 3}));
  float second[3];
  std::memcpy(second, matrix->row(1).data(), sizeof(second));
  EXPECT_EQ(second[2], 6);
  EXPECT_EQ(file.find("q")->data.size(), 34u);
}

// One of each type of number, with its least and largest value.
TEST(Gguf, KeysOfEveryTypeAreRead) {
  Bytes bytes = header(0, 2 * 8 + 4);
  const auto both = [&]<class T>(const std::string& name, std::uint32_t type, T) {
    bytes.string(name + "<").u32(type).number(std::numeric_limits<T>::lowest());
    const auto most = std::numeric_limits<T>::max() >> (type == 10 ? 1 : 0);
    bytes.string(name + ">").u32(type).number(static_cast<T>(most));
  };
  both("u8", 0, std::uint8_t{});
  both("i8", 1, std::int8_t{});
  both("u16", 2, std::uint16_t{});
  both("i16", 3, std::int16_t{});
  both("u32", 4, std::uint32_t{});
  both("i32", 5, std::int32_t{});
  both("u64", 10, std::uint64_t{});
  both("i64", 11, std::int64_t{});
  bytes.string("f32").u32(6).number(-0.5F);
  bytes.string("no").u32(7).number(std::uint8_t{0});
  bytes.string("yes").u32(7).number(std::uint8_t{1});
  bytes.string("f64").u32(12).number(-0.1);
  const std::string file = with_data(bytes, 0);
  const GgufFile read(std::as_bytes(std::span(file)), "f");
  using Limits = std::pair<std::int64_t, std::int64_t>;
  for (const auto& [name, limits] : {std::pair("u8", Limits(0, 255)),
                                     {"i8", {-128, 127}},
                                     {"u16", {0, 65535}},
                                     {"i16", {-32768, 32767}},
                                     {"u32", {0, 4294967295}},
                                     {"i32", {-2147483648, 2147483647}},
                                     {"u64", {0, INT64_MAX}},
                                     {"i64", {INT64_MIN, INT64_MAX}}}) {
    EXPECT_EQ(read.integer(std::string(name) + "<"), limits.first) << name;
    EXPECT_EQ(read.integer(std::string(name) + ">"), limits.second) << name;
  }
  EXPECT_EQ(read.number("f32"), -0.5);
  EXPECT_EQ(read.number("f64"), -0.1);
  EXPECT_EQ(read.find_boolean("no"), false);
  EXPECT_EQ(read.find_boolean("yes"), true);
}

// The same in lists, of which each takes as many bytes as its type has.
TEST(Gguf, ListsOfEveryTypeAreRead) {
  Bytes bytes = header(0, 10);
  const auto list = [&]<class T>(const std::string& name, std::uint32_t type, T last) {
    bytes.string(name).u32(9).u32(type).u64(2).number(T{1}).number(last);
  };
  list("u8", 0, std::uint8_t{200});
  list("i8", 1, std::int8_t{-2});
  list("u16", 2, std::uint16_t{60000});
  list("i16", 3, std::int16_t{-300});
  list("u32", 4, std::uint32_t{4000000000});
  list("i32", 5, std::int32_t{-70000});
  list("f32", 6, 0.5F);
  list("u64", 10, std::uint64_t{1} << 40);
  list("i64", 11, -(std::int64_t{1} << 40));
  list("f64", 12, 0.1);
  const std::string file = with_data(bytes, 0);
  const GgufFile read(std::as_bytes(std::span(file)), "f");
  for (const auto& [name, last] : {std::pair("u8", std::int64_t{200}),
                                   {"i8", -2},
                                   {"u16", 60000},
                                   {"i16", -300},
                                   {"u32", 4000000000},
                                   {"i32", -70000},
                                   {"u64", std::int64_t{1} << 40},
                                   {"i64", -(std::int64_t{1} << 40)}}) {
    EXPECT_EQ(read.integers(name), (std::vector<std::int64_t>{1, last})) << name;
  }
  EXPECT_EQ(read.numbers("f32"), (std::vector<double>{1, 0.5}));
  EXPECT_EQ(read.numbers("f64"), (std::vector<double>{1, 0.1}));
}

// Types that we do not write: 10, 11 and 12 are u64, i64 and f64.
TEST(Gguf, KeysOf64BitsAreRead) {
  Bytes bytes = header(0, 3);
  bytes.string("u").u32(10).u64(1ULL << 40);
  bytes.string("i").u32(11).number(std::int64_t{-7});
  bytes.string("f").u32(12).number(0.1);
  const std::string file = with_data(bytes, 0);
  const GgufFile read(std::as_bytes(std::span(file)), "f");
  EXPECT_EQ(read.integer("u"), 1LL << 40);
  EXPECT_EQ(read.integer("i"), -7);
  EXPECT_EQ(read.number("f"), 0.1);
}

TEST(Gguf, TheWriterHoldsTheCallerToTheDeclaration) {
  const test::TempDir dir;
  GgufWriter writer(dir / "model.gguf", {},
                    {{"a", GgufType::f32, {2}}, {"b", GgufType::q8_0, {64}}});
  const std::vector<std::byte> bytes(100);
  const auto append = [&](std::string_view name, std::size_t count) {
    return test::runtime_error_of([&] { writer.append(name, std::span(bytes).first(count)); });
  };
  const auto finish = [&] { return test::runtime_error_of([&] { writer.finish(); }); };
  EXPECT_EQ(append("b", 1), "the tensor b is not due");
  EXPECT_EQ(append("a", 9), "a: more bytes than its 8");
  EXPECT_EQ(append("a", 3), "no error");
  EXPECT_EQ(append("a", 6), "a: more bytes than its 8");
  EXPECT_EQ(finish(), "bytes of the tensor a are missing");
  EXPECT_EQ(append("a", 5), "no error");
  EXPECT_EQ(append("a", 1), "the tensor a is not due");
  EXPECT_EQ(append("b", 67), "no error");
  EXPECT_EQ(finish(), "bytes of the tensor b are missing");
  EXPECT_EQ(append("b", 1), "no error");
  EXPECT_EQ(append("b", 1), "the tensor b is not due");
  EXPECT_EQ(finish(), "no error");
}

// A header that ends on a multiple of 32 bytes, as every fourth of these does, has no padding.
TEST(Gguf, TensorsBeginAtTheNextMultipleOfTheAlignment) {
  const test::TempDir dir;
  for (std::size_t length = 1; length <= 40; ++length) {
    const std::string name(length, 'n');
    const std::vector<float> values{1.5f, -2, 3};
    GgufWriter writer(dir / "a", {}, {{name, GgufType::f32, {3}}, {"z", GgufType::f32, {3}}});
    for (const std::string_view tensor : {std::string_view(name), std::string_view("z")}) {
      writer.append(tensor, std::as_bytes(std::span(values)));
    }
    writer.finish();
    const std::size_t header = 24 + (8 + length + 4 + 8 + 4 + 8) + (8 + 1 + 4 + 8 + 4 + 8);
    EXPECT_EQ(std::filesystem::file_size(dir / "a"), (header + 31) / 32 * 32 + 64) << length;
    const GgufFile file(dir / "a");
    for (const GgufTensor& tensor : file.tensors()) {
      std::vector<float> back(3);
      ASSERT_EQ(tensor.data.size(), 12u);
      std::memcpy(back.data(), tensor.data.data(), 12);
      EXPECT_EQ(back, values) << length;
    }
  }
}

TEST(Gguf, AlignmentsArePowersOfTwoUpTo65536) {
  for (const std::uint32_t alignment : {1u, 2u, 32u, 64u, 65536u}) {
    const auto file_with = [&](std::uint64_t offset) {
      Bytes bytes = header(1, 1).string("general.alignment").u32(4).u32(alignment);
      bytes = tensor(bytes, "a", {4}, 0, offset);
      bytes.text.resize((bytes.text.size() + alignment - 1) / alignment * alignment);
      return bytes.text + std::string(offset, '\2') + std::string(16, '\1');
    };
    const std::string file = file_with(alignment);
    const GgufFile read(std::as_bytes(std::span(file)), "f");
    ASSERT_EQ(read.find("a")->data.size(), 16u) << alignment;
    for (const std::byte b : read.find("a")->data) EXPECT_EQ(b, std::byte(1)) << alignment;
    if (alignment == 1) continue;
    EXPECT_EQ(gguf_error(file_with(alignment / 2)),
              fmt::format("f: the tensor 'a' begins at {}, no multiple of the alignment {}",
                          alignment / 2, alignment));
  }
}

TEST(Gguf, MetadataAppendsTheKeysOfOthers) {
  GgufMetadata keys, more;
  keys.add_u32("a", 1);
  more.add_text("b", "x");
  more.add_boolean("c", false);
  keys.append(more);
  EXPECT_EQ(keys.count(), 3u);
  const test::TempDir dir;
  GgufWriter(dir / "a", keys, {}).finish();
  const GgufFile file(dir / "a");
  EXPECT_EQ(file.path(), dir / "a");
  EXPECT_EQ(file.integer("a"), 1);
  EXPECT_EQ(file.find_text("b"), "x");
  EXPECT_EQ(file.find_boolean("c"), false);
  EXPECT_TRUE(file.has("c"));
  EXPECT_FALSE(file.has("d"));
  EXPECT_EQ(file.find("a"), nullptr) << "a key is no tensor";
}

TEST(Gguf, RowsAreThoseOfTheTensor) {
  const test::TempDir dir;
  const std::vector<GgufTensorSpec> specs = {{"cube", GgufType::f32, {2, 3, 4}},
                                             {"line", GgufType::f32, {6}},
                                             {"blocks", GgufType::q8_0, {3, 64}}};
  EXPECT_EQ(specs[0].elements(), 24);
  EXPECT_EQ(specs[2].bytes(), 3u * 2 * 34);
  GgufWriter writer(dir / "a", {}, specs);
  for (const GgufTensorSpec& spec : specs) {
    std::vector<std::byte> bytes(spec.bytes());
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i % 251);
    writer.append(spec.name, bytes);
  }
  writer.finish();
  const GgufFile file(dir / "a");
  EXPECT_EQ(file.find("cube")->shape, specs[0].shape);
  EXPECT_EQ(file.find("line")->row(0).size(), 24u);
  EXPECT_EQ(file.find("blocks")->row(2).size(), 68u);
  EXPECT_EQ(file.find("blocks")->row(2)[0], std::byte(136));
  EXPECT_EQ(test::runtime_error_of([&] { file.find("line")->row(1); }), "line: no row 1");
  EXPECT_EQ(test::runtime_error_of([&] { file.find("blocks")->row(3); }), "blocks: no row 3");
  EXPECT_EQ(test::runtime_error_of([&] { file.find("blocks")->row(-1); }), "blocks: no row -1");
}

TEST(Gguf, FilesAreToldByTheirBeginning) {
  const test::TempDir dir;
  for (const auto& [content, is] :
       {std::pair("GGUF", true), {"GGUFx", true}, {"GGU", false}, {"gguf", false}, {"", false}}) {
    test::write_file(dir / "a", content);
    EXPECT_EQ(is_gguf_file(dir / "a"), is) << content;
  }
  EXPECT_FALSE(is_gguf_file(dir / "none"));
  EXPECT_FALSE(is_gguf_file(dir.path()));
}

TEST(Gguf, AWriterThatIsNotFinishedLeavesNoFile) {
  const test::TempDir dir;
  GgufWriter(dir / "model.gguf", {}, {{"m", GgufType::f32, {2}}});
  EXPECT_EQ(dir.count(), 0);
}

TEST(Gguf, AKeyOfAnotherTypeIsNamed) {
  const std::string file = with_data(header(0, 1).string("k").u32(8).string("text"), 0);
  const GgufFile gguf(std::as_bytes(std::span(file)), "f");
  EXPECT_EQ(input_error_of([&] { gguf.integer("k"); }), "f: the key 'k' is no integer");
  EXPECT_EQ(input_error_of([&] { gguf.integer("l"); }), "f: the key 'l' is missing");
}

TEST(Gguf, EachKindOfValueIsNamedWhereAnotherIsThere) {
  Bytes bytes = header(0, 3).string("text").u32(8).string("x").string("n").u32(4).u32(1);
  bytes.string("list").u32(9).u32(8).u64(0);
  const std::string file = with_data(bytes, 0);
  const GgufFile gguf(std::as_bytes(std::span(file)), "f");
  const auto error = [](auto&& read) { return input_error_of(read); };
  EXPECT_EQ(error([&] { gguf.find_integer("text"); }), "f: the key 'text' is no integer");
  EXPECT_EQ(error([&] { gguf.number("text"); }), "f: the key 'text' is no number");
  EXPECT_EQ(error([&] { gguf.find_boolean("n"); }), "f: the key 'n' is no boolean");
  EXPECT_EQ(error([&] { gguf.text("n"); }), "f: the key 'n' is no text");
  EXPECT_EQ(error([&] { gguf.find_text("list"); }), "f: the key 'list' is no text");
  EXPECT_EQ(error([&] { gguf.texts("text"); }), "f: the key 'text' is no list of texts");
  EXPECT_EQ(error([&] { gguf.integers("list"); }), "f: the key 'list' is no list of integers");
  EXPECT_EQ(error([&] { gguf.numbers("list"); }), "f: the key 'list' is no list of numbers");
  EXPECT_TRUE(gguf.texts("list").empty());
  EXPECT_EQ(error([&] { gguf.number("none"); }), "f: the key 'none' is missing");
  EXPECT_EQ(error([&] { gguf.texts("none"); }), "f: the key 'none' is missing");
  EXPECT_EQ(gguf.find_number("none"), std::nullopt);
  EXPECT_EQ(gguf.find_text("none"), std::nullopt);
  EXPECT_EQ(gguf.find_boolean("none"), std::nullopt);
}

TEST(GgufCorrupt, VersionsTwoAndThreeAreRead) {
  for (const std::uint32_t version : {0u, 1u, 2u, 3u, 4u, 0x02000000u}) {
    const std::string error = gguf_error(header(0, 0, version).text);
    if (version == 2 || version == 3) {
      EXPECT_EQ(error, "no error");
    } else {
      EXPECT_EQ(error, fmt::format("f: is of GGUF version {}{}: Fathom reads versions 2 and 3",
                                   version, version % 65536 == 0 ? " (big endian)" : ""));
    }
  }
}

// The last value of each limit, and the first beyond it.
TEST(GgufCorrupt, LimitsOfNamesListsAndNumbers) {
  const auto key_of = [](std::size_t length) {
    return header(0, 1).string(std::string(length, 'k')).u32(0).number(std::uint8_t{1}).text;
  };
  EXPECT_EQ(gguf_error(key_of(0)), "no error") << "13 bytes, the fewest of a key";
  EXPECT_EQ(gguf_error(key_of(0).substr(0, 24 + 12)),
            "f: announces 0 tensors and 1 keys, but 12 bytes follow");
  EXPECT_EQ(gguf_error(key_of(65535)), "no error");
  EXPECT_EQ(gguf_error(key_of(65536)), "f: a key is 65536 bytes long; the most is 65535");
  const auto tensor_named = [](std::size_t length) {
    return with_data(tensor(header(1, 0), std::string(length, 'n'), {4}, 0, 0), 16);
  };
  EXPECT_EQ(gguf_error(tensor_named(65535)), "no error");
  EXPECT_EQ(gguf_error(tensor_named(65536)),
            "f: the name of a tensor is 65536 bytes long; the most is 65535");
  const auto booleans = [](std::uint64_t count) {
    return header(0, 1).string("k").u32(9).u32(7).u64(count).text + std::string(count, '\1');
  };
  EXPECT_EQ(gguf_error(booleans(1 << 24)), "no error");
  EXPECT_EQ(gguf_error(booleans((1 << 24) + 1)),
            "f: the key 'k' is a list of 16777217 values; the most is 16777216");
  const auto list = [](std::uint32_t type, std::uint64_t count, std::size_t bytes) {
    return gguf_error(header(0, 1).string("k").u32(9).u32(type).u64(count).text +
                      std::string(bytes, '\0'));
  };
  EXPECT_EQ(list(8, 2, 16), "no error");
  EXPECT_EQ(list(8, 3, 23),
            "f: the key 'k' is a list of 3 values, but 23 bytes are left in the file");
  EXPECT_EQ(list(10, 3, 23),
            "f: the key 'k' is a list of 3 values, but 23 bytes are left in the file");
  EXPECT_EQ(list(2, 3, 5),
            "f: the key 'k' is a list of 3 values, but 5 bytes are left in the file");
  EXPECT_EQ(list(12, 3, 24), "no error");
  EXPECT_EQ(list(13, 0, 8), "f: the key 'k' has the unknown type 13");
  EXPECT_EQ(gguf_error(header(0, 1).string("k").u32(13).u64(0).text),
            "f: the key 'k' has the unknown type 13");
  EXPECT_EQ(gguf_error(header(0, 1).string("k").u32(10).u64(1ull << 63).text),
            "f: the key 'k' is 9223372036854775808, larger than any number of a model");
}

TEST(GgufCorrupt, LongNamesAreShownByTheirBeginning) {
  const auto error = [](const std::string& key) {
    return gguf_error(header(0, 1).string(key).u32(99).text);
  };
  EXPECT_EQ(error(std::string(60, 'k')),
            "f: the key '" + std::string(60, 'k') + "' has the unknown type 99");
  EXPECT_EQ(error(std::string(61, 'k')),
            "f: the key '" + std::string(60, 'k') + "...' has the unknown type 99");
  EXPECT_EQ(error("a\x1f\x7f ~"), "f: the key 'a?? ~' has the unknown type 99");
}

TEST(GgufCorrupt, SizesOfTensorsHaveBounds) {
  const auto error = [](std::vector<std::uint64_t> sizes, std::uint64_t offset = 0,
                        std::size_t data = 16) {
    return gguf_error(with_data(tensor(header(1, 0), "a", std::move(sizes), 0, offset), data));
  };
  const std::string more = "f: the tensor 'a' has more elements than any file";
  EXPECT_EQ(error({1ull << 58, 2}), more) << "2^62 bytes of eight each";
  EXPECT_THAT(error({1ull << 58}), HasSubstr("but the data end at 16: the file is cut short"));
  EXPECT_EQ(error({1ull << 62}), more);
  EXPECT_EQ(error({1ull << 31, 1ull << 31}), more);
  EXPECT_EQ(error({2, 1, 2, 1}), "no error");
  EXPECT_EQ(error({4}, 32, 48), "no error");
  EXPECT_EQ(error({4}, 32, 47),
            "f: the tensor 'a' of 16 bytes begins at 32, but the data end at 47: the file is cut "
            "short");
  EXPECT_THAT(error({4}, 64, 48), HasSubstr("begins at 64, but the data end at 48"));
  // The first dimension in a file is that of the rows.
  EXPECT_EQ(gguf_error(with_data(tensor(header(1, 0), "a", {32, 3}, 8, 0), 102)), "no error");
  EXPECT_EQ(gguf_error(with_data(tensor(header(1, 0), "a", {3, 32}, 8, 0), 102)),
            "f: the tensor 'a' has rows of 3 values, no multiple of the 32 of a Q8_0 block");
}

TEST(GgufCorrupt, TensorsMayTouchAndComeInAnyOrder) {
  const auto two = [](std::uint64_t first, std::uint64_t second, std::uint64_t size = 8) {
    return gguf_error(
        with_data(tensor(tensor(header(2, 0), "a", {8}, 0, first), "b", {size}, 0, second), 128));
  };
  EXPECT_EQ(two(0, 32), "no error");
  EXPECT_EQ(two(32, 0), "no error");
  EXPECT_EQ(two(64, 0), "no error") << "with a gap between them";
  EXPECT_EQ(two(32, 0, 9), "f: the tensors 'b' and 'a' overlap");
  EXPECT_THAT(two(32, 32), HasSubstr("overlap"));
}

// Without tensors a file may end with its keys.
TEST(GgufCorrupt, AFileWithoutTensorsNeedsNoPadding) {
  EXPECT_EQ(gguf_error(header(0, 0).text), "no error");
  const std::string unpadded = tensor(header(1, 0), "a", {4}, 0, 0).text;
  EXPECT_EQ(gguf_error(unpadded), "f: ends before the tensors' bytes");
}

TEST(GgufCorrupt, AValidFileIsTheControl) {
  EXPECT_EQ(gguf_error(with_data(tensor(header(1, 0), "a", {4}, 0, 0), 16)), "no error");
}

TEST(GgufCorrupt, Beginning) {
  EXPECT_EQ(gguf_error(""), "f: is no GGUF file: it does not begin with 'GGUF'");
  EXPECT_EQ(gguf_error("GGML1234"), "f: is no GGUF file: it does not begin with 'GGUF'");
  EXPECT_EQ(gguf_error("GGUF\3"), "f: ends within its version: the file is cut short");
  EXPECT_THAT(gguf_error(header(0, 0, 1).text), HasSubstr("f: is of GGUF version 1: Fathom reads"));
  EXPECT_THAT(gguf_error(header(0, 0, 0x03000000).text), HasSubstr("(big endian)"));
}

TEST(GgufCorrupt, CountsBeyondTheFile) {
  EXPECT_EQ(gguf_error(header(UINT64_MAX, 0).text),
            "f: announces 18446744073709551615 tensors and 0 keys, but 0 bytes follow");
  EXPECT_THAT(gguf_error(with_data(header(1, UINT64_MAX), 40)), HasSubstr("keys, but"));
  const Bytes list = header(0, 1).string("k").u32(9).u32(4).u64(UINT64_MAX / 4 + 2);
  EXPECT_THAT(gguf_error(with_data(list, 8)), HasSubstr("the key 'k' is a list of"));
  EXPECT_THAT(gguf_error(with_data(header(0, 1).u64(1 << 30), 8)),
              HasSubstr("a key is 1073741824 bytes long, but"));
  EXPECT_THAT(gguf_error(with_data(header(0, 1).string("k").u32(8).u64(UINT64_MAX), 8)),
              HasSubstr("a text is 18446744073709551615 bytes long, but"));
}

TEST(GgufCorrupt, Keys) {
  EXPECT_THAT(gguf_error(with_data(header(0, 1).string("k").u32(99), 8)),
              HasSubstr("the key 'k' has the unknown type 99"));
  EXPECT_THAT(gguf_error(with_data(header(0, 1).string("k").u32(9).u32(9).u64(0), 8)),
              HasSubstr("the key 'k' is a list of lists"));
  EXPECT_THAT(
      gguf_error(with_data(header(0, 2).string("k").u32(4).u32(1).string("k").u32(4).u32(1), 0)),
      HasSubstr("has the key 'k' twice"));
  Bytes boolean = header(0, 1).string("k").u32(7);
  boolean.text += '\2';
  EXPECT_THAT(gguf_error(with_data(boolean, 8)), HasSubstr("the key 'k' is a boolean of value 2"));
  // A key of control characters is shown in one line.
  EXPECT_THAT(gguf_error(with_data(header(0, 1).string("a\nb").u32(99), 8)), HasSubstr("'a?b'"));
}

TEST(GgufCorrupt, Tensors) {
  const auto error = [](std::vector<std::uint64_t> sizes, std::uint32_t type, std::uint64_t offset,
                        std::size_t data) {
    return gguf_error(with_data(tensor(header(1, 0), "a", std::move(sizes), type, offset), data));
  };
  EXPECT_EQ(error({}, 0, 0, 16), "f: the tensor 'a' has 0 dimensions, not 1 to 4");
  EXPECT_EQ(error({1, 1, 1, 1, 1}, 0, 0, 16), "f: the tensor 'a' has 5 dimensions, not 1 to 4");
  EXPECT_EQ(error({4, 0}, 0, 0, 16), "f: the tensor 'a' has a dimension of 0");
  EXPECT_EQ(error({UINT64_MAX, 2}, 0, 0, 16), "f: the tensor 'a' has more elements than any file");
  EXPECT_EQ(error({1ull << 60, 2}, 0, 0, 16), "f: the tensor 'a' has more elements than any file");
  EXPECT_THAT(error({4}, 16, 0, 16), HasSubstr("is of GGUF type 16, which Fathom does not read"));
  EXPECT_EQ(error({33}, 8, 0, 100),
            "f: the tensor 'a' has rows of 33 values, no multiple of the 32 of a Q8_0 block");
  EXPECT_EQ(error({4}, 0, 4, 32), "f: the tensor 'a' begins at 4, no multiple of the alignment 32");
  EXPECT_EQ(error({4}, 0, 0, 15),
            "f: the tensor 'a' of 16 bytes begins at 0, but the data end at 15: the file is cut "
            "short");
  EXPECT_THAT(error({4}, 0, UINT64_MAX - 31, 16), HasSubstr("but the data end at 16"));
}

TEST(GgufCorrupt, TensorsThatCollide) {
  const Bytes twice = tensor(tensor(header(2, 0), "a", {8}, 0, 0), "a", {8}, 0, 32);
  EXPECT_EQ(gguf_error(with_data(twice, 64)), "f: has the tensor 'a' twice");
  const Bytes overlap = tensor(tensor(header(2, 0), "a", {16}, 0, 0), "b", {8}, 0, 32);
  EXPECT_EQ(gguf_error(with_data(overlap, 64)), "f: the tensors 'a' and 'b' overlap");
}

TEST(GgufCorrupt, Alignment) {
  for (const std::uint32_t alignment : {0u, 3u, 1u << 20}) {
    const Bytes bytes = header(0, 1).string("general.alignment").u32(4).u32(alignment);
    EXPECT_EQ(gguf_error(with_data(bytes, 8)),
              "f: 'general.alignment' is no power of two up to 65536");
  }
}

TEST(GgufCorrupt, AFileCutAnywhereIsRefused) {
  const std::string whole =
      with_data(tensor(header(1, 1).string("k").u32(9).u32(8).u64(2).string("ab").string("c"), "a",
                       {4}, 0, 0),
                16);
  EXPECT_EQ(gguf_error(whole), "no error");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(gguf_error(whole.substr(0, size)), "no error") << size;
  }
}

}  // namespace
}  // namespace fathom
