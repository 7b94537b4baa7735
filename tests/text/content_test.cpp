#include "text/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/encoding.h"

namespace fathom {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

std::string name_of(std::string_view sample) {
  const auto content = foreign_content(sample);
  return content ? content->name : "text";
}

TEST(Content, KnownFormatsAreNamed) {
  EXPECT_EQ(name_of("PAR1\x15\x04\x15\x1c"), "Parquet");
  EXPECT_EQ(name_of("%PDF-1.7\n"), "a PDF document");
  EXPECT_EQ(name_of("\x7f"
                    "ELF\x02\x01"),
            "an ELF program");
  EXPECT_EQ(name_of("PK\x03\x04\x14\0"s), "a ZIP archive (or an Office, EPUB or NumPy file)");
  EXPECT_EQ(name_of("\x89PNG\r\n\x1a\n"), "a PNG image");
  EXPECT_EQ(name_of("a.txt" + std::string(252, '\0') + "ustar"), "a tar archive");
  EXPECT_EQ(name_of("\x40\0\0\0\0\0\0\0{\"w\":{}}"s), "safetensors");
  EXPECT_EQ(name_of("WARC/1.0\r\nWARC-Type: warcinfo\r\n"), "a WARC archive");
  EXPECT_EQ(name_of("SQLite format 3\0"s), "an SQLite database");
  EXPECT_EQ(name_of("\0\0\0\x18"
                    "ftypmp42"s),
            "a video or image (MP4 family)");
  EXPECT_EQ(name_of("RIFF\x24\x08\0\0WAVE"s), "a WAV recording");
  EXPECT_EQ(name_of("GIF89a\x01\0\x01\0\x80\0\0"s), "a GIF image");
  EXPECT_EQ(name_of("fLaC\0\0\0\x22"s), "a FLAC recording");
  EXPECT_EQ(name_of("ARROW1\0\0"s), "an Arrow file");
  EXPECT_EQ(name_of("AT&TFORM\0\x01"s), "a DjVu document");
}

TEST(Content, WordsThatBeginLikeAFormatAreText) {
  for (const char* text :
       {"", "a", "ORCHIDS bloom", "PAR1 and PAR2 are files of parity", "WARC/ is",
        "GGUF is a format of models", "OggS begins a page", "From ftyp to moov", "MZ is the mark",
        "GIF89a is a format of images", "fLaC marks a stream", "ARROW1", "FEA1 is its forerunner",
        "AT&TFORM begins DjVu", "12345678{\"a\"", "\xe4\xb8\xad\xe6\x96\x87"}) {
    EXPECT_EQ(name_of(text), "text") << text;
  }
}

TEST(Content, WideEncodingsAreNamedWithAndWithoutAMark) {
  const auto wide = [](std::string_view text, std::size_t width, std::size_t at) {
    std::string out;
    for (const char c : text) {
      std::string unit(width, '\0');
      unit[at] = c;
      out += unit;
    }
    return out;
  };
  EXPECT_EQ(name_of("\xff\xfe" + wide("hello", 2, 0)), "UTF-16 text");
  EXPECT_EQ(name_of("\xfe\xff" + wide("hello", 2, 1)), "UTF-16 text");
  EXPECT_EQ(name_of("\xff\xfe\0\0"s + wide("hello", 4, 0)), "UTF-32 text");
  EXPECT_EQ(name_of(wide("hello", 2, 0)), "UTF-16LE text");
  EXPECT_EQ(name_of(wide("hello", 2, 1)), "UTF-16BE text");
  EXPECT_EQ(foreign_content("\xff\xfeh\0"s)->remedy, "convert it with `iconv -f UTF-16 -t UTF-8`");
}

TEST(Content, ManyZeroBytesAreBinaryAndTwoAreNot) {
  EXPECT_EQ(name_of("some\0\0\0bytes"s), "binary data");
  EXPECT_EQ(name_of("a line\0\0with two"s), "text");
  EXPECT_EQ(name_of(std::string(800, 'a') + std::string(3, '\0')), "text");
}

TEST(Encoding, TextOfAnotherEncodingIsToldFromStrayBytes) {
  const auto likely = [](std::string_view sample) { return likely_encoding(sample).value_or("-"); };
  EXPECT_EQ(likely("plain"), "-");
  EXPECT_EQ(likely("\xe4\xb8\xad\xe6\x96\x87"), "-");
  // A sample that ends inside a character.
  EXPECT_EQ(likely("\xe4\xb8\xad\xe6\x96"), "-");
  // Three stray bytes, and many among more that are valid.
  EXPECT_EQ(likely("a\xff\xff\xff"), "-");
  std::string mixed = "\xff\xff\xff\xff\xff";
  for (int i = 0; i < 4; ++i) mixed += "\xe4\xb8\xad";
  EXPECT_EQ(likely(mixed), "-");
  // Few in a long file.
  EXPECT_EQ(likely(std::string(10'000, 'a') + "\xe9\xe9\xe9\xe9\xe9"), "-");
  EXPECT_EQ(likely("\xce\xc4\xbc\xfe\xb1\xe0\xc2\xeb\xa3\xac\xd6\xd0\xb9\xfa\xc8\xcb\n"),
            "GB18030");
  EXPECT_EQ(likely("\xd6\xd0\xce\xc4\xd3\xef\xc1\xcf\n"), "GB18030");
  EXPECT_EQ(likely("d\xe9j\xe0 vu, no\xebl, caf\xe9, \xe9t\xe9"), "WINDOWS-1252");
  EXPECT_EQ(likely("\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0! \xca\xe0\xea \xe4\xe5\xeb\xe0?"),
            "WINDOWS-1251");
  EXPECT_EQ(likely("\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd\x90\xa2\x8a\x45"), "SHIFT_JIS");
  EXPECT_EQ(likely("\xa4\xb3\xa4\xf3\xa4\xcb\xa4\xc1\xa4\xcf\xc0\xa4\xb3\xa6"), "EUC-JP");
  EXPECT_EQ(likely("\xbe\xc8\xb3\xe7\xc7\xcf\xbc\xbc\xbf\xe4 \xc7\xd1\xb1\xb9"), "EUC-KR");
  EXPECT_EQ(likely("\xa7\x41\xa6\x6e\xa1\x41\xa5\x40\xac\xc9\xb3\x6f\xac\x4f\xa4\xa4"), "BIG5");
  EXPECT_THAT(foreign_encoding("\xce\xc4\xbc\xfe\xb1\xe0\xc2\xeb\xd6\xd0")->remedy,
              HasSubstr("iconv -f GB18030"));
}

TEST(JsonLayout, OneObjectALineIsToldFromTheRest) {
  const auto layout = [](std::string_view text) { return json_layout(text, true); };
  using enum JsonLayout;
  EXPECT_EQ(layout("{\"text\": \"a\"}\n{\"text\": \"b\"}\n"), lines);
  EXPECT_EQ(layout("\n \r\n{\"text\": \"a\"} \r\n"), lines);
  EXPECT_EQ(layout("{\"text\": \"a\"}"), lines);
  EXPECT_EQ(layout("{}"), lines);
  EXPECT_EQ(layout("{\"text\": \"cut of"), lines);
  EXPECT_EQ(layout("{\"a\": NaN}\nwhatever"), lines);
  EXPECT_EQ(layout("{\n  \"text\": \"a\"\n}\n"), spread);
  EXPECT_EQ(layout("{\"a\": [\n1]}"), spread);
  EXPECT_EQ(layout("[\n {\"text\": \"a\"}]"), spread);
  EXPECT_EQ(layout("{\"a\": 1} {\"a\": 2}"), spread);
  EXPECT_EQ(layout("{\"a\": 1},\n{\"a\": 2}"), spread);
  EXPECT_EQ(layout("[{\"a\": \"cut of"), spread);
  EXPECT_EQ(layout(""), none);
  EXPECT_EQ(layout(" \n"), none);
  EXPECT_EQ(layout("text"), none);
  EXPECT_EQ(layout("{name} is a placeholder"), none);
  EXPECT_EQ(layout("{\"quoted\" words} and more"), none);
  EXPECT_EQ(layout("{\"a\": 1} and more"), none);
  EXPECT_EQ(layout("{\"a\": 1}, and more"), none);
  EXPECT_EQ(layout("[{{cite}}] as wikis have it"), none);
  EXPECT_EQ(layout("[Music]"), none);
  EXPECT_EQ(layout("\"a string\""), none);
}

TEST(JsonLayout, ALineLongerThanTheSampleIsALine) {
  EXPECT_EQ(json_layout("{\"text\": \"" + std::string(1000, 'a'), false), JsonLayout::lines);
  EXPECT_EQ(json_layout("{\"text\": \"a\"}", false), JsonLayout::lines);
}

}  // namespace
}  // namespace fathom
