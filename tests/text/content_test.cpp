#include "text/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

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

// Known apart, for it can be read.
TEST(Content, ParquetIsKnownByItsFirstBytes) {
  EXPECT_TRUE(is_parquet("PAR1\x15\x04\x15\x1c"));
  EXPECT_EQ(name_of("PAR1\x15\x04\x15\x1c"), "text");
  EXPECT_FALSE(is_parquet("PAR1 and PAR2 are files of parity\x04"));
  EXPECT_FALSE(is_parquet("PAR2\x15\x04"));
}

// A length, a version or a size after the word, in its next 16 bytes.
TEST(Content, AWordIsAFormatWhenABinaryByteFollows) {
  for (const std::string& byte : {"\0"s, "\x08"s, "\x80"s, "\xff"s}) {
    EXPECT_EQ(name_of("ORC" + std::string(15, 'x') + byte), "an ORC file");
    EXPECT_EQ(name_of("ORC" + std::string(16, 'x') + byte), "text");
  }
  EXPECT_EQ(name_of("ORC\x09\x7f"), "text");
  EXPECT_EQ(name_of("WARC/0.17"), "a WARC archive");
  EXPECT_EQ(name_of("WARC/9"), "a WARC archive");
  EXPECT_EQ(name_of("WARC/:"), "text");
  EXPECT_EQ(name_of(std::string_view("WARC/1").substr(0, 5)), "text");
}

