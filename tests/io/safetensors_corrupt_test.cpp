// Every way in which a safetensors file can lie, and the line that a user gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "io/safetensors.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + rest;
}

// The error for a file with this header and this number of bytes of data.
std::string header_error(const std::string& header, std::size_t data_bytes = 0) {
  const std::string file = with_length(header.size(), header + std::string(data_bytes, 'x'));
  const std::string message =
      input_error_of([&] { SafetensorsFile(std::as_bytes(std::span(file)), "f"); });
  return message;
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{}]}})", name, dtype,
                     shape, offsets);
}

std::string in_braces(const std::string& text) {
  return fmt::format("{{{}}}", text);
}

TEST(SafetensorsCorrupt, AValidFileIsTheControl) {
  EXPECT_EQ(header_error(in_braces(tensor("a", "U8", "2,2", "0,4") + "," +
                                   tensor("b", "F32", "", "4,8") + R"(,"__metadata__":{"k":"v"})"),
                         8),
            "no error");
}

// An empty tensor begins where another one does, before or behind it in the header.
TEST(SafetensorsCorrupt, EmptyTensorsStandAnywhere) {
  const std::string a = tensor("a", "U8", "4", "0,4"), b = tensor("b", "U8", "4", "4,8");
  for (const char* place : {"0,0", "4,4", "8,8"}) {
    const std::string empty = tensor("e", "F32", "0,3", place);
    for (const std::string& header : {empty + "," + a + "," + b, a + "," + empty + "," + b,
                                      a + "," + b + "," + empty, b + "," + empty + "," + a}) {
      EXPECT_EQ(header_error(in_braces(header), 8), "no error") << header;
    }
  }
  EXPECT_EQ(header_error(in_braces(a + "," + b + "," + tensor("e", "U8", "0", "2,2")), 8),
            "f: tensor 'e' begins at byte 2, before the end of the one before it (4)");
}

TEST(SafetensorsCorrupt, HeaderLength) {
  const auto error = [](const std::string& file) {
    return input_error_of([&] { SafetensorsFile(std::as_bytes(std::span(file)), "f"); });
  };
  EXPECT_EQ(error(""), "f: not a safetensors file: only 0 bytes long");
  EXPECT_EQ(error("1234567"), "f: not a safetensors file: only 7 bytes long");
  EXPECT_EQ(error(with_length(3, "{}")),
            "f: the header claims 3 bytes, but only 2 follow; is the file cut off?");
  EXPECT_EQ(error(with_length(100'000'000, "{}")),
            "f: the header claims 100000000 bytes, but only 2 follow; is the file cut off?");
  EXPECT_EQ(error(with_length(UINT64_MAX, "{}")),
            "f: not a safetensors file: it claims a header of 18446744073709551615 bytes; at most "
            "100000000 are allowed");
  EXPECT_EQ(error(with_length(100'000'001, "{}")),
            "f: not a safetensors file: it claims a header of 100000001 bytes; at most 100000000 "
            "are allowed");
}

TEST(SafetensorsCorrupt, ByteRanges) {
  EXPECT_EQ(header_error(in_braces(tensor("a", "U8", "8", "0,8")), 7),
            "f: tensor 'a' claims bytes 0 to 8, but the file holds 7; is it cut off?");
  EXPECT_EQ(header_error(in_braces(tensor("a", "U8", "4", "4,0")), 4),
            "f: tensor 'a' claims bytes 4 to 0, but the file holds 4; is it cut off?");
  EXPECT_EQ(header_error(
                in_braces(tensor("a", "U8", "4", "0,4") + "," + tensor("b", "U8", "4", "2,6")), 6),
            "f: tensor 'b' begins at byte 2, before the end of the one before it (4)");
  EXPECT_EQ(header_error(
                in_braces(tensor("a", "U8", "4", "0,4") + "," + tensor("b", "U8", "1", "5,6")), 6),
            "f: tensor 'b' begins at byte 5, after the end of the one before it (4)");
  EXPECT_EQ(header_error(in_braces(tensor("a", "U8", "4", "0,4")), 5),
            "f: the header describes 4 bytes of tensors, but 5 follow it");
}

TEST(SafetensorsCorrupt, ShapesThatDoNotFitTheirBytes) {
  EXPECT_EQ(header_error(in_braces(tensor("a", "F32", "2,3", "0,8")), 8),
            "f: tensor 'a' of type F32 and shape [2, 3] cannot take 8 bytes");
  EXPECT_EQ(header_error(in_braces(tensor("a", "U8", "4294967296,4294967296", "0,0"))),
            "f: tensor 'a' of type U8 and shape [4294967296, 4294967296] cannot take 0 bytes");
  EXPECT_EQ(header_error(in_braces(tensor("a", "F64", "0,4611686018427387904,4", "0,0"))),
            "f: tensor 'a' of type F64 and shape [0, 4611686018427387904, 4] cannot take 0 bytes");
}

