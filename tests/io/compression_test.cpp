#include "io/compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "io/line_reader.h"
#include "io/packed.h"
#include "io/temp_dir.h"
#include "io/zstd_frame.h"

namespace fathom {
namespace {

using test::bzip2;
using test::gzip;
using test::input_error_of;
using test::pzstd;
using test::TempDir;
using test::write_file;
using test::xz;
using test::zstd;
using testing::HasSubstr;
using testing::StartsWith;

// Lines of many lengths, some longer than every buffer, that compress badly.
std::string sample_text() {
  std::string text;
  std::uint32_t state = 1;
  for (int line = 0; line < 300; ++line) {
    const int length = line == 100 ? 1'000'000 : line * 7 % 5000;
    for (int i = 0; i < length; ++i) {
      state = state * 1664525u + 1013904223u;
      text += static_cast<char>(' ' + (state >> 24) % 90);
    }
    text += '\n';
  }
  return text;
}

using Encode = std::string (*)(const std::string&);
class EveryFormat : public testing::TestWithParam<std::pair<const char*, Encode>> {};

TEST_P(EveryFormat, GivesTheTextAndItsLines) {
  const TempDir dir;
  const std::string text = sample_text(), path = dir / "a";
  write_file(path, GetParam().second(text));
  EXPECT_TRUE(read_text(path) == text);
  LineReader reader(path);
  std::string line, joined;
  while (reader.next(line)) joined += line + "\n";
  EXPECT_TRUE(joined == text);
  EXPECT_EQ(reader.line_number(), 300u);
  EXPECT_EQ(reader.file_position(), std::filesystem::file_size(path));
}

TEST_P(EveryFormat, AnEmptyTextIsEmpty) {
  const TempDir dir;
  const auto encode = GetParam().second;
  write_file(dir / "a", encode(""));
  EXPECT_EQ(read_text(dir / "a"), "");
  write_file(dir / "a", encode("") + encode("one"));
  EXPECT_EQ(read_text(dir / "a"), "one");
}

TEST_P(EveryFormat, TakesPartsOneAfterAnother) {
  const TempDir dir;
  const auto encode = GetParam().second;
  write_file(dir / "a", encode("one\n") + encode("") + encode("two"));
  EXPECT_EQ(read_text(dir / "a"), "one\ntwo");
}

INSTANTIATE_TEST_SUITE_P(
    Compression, EveryFormat,
    testing::Values(std::pair("plain", Encode([](const std::string& text) { return text; })),
                    std::pair("gzip", Encode(gzip)), std::pair("zstd", Encode(zstd)),
                    std::pair("pzstd", Encode(pzstd)), std::pair("xz", Encode(xz)),
                    std::pair("bzip2", Encode(bzip2))),
    [](const auto& format) { return format.param.first; });

TEST(Compression, LastLineNeedsNoNewlineAndCarriageReturnsGo) {
  const TempDir dir;
  write_file(dir / "a", "one\r\n\ntwo");
  LineReader reader(dir / "a");
  std::string line;
  std::vector<std::string> lines;
  while (reader.next(line)) lines.push_back(line);
  EXPECT_THAT(lines, testing::ElementsAre("one", "", "two"));
}

TEST(Lines, TheRestOfALongOneIsLeftOut) {
  const TempDir dir;
  write_file(dir / "a", "abc\n" + std::string(600'000, 'x') + "\nabcd\r\nabcde");
  LineReader reader(dir / "a");
  std::string line;
  for (const auto& [text, cut] : {std::pair{"abc", false}, std::pair{"xxxx", true},
                                  std::pair{"abcd", true}, std::pair{"abcd", true}}) {
    ASSERT_TRUE(reader.next(line, 4));
    EXPECT_EQ(line, text);
    EXPECT_EQ(reader.was_cut(), cut) << text;
  }
  EXPECT_EQ(reader.line_number(), 4u);
  EXPECT_FALSE(reader.next(line, 4));
  LineReader again(dir / "a");  // reads less at once than the line has
  ASSERT_TRUE(again.next(line, 500'000) && again.next(line, 500'000));
  EXPECT_EQ(line.size(), 500'000u);
  EXPECT_TRUE(again.was_cut());
}

// Each line is cut or not by its own length, its "\r" included.
TEST(Lines, ALineIsCutByItsOwnLengthAlone) {
  const TempDir dir;
  write_file(dir / "a", "abcde\nabcd\n\nabc\r\nabcd\r\nab");
  LineReader reader(dir / "a");
  std::string line;
  const std::pair<const char*, bool> expected[] = {{"abcd", true}, {"abcd", false}, {"", false},
                                                   {"abc", false}, {"abcd", true},  {"ab", false}};
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    ASSERT_TRUE(reader.next(line, 4));
    EXPECT_EQ(line, expected[i].first);
    EXPECT_EQ(reader.was_cut(), expected[i].second) << i;
    EXPECT_EQ(reader.line_number(), i + 1);
  }
  EXPECT_FALSE(reader.next(line, 4));
  EXPECT_EQ(line, "");
  EXPECT_EQ(reader.line_number(), 6u);
}

// It may read a piece more, but not the whole of a large file.
TEST(ReadAll, EndsSoonAfterItsBound) {
  const TempDir dir;
  write_file(dir / "a", std::string(2'000'000, 'x'));
  const auto size = [&](std::size_t bound) {
    return read_all(*open_bytes(dir / "a"), bound).size();
  };
  for (const std::size_t bound : {0ul, 1ul, 262'144ul, 300'000ul}) {
    EXPECT_GT(size(bound), bound);
    EXPECT_LE(size(bound), bound + (256 << 10)) << bound;
  }
  EXPECT_EQ(size(2'000'000), 2'000'000u);
  EXPECT_EQ(size(1'999'999), 2'000'000u);
}

TEST(ZstdFrame, IsReadBackAndFramesFollowOneAnother) {
  const TempDir dir;
  const std::string text = sample_text();
  for (const int level : {1, 3, 9}) {
    write_file(dir / "a", zstd_frame(text, level) + zstd_frame("") + zstd_frame("end"));
    EXPECT_TRUE(read_text(dir / "a") == text + "end") << level;
  }
  EXPECT_EQ(zstd_frame(text), zstd_frame(text, 3));
  std::string words;
  for (int i = 0; i < 20'000; ++i) words += "word" + std::to_string(i * i % 977) + " ";
  EXPECT_LT(zstd_frame(words, 9).size(), zstd_frame(words, 1).size());
}

TEST(Compression, TruncationIsAnErrorWhereverItHappens) {
  const TempDir dir;
  const std::string text = sample_text();
  for (const std::string& whole : {gzip(text), zstd(text), xz(text), bzip2(text)}) {
    for (const std::size_t size : {12ul, whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
      write_file(dir / "a", whole.substr(0, size));
      EXPECT_EQ(input_error_of([&] { read_text(dir / "a"); }),
                fmt::format("{}: the compressed data end too early (after {} bytes); is the file "
                            "cut off?",
                            dir / "a", size));
    }
  }
}

TEST(Compression, DamageIsAnError) {
  const TempDir dir;
  const std::string text = sample_text();
  for (std::string bytes : {gzip(text), zstd(text), xz(text), bzip2(text)}) {
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 64; ++i) bytes[i] ^= 0x55;
    write_file(dir / "a", bytes);
    EXPECT_THAT(input_error_of([&] { read_text(dir / "a"); }),
                StartsWith((dir / "a") + ": the compressed data cannot be unpacked near byte "));
  }
}

// An xz file of one block that is announced by its header alone.
std::string xz_header(lzma_check check, std::uint32_t dictionary) {
  lzma_stream_flags flags{};
  flags.check = check;
  std::string out(LZMA_STREAM_HEADER_SIZE, '\0');
  EXPECT_EQ(lzma_stream_header_encode(&flags, reinterpret_cast<std::uint8_t*>(out.data())),
            LZMA_OK);
  lzma_options_lzma options{};
  options.dict_size = dictionary;
  lzma_filter filters[2] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  lzma_block block{};
  block.check = check;
  block.compressed_size = block.uncompressed_size = LZMA_VLI_UNKNOWN;
  block.filters = filters;
  EXPECT_EQ(lzma_block_header_size(&block), LZMA_OK);
  std::string header(block.header_size, '\0');
  EXPECT_EQ(lzma_block_header_encode(&block, reinterpret_cast<std::uint8_t*>(header.data())),
            LZMA_OK);
  return out + header;
}

// Changes the byte of the stream's flags, whose other values are reserved, and its checksum.
std::string with_reserved_flags(std::string xz) {
  xz[6] = 1;
  const std::uint32_t crc = lzma_crc32(reinterpret_cast<const std::uint8_t*>(&xz[6]), 2, 0);
  std::memcpy(&xz[8], &crc, sizeof crc);
  return xz;
}

TEST(Compression, ErrorsSayWhatIsWrong) {
  const TempDir dir;
  const auto error = [&](const std::string& bytes) {
    write_file(dir / "a", bytes);
    const std::string message = input_error_of([&] { read_text(dir / "a"); });
    return message.substr(message.rfind(": ") + 2);
  };
  const auto flipped = [](std::string bytes, std::size_t at) {
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    return bytes;
  };
  const std::string text(1000, 'x');
  const std::string in_gzip = gzip(text), in_zstd = zstd(text), in_xz = xz(text),
                    in_bzip2 = bzip2(text);
  EXPECT_EQ(error(flipped(in_gzip, in_gzip.size() - 8)), "incorrect data check");
  EXPECT_EQ(error(flipped(in_gzip, 2)), "unknown compression method");
  EXPECT_EQ(error(flipped(in_zstd, in_zstd.size() - 1)), "Restored data doesn't match checksum");
  EXPECT_EQ(error(flipped(in_xz, 8)), "checksums do not match");
  EXPECT_EQ(error(flipped(in_xz, in_xz.size() - 40)), "checksums do not match");
  EXPECT_EQ(error(with_reserved_flags(in_xz)), "unsupported options");
  EXPECT_EQ(error(xz_header(LZMA_CHECK_CRC64, 3u << 29)), "needs more than 1 GiB to unpack");
  EXPECT_EQ(error(flipped(in_bzip2, in_bzip2.size() - 2)), "checksums do not match");
}

// gzip, Python and tape archives pad with zeros, even between members.
TEST(Compression, ZerosBehindAPartArePaddingAndOtherBytesAnError) {
  const TempDir dir;
  for (const auto encode : {gzip, zstd, xz, bzip2}) {
    const std::string zeros(700'000, '\0');  // more than any buffer
    write_file(dir / "a", encode("one\n") + zeros + encode("two\n") + zeros);
    EXPECT_EQ(read_text(dir / "a"), "one\ntwo\n");
    const std::string good = encode("one\n");
    write_file(dir / "a", good + std::string(4, '\0') + "garbage, long enough for a header");
    EXPECT_EQ(input_error_of([&] { read_text(dir / "a"); }),
              fmt::format("{}: bytes that are not compressed follow the compressed data (near byte "
                          "{}); remove them, or pack the file again",
                          dir / "a", good.size() + 37));
  }
}

TEST(Compression, ZerosBeforeTheFirstPartAreNotPadding) {
  const TempDir dir;
  write_file(dir / "a", std::string(4, '\0') + gzip("one"));
  EXPECT_EQ(read_text(dir / "a"), std::string(4, '\0') + gzip("one"));
}

TEST(Compression, LayersAreUnpackedUpToABound) {
  const TempDir dir;
  write_file(dir / "a", gzip(xz(zstd(bzip2("one")))));
  EXPECT_EQ(read_text(dir / "a"), "one");
  write_file(dir / "a", gzip(gzip(gzip(gzip(gzip("one"))))));
  EXPECT_EQ(input_error_of([&] { read_text(dir / "a"); }),
            (dir / "a") + ": compressed more than 4 times over; unpack it first");
}

TEST(Compression, TextThatOnlyBeginsLikeAPackedFileIsText) {
  const TempDir dir;
  for (const std::string text : {"BZh9 is how bzip2 begins", "P*M", "\x1f", ""}) {
    write_file(dir / "a", text);
    EXPECT_EQ(read_text(dir / "a"), text);
  }
}

// "text" in a frame that announces a window of 2^window_log bytes.
std::string zstd_of_window(int window_log) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  ZSTD_inBuffer in{"text", 4, 0};
  std::string out(1000, '\0');
  ZSTD_outBuffer packed{out.data(), out.size(), 0};
  ZSTD_compressStream2(context, &packed, &in, ZSTD_e_flush);
  ZSTD_compressStream2(context, &packed, &in, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(packed.pos);
  return out;
}

// 128 MB is what `zstd --ultra -22` makes, and the most that the tool reads by itself.
// Any of sixteen numbers marks a frame that is skipped.
TEST(Compression, SkippableFramesMayComeFirst) {
  const TempDir dir;
  for (const int number : {0x4f, 0x50, 0x5f, 0x60}) {
    const std::string skipped = static_cast<char>(number) + std::string("\x2a\x4d\x18\1\0\0\0x", 8);
    const std::string bytes = skipped + zstd("text");
    write_file(dir / "a", bytes);
    EXPECT_EQ(read_text(dir / "a"), number == 0x50 || number == 0x5f ? "text" : bytes) << number;
  }
}

TEST(Compression, FrameThatWantsTooMuchMemoryIsAnError) {
  const TempDir dir;
  write_file(dir / "a", zstd_of_window(27));
  EXPECT_EQ(read_text(dir / "a"), "text");
  write_file(dir / "a", zstd_of_window(28));
  EXPECT_THAT(input_error_of([&] { read_text(dir / "a"); }),
              HasSubstr("its window is larger than 128 MB; pack it again without --long"));
}

TEST(Compression, Bzip2OfEveryLevelIsUnpacked) {
  const TempDir dir;
  for (int level = 1; level <= 9; ++level) {
    write_file(dir / "a", test::bzip2_of_level("text", level));
    EXPECT_EQ(read_text(dir / "a"), "text") << level;
    write_file(dir / "a", test::bzip2_of_level("", level));
    EXPECT_EQ(read_text(dir / "a"), "") << level;
  }
}

TEST(PeekReader, GivesWhatWasPeekedInPieces) {
  const TempDir dir;
  write_file(dir / "a", "0123456789");
  PeekReader reader(open_file_bytes(dir / "a"));
  EXPECT_EQ(reader.peek(8), "01234567");
  char byte = 0;
  for (const char expected : std::string_view("0123456789")) {
    ASSERT_EQ(reader.read(std::span(&byte, 1)), 1u);
    EXPECT_EQ(byte, expected);
  }
}

TEST(PeekReader, WhatWasPeekedIsReadOnce) {
  const TempDir dir;
  write_file(dir / "a", "0123456789");
  PeekReader reader(open_file_bytes(dir / "a"));
  EXPECT_EQ(reader.peek(3), "012");
  EXPECT_EQ(reader.peek(5), "01234");
  EXPECT_EQ(reader.peek(3), "012") << "no more than was asked for";
  EXPECT_EQ(reader.peek(0), "");
  char bytes[4];
  ASSERT_EQ(reader.read(bytes), 4u);
  EXPECT_EQ(std::string_view(bytes, 4), "0123");
  EXPECT_EQ(reader.peek(2), "45");
  EXPECT_EQ(reader.peek(100), "456789");
  EXPECT_EQ(read_all(reader), "456789");
  EXPECT_EQ(reader.peek(1), "");
  EXPECT_EQ(reader.file_position(), 10u);
}

TEST(Compression, MissingFileIsAnError) {
  EXPECT_EQ(input_error_of([] { open_bytes("/nonexistent/a"); }),
            "/nonexistent/a: cannot read this file: No such file or directory");
}

TEST(Compression, DirectoryIsAnError) {
  const TempDir dir;
  EXPECT_EQ(input_error_of([&] { read_text(dir.path()); }),
            dir.path() + ": is a directory; name a file");
}

}  // namespace
}  // namespace fathom