TEST(Content, EveryFormatHasItsRemedy) {
  const auto with_length = [](const std::string& text) { return "\x40\0\0\0\0\0\0\0"s + text; };
  const std::tuple<std::string, const char*, const char*> formats[] = {
      {"ARROW1\0"s, "an Arrow file", "convert it to JSON lines"},
      {"FEA1\0"s, "a Feather file", "convert it to JSON lines"},
      {"ORC\x08", "an ORC file", "convert it to JSON lines"},
      {"SQLite format 3\0"s, "an SQLite database", "convert it to JSON lines"},
      {"Obj\x01", "an Avro file", "convert it to JSON lines"},
      {"\x89HDF\r\n", "HDF5 data", "convert it to JSON lines"},
      {"WARC/1.0", "a WARC archive", "extract its text as JSON lines"},
      {"%PDF-", "a PDF document", "convert it to text"},
      {"{\\rtf1", "an RTF document", "convert it to text"},
      {"AT&TFORM\0"s, "a DjVu document", "convert it to text"},
      {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document", "convert it to text"},
      {"PK\x03\x04", "a ZIP archive (or an Office, EPUB or NumPy file)", "unpack it first"},
      {"PK\x05\x06", "an empty ZIP archive", "leave it out of the paths"},
      {std::string(257, 'a') + "ustar", "a tar archive", "unpack it first"},
      {"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
      {"Rar!\x1a\x07", "a RAR archive", "unpack it first"},
      {"\x04\x22\x4d\x18", "LZ4 data", "unpack it first"},
      {"\x1f\x9d", "data of compress (.Z)", "unpack it first"},
      {"LZIP\x01", "lzip data", "unpack it first"},
      {"\xff\x06\0\0sNaPpY"s, "Snappy data", "unpack it first"},
      {"\x5d\0\0"s, "LZMA data (.lzma)", "unpack it first"},
      {with_length("{\"w\""), "safetensors", "leave it out of the paths"},
      {"GGUF\x03\0\0\0"s, "a GGUF model", "leave it out of the paths"},
      {"\x93NUMPY", "a NumPy array", "leave it out of the paths"},
      {"\x80\x02", "a Python pickle", "leave it out of the paths"},
      {"\x80\x03", "a Python pickle", "leave it out of the paths"},
      {"\x80\x04", "a Python pickle", "leave it out of the paths"},
      {"\x80\x05", "a Python pickle", "leave it out of the paths"},
      {"\x7f"
       "ELF",
       "an ELF program", "leave it out of the paths"},
      {"\xca\xfe\xba\xbe", "a Java class or macOS program", "leave it out of the paths"},
      {"\xcf\xfa\xed\xfe", "a macOS program", "leave it out of the paths"},
      {"MZ\x90\0"s, "a Windows program", "leave it out of the paths"},
      {"\0asm"s, "a WebAssembly program", "leave it out of the paths"},
      {"\x89PNG\r\n\x1a\n", "a PNG image", "leave it out of the paths"},
      {"\xff\xd8\xff", "a JPEG image", "leave it out of the paths"},
      {"GIF87a\0"s, "a GIF image", "leave it out of the paths"},
      {"GIF89a\0"s, "a GIF image", "leave it out of the paths"},
      {"II*\0"s, "a TIFF image", "leave it out of the paths"},
      {"MM\0*"s, "a TIFF image", "leave it out of the paths"},
      {"RIFF\x24\x08\0\0WEBP"s, "a WebP image", "leave it out of the paths"},
      {"\0\0\0\x18"
       "ftypmp42"s,
       "a video or image (MP4 family)", "leave it out of the paths"},
      {"RIFF\x24\x08\0\0WAVE"s, "a WAV recording", "leave it out of the paths"},
      {"OggS\0"s, "an Ogg recording", "leave it out of the paths"},
      {"fLaC\0"s, "a FLAC recording", "leave it out of the paths"},
      {"ID3\x03", "an MP3 recording", "leave it out of the paths"},
      {"ID3\x04", "an MP3 recording", "leave it out of the paths"},
      {"\x1a\x45\xdf\xa3", "a Matroska video", "leave it out of the paths"},
  };
  for (const auto& [sample, name, remedy] : formats) {
    const auto content = foreign_content(sample);
    ASSERT_TRUE(content) << name;
    EXPECT_EQ(content->name, name);
    EXPECT_EQ(content->remedy, remedy) << name;
  }
}

// A magic that is not whole, not at its place, or of another version.
TEST(Content, WhatIsNearAFormatIsNone) {
  const std::string almost[] = {"%PDF ",
                                "SQLite format 2",
                                "Obj\x02",
                                "PK\x03\x03",
                                "PK\x05\x05",
                                "{\\rt",
                                "7z\xbc\xaf",
                                "LZIP\x02",
                                "ID3\x05",
                                "MZ\x91",
                                std::string(256, 'a') + "ustar",
                                std::string(258, 'a') + "ustar",
                                "RIFF    WAVF",
                                "RIFG    WAVE",
                                "RIFG    WEBP",
                                "1234ftypmp42"};
  for (const std::string& sample : almost) {
    const std::string name = name_of(sample);
    EXPECT_TRUE(name == "text" || name == "binary data") << sample << ": " << name;
  }
  EXPECT_EQ(name_of("\x40\0\0\0\1\0\0\0{\"w\""s), "binary data") << "longer than any header";
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
  EXPECT_EQ(name_of(std::string(597, 'a') + std::string(3, '\0')), "text");
  EXPECT_EQ(name_of(std::string(596, 'a') + std::string(3, '\0')), "binary data");
}

// Bytes of UTF-16 have zeros at odd or at even places: more than 40 %, nearly all on one side.
TEST(Content, ZerosHaveToAlternateToBeWideText) {
  const auto sample = [](std::size_t odd, std::size_t even) {
    std::string bytes(40, 'a');
    for (std::size_t i = 0; i < odd; ++i) bytes[2 * i + 1] = '\0';
    for (std::size_t i = 0; i < even; ++i) bytes[2 * i] = '\0';
    return bytes;
  };
  EXPECT_EQ(name_of(sample(17, 0)), "UTF-16LE text");
  EXPECT_EQ(name_of(sample(16, 0)), "binary data");
  EXPECT_EQ(name_of(sample(0, 17)), "UTF-16BE text");
  EXPECT_EQ(name_of(sample(0, 16)), "binary data");
  EXPECT_EQ(name_of(sample(20, 1)), "UTF-16LE text");
  EXPECT_EQ(name_of(sample(19, 1)), "binary data");
  EXPECT_EQ(name_of(sample(1, 20)), "UTF-16BE text");
  EXPECT_EQ(name_of(sample(1, 19)), "binary data");
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

// Each sample at a bound of a rule, and the sample beside it on the other side.
TEST(Encoding, RulesEndAtTheirBounds) {
  const auto likely = [](std::string_view sample) { return likely_encoding(sample).value_or("-"); };
  const auto times = [](std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  const std::string stray = "\xff\xff\xff\xff", han = "\xe4\xb8\xad";
  EXPECT_EQ(likely(stray), "WINDOWS-1251");          // four
  EXPECT_EQ(likely(stray + han + "x"), "GB18030");   // four of seven
  EXPECT_EQ(likely(stray + han + "\xc3\xa9"), "-");  // four of nine
  EXPECT_EQ(likely(stray + "\xe4\x80\x80\xe4\x80\x80"), "-");
  EXPECT_EQ(likely("\xff\xff\xff\xff\xc3\xa9\xc3\xa9"), "-");  // four of eight: a half
  EXPECT_EQ(likely(std::string(795, ' ') + stray), "WINDOWS-1251");
  EXPECT_EQ(likely(std::string(796, ' ') + stray), "-");  // one of 200

  // 7 of 10 bytes stand alone, and 8 of 11.
  EXPECT_EQ(likely(times("a\xe9 ", 7) + "\xb0\xb0\xb0"), "EUC-KR");
  EXPECT_EQ(likely(times("a\xe9 ", 8) + "\xb0\xb0\xb0"), "WINDOWS-1252");
  EXPECT_EQ(likely("\xe9" + times(" \xe9", 4)), "WINDOWS-1252");  // also at both ends
  EXPECT_EQ(likely(times("a\x80 ", 8) + "\xb0\xb0\xb0"), "WINDOWS-1252");
  for (const char* beside : {"a\xe9\x80 ", "a\x80\xe9 "}) {
    EXPECT_EQ(likely(times(beside, 8) + times("a\xe9 ", 20)), "GB18030");
  }

  // Kana are a quarter of the pairs; in the next sample fewer.
  const std::string kana = "\x82\xb1", other = "\xb0\xa1";
  EXPECT_EQ(likely("\x82\xb1\x83\xb1" + times(other, 6)), "SHIFT_JIS");
  EXPECT_EQ(likely(kana + times(other, 4)), "GB18030");
  EXPECT_EQ(likely("\xa4\xb1\xa5\xb1" + times("\xb0\xa1\xe0\xa1", 3)), "EUC-JP");
  EXPECT_EQ(likely("\xa4\xb1" + times("\xb0\xa1\xe0\xa1", 2)), "GB18030");

  // Second bytes from 0x40 to 0xa0 mark Big5: more than a quarter, with half of the common leads.
  EXPECT_EQ(likely("\xa4\x40\xc6\xa0\xe9\xa1\xe9\xa1\n"), "BIG5");
  EXPECT_EQ(likely(times("\xa6\x90\xe0\x90", 2)), "BIG5");
  EXPECT_EQ(likely("\xa6\x40" + times("\xa6\xa1", 3)), "GB18030");
  EXPECT_EQ(likely(times("\xa6\x90\xe0\x90", 2) + "\xe0\x90"), "GB18030");
  EXPECT_EQ(likely(times("\xa6\x3f", 2) + times("\xa6\xa1", 3)), "GB18030");

  // Cyrillic: 95 % from 0xc0 and more than half of all from 0xe0.
  EXPECT_EQ(likely(times("\xe0\xc0", 9) + "\xe0\xb8"), "GB18030");  // a half
  EXPECT_EQ(likely(times("\xe0\xc0", 9) + "\xe0\xe0"), "WINDOWS-1251");
  EXPECT_EQ(likely(times("\xe0\xe1", 9) + "\xe0\xb8"), "WINDOWS-1251");  // 95 %
  EXPECT_EQ(likely(times("\xe0\xe1", 8) + "\xe0\xb8"), "GB18030");

  // Korean: hardly a low second byte, and 95 % of the leads of syllables.
  EXPECT_EQ(likely(times("\xb0\xa1", 10) + times("\xc8\xc1", 9) + "\xc9\xc1"), "EUC-KR");
  EXPECT_EQ(likely(times("\xb0\xa1", 18) + "\xc9\xa1"), "GB18030");
  EXPECT_EQ(likely(times("\xb0\xa1", 9) + "\xb0\xa0"), "GB18030");  // one of ten
  EXPECT_EQ(likely(times("\xb0\xa1", 10) + "\xb0\xa0"), "EUC-KR");
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
  EXPECT_EQ(layout("{% if a %}\n{% endif %}"), none);
  EXPECT_EQ(layout("{a}"), none);
  EXPECT_EQ(layout("[\"a\", \"b\"]\n"), none);
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
  EXPECT_EQ(json_layout("{\"text\": \"a\"} ", true), JsonLayout::lines);
  EXPECT_EQ(json_layout("{\"text\": \"a\"} ", false), JsonLayout::none);
}

}  // namespace
}  // namespace fathom
