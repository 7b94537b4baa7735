#include "io/compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;
using testing::StartsWith;

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);  // as the zstd tool does
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

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

TEST_P(EveryFormat, TakesPartsOneAfterAnother) {
  const TempDir dir;
  const auto encode = GetParam().second;
  write_file(dir / "a", encode("one\n") + encode("") + encode("two"));
  EXPECT_EQ(read_text(dir / "a"), "one\ntwo");
}

INSTANTIATE_TEST_SUITE_P(
    Compression, EveryFormat,
    testing::Values(std::pair("plain", Encode([](const std::string& text) { return text; })),
                    std::pair("gzip", Encode(gzip)), std::pair("zstd", Encode(zstd))),
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

TEST(Compression, TruncationIsAnErrorWhereverItHappens) {
  const TempDir dir;
  const std::string text = sample_text();
  for (const std::string& whole : {gzip(text), zstd(text)}) {
    for (const std::size_t size : {4ul, 12ul, whole.size() / 2, whole.size() - 1}) {
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
  for (std::string bytes : {gzip(text), zstd(text)}) {
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 64; ++i) bytes[i] ^= 0x55;
    write_file(dir / "a", bytes);
    EXPECT_THAT(input_error_of([&] { read_text(dir / "a"); }),
                StartsWith((dir / "a") + ": the compressed data are damaged near byte "));
  }
}

TEST(Compression, MissingFileIsAnError) {
  EXPECT_EQ(input_error_of([] { open_bytes("/nonexistent/a"); }),
            "/nonexistent/a: cannot read this file: No such file or directory");
}

TEST(Compression, DirectoryIsAnError) {
  const TempDir dir;
  EXPECT_THAT(input_error_of([&] { read_text(dir.path()); }), HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace fathom
