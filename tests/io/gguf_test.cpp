// GGUF files: out and in, and every way in which one can lie.
#include "io/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
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