TEST(SafetensorsCorrupt, NamesAndTypes) {
  const std::string a = tensor("a", "U8", "1", "0,1");
  EXPECT_EQ(header_error(in_braces(a + "," + a), 1),
            "f: not a safetensors file: two tensors are called 'a'");
  EXPECT_EQ(header_error(in_braces(tensor("a", "F33", "1", "0,1")), 1),
            "f: not a safetensors file: tensor 'a' has the unknown element type 'F33'");
  EXPECT_EQ(header_error(R"({"__metadata__":{"k":"1","k":"2"}})"),
            "f: not a safetensors file: duplicate metadata key 'k'");
  EXPECT_EQ(header_error(R"({"__metadata__":{},"__metadata__":{}})"),
            "f: not a safetensors file: duplicate __metadata__");
  EXPECT_EQ(header_error(R"({"__metadata__":{"k":1}})"),
            "f: not a safetensors file: the header holds a number under 'k', where the format has "
            "none");
}

TEST(SafetensorsCorrupt, FieldsOfATensor) {
  const auto field_error = [](const std::string& fields) {
    return header_error(fmt::format(R"({{"a":{{{}}}}})", fields));
  };
  const std::string prefix = "f: not a safetensors file: tensor 'a' ";
  EXPECT_EQ(field_error(R"("shape":[0],"data_offsets":[0,0])"), prefix + "lacks dtype");
  EXPECT_EQ(field_error(R"("dtype":"U8","data_offsets":[0,0])"), prefix + "lacks shape");
  EXPECT_EQ(field_error(R"("dtype":"U8","shape":[0])"), prefix + "lacks data_offsets");
  EXPECT_EQ(field_error(R"("dtype":"U8","dtype":"U8")"), prefix + "has two dtype");
  EXPECT_EQ(field_error(R"("strides":[1])"), prefix + "has the unknown key 'strides'");
  EXPECT_EQ(field_error(R"("data_offsets":[0])"), prefix + "has 1 data_offsets instead of 2");
  EXPECT_EQ(field_error(R"("dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,0])"),
            "f: tensor 'a' of type U8 and shape [9223372036854775807] cannot take 0 bytes");
  EXPECT_EQ(field_error(R"("shape":[9223372036854775808])"),
            prefix + "has a shape of 9223372036854775808");
}

TEST(SafetensorsCorrupt, ValuesOfTheWrongKind) {
  const auto value_error = [](const std::string& key, const std::string& value) {
    return header_error(fmt::format("{{\"a\":{{\"{}\":{}}}}}", key, value));
  };
  const auto expected = [](const std::string& what, const std::string& key) {
    return "f: not a safetensors file: the header holds " + what + " under '" + key +
           "', where the format has none";
  };
  EXPECT_EQ(value_error("shape", "[-1]"), expected("a negative number", "shape"));
  EXPECT_EQ(value_error("shape", "[1.5]"), expected("a number that is no 64-bit size", "shape"));
  EXPECT_EQ(value_error("shape", "[99999999999999999999]"),
            expected("a number that is no 64-bit size", "shape"));
  EXPECT_EQ(value_error("shape", "7"), expected("a number", "shape"));
  EXPECT_EQ(value_error("shape", "\"U8\""), expected("a string", "shape"));
  EXPECT_EQ(value_error("shape", "[[1]]"), expected("a list", "shape"));
  EXPECT_EQ(value_error("shape", "{}"), expected("an object", "shape"));
  EXPECT_EQ(value_error("dtype", "[1]"), expected("a list", "dtype"));
  EXPECT_EQ(value_error("dtype", "null"), expected("null", "dtype"));
  EXPECT_EQ(header_error("{\"a\":1}"), expected("a number", "a"));
  EXPECT_EQ(header_error("{\"a\":true}"), expected("true or false", "a"));
  EXPECT_EQ(header_error("[1]"),
            "f: not a safetensors file: the header is a list instead of an object");
}

TEST(SafetensorsCorrupt, TextThatIsNoJson) {
  EXPECT_EQ(header_error(""), "f: not a safetensors file: not valid JSON at byte 1 of the header");
  EXPECT_EQ(header_error("{\"a"),
            "f: not a safetensors file: not valid JSON at byte 4 of the header");
  EXPECT_EQ(header_error("{} {"),
            "f: not a safetensors file: not valid JSON at byte 4 of the header");
  EXPECT_EQ(header_error("{\"\xff\":{}}"),
            "f: not a safetensors file: not valid JSON at byte 3 of the header");
}

TEST(SafetensorsCorrupt, DeepNestingIsRefusedWhereItBegins) {
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  EXPECT_EQ(header_error(deep),
            "f: not a safetensors file: the header holds a list under 'a', where the format has "
            "none");
}

}  // namespace
}  // namespace fathom
