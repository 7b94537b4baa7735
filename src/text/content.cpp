#include "text/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/encoding.h"
#include "text/json_field.h"

namespace fathom {

namespace {

using namespace std::string_view_literals;

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  const char* name;
  const char* remedy;
};

constexpr const char* to_jsonl = "convert it to JSON lines";
constexpr const char* to_text = "convert it to text";
constexpr const char* leave_out = "leave it out of the paths";
constexpr const char* unpack = "unpack it first";

// clang-format off
constexpr Magic magics[] = {
    {0, "ARROW1"sv, "an Arrow file", to_jsonl},
    {0, "FEA1"sv, "a Feather file", to_jsonl},
    {0, "ORC"sv, "an ORC file", to_jsonl},
    {0, "Obj\x01"sv, "an Avro file", to_jsonl},
    {0, "SQLite format 3\0"sv, "an SQLite database", to_jsonl},
    {0, "\x89HDF\r\n"sv, "HDF5 data", to_jsonl},
    {0, "WARC/"sv, "a WARC archive", "extract its text as JSON lines"},
    {0, "%PDF-"sv, "a PDF document", to_text},
    {0, "{\\rtf"sv, "an RTF document", to_text},
    {0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, "an old Office document", to_text},
    {0, "AT&TFORM"sv, "a DjVu document", to_text},
    {0, "PK\x03\x04"sv, "a ZIP archive (or an Office, EPUB or NumPy file)", unpack},
    {0, "PK\x05\x06"sv, "an empty ZIP archive", leave_out},
    {257, "ustar"sv, "a tar archive", unpack},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", unpack},
    {0, "Rar!\x1a\x07"sv, "a RAR archive", unpack},
    {0, "\x04\x22\x4d\x18"sv, "LZ4 data", unpack},
    {0, "\x1f\x9d"sv, "data of compress (.Z)", unpack},
    {0, "LZIP\x01"sv, "lzip data", unpack},
    {0, "\xff\x06\x00\x00sNaPpY"sv, "Snappy data", unpack},
    {0, "\x5d\x00\x00"sv, "LZMA data (.lzma)", unpack},
    {8, "{\""sv, "safetensors", leave_out},  // after a length whose high bytes are zero
    {0, "GGUF"sv, "a GGUF model", leave_out},
    {0, "\x93NUMPY"sv, "a NumPy array", leave_out},
    {0, "\x80\x02"sv, "a Python pickle", leave_out},
    {0, "\x80\x03"sv, "a Python pickle", leave_out},
    {0, "\x80\x04"sv, "a Python pickle", leave_out},
    {0, "\x80\x05"sv, "a Python pickle", leave_out},
    {0, "\x7f" "ELF"sv, "an ELF program", leave_out},
    {0, "MZ\x90\x00"sv, "a Windows program", leave_out},
    {0, "\xca\xfe\xba\xbe"sv, "a Java class or macOS program", leave_out},
    {0, "\xcf\xfa\xed\xfe"sv, "a macOS program", leave_out},
    {0, "\0asm"sv, "a WebAssembly program", leave_out},
    {0, "\x89PNG\r\n\x1a\n"sv, "a PNG image", leave_out},
    {0, "\xff\xd8\xff"sv, "a JPEG image", leave_out},
    {0, "GIF87a"sv, "a GIF image", leave_out},
    {0, "GIF89a"sv, "a GIF image", leave_out},
    {0, "II*\0"sv, "a TIFF image", leave_out},
    {0, "MM\0*"sv, "a TIFF image", leave_out},
    {8, "WEBP"sv, "a WebP image", leave_out},
    {4, "ftyp"sv, "a video or image (MP4 family)", leave_out},
    {8, "WAVE"sv, "a WAV recording", leave_out},
    {0, "OggS"sv, "an Ogg recording", leave_out},
    {0, "fLaC"sv, "a FLAC recording", leave_out},
    {0, "ID3\x03"sv, "an MP3 recording", leave_out},
    {0, "ID3\x04"sv, "an MP3 recording", leave_out},
    {0, "\x1a\x45\xdf\xa3"sv, "a Matroska video", leave_out},
};
// clang-format on

// Formats that begin with a word, which a text may begin with too. A byte that no text has
// follows soon in the format: a length, a version, a size.
constexpr std::string_view words[] = {"ARROW1", "FEA1",   "ORC",  "GGUF", "AT&TFORM",
                                      "GIF87a", "GIF89a", "OggS", "fLaC"};

bool binary_follows(std::string_view sample, std::size_t word) {
  const auto next = sample.substr(word, 16);
  return std::any_of(next.begin(), next.end(),
                     [](unsigned char c) { return c < 0x09 || c >= 0x80; });
}

// Whether more than the magic itself speaks for the format.
bool confirmed(const Magic& magic, std::string_view sample) {
  if (magic.bytes == "{\"") return sample.substr(3, 5) == "\0\0\0\0\0"sv;
  if (magic.bytes == "ftyp") return sample.starts_with("\0\0"sv);
  if (magic.bytes == "WEBP" || magic.bytes == "WAVE") return sample.starts_with("RIFF");
  if (std::ranges::find(words, magic.bytes) != std::end(words)) {
    return binary_follows(sample, magic.bytes.size());
  }
  if (magic.bytes == "WARC/") return sample.size() > 5 && sample[5] >= '0' && sample[5] <= '9';
  return true;
}

// UTF-16 and UTF-32 have zero bytes in every ASCII character, at places of their own.
std::optional<ForeignContent> wide_text(std::string_view sample) {
  std::array<std::size_t, 2> zeros{};
  for (std::size_t i = 0; i < sample.size(); ++i) zeros[i % 2] += sample[i] == '\0';
  const std::size_t all = zeros[0] + zeros[1];
  const char* name = nullptr;
  if (sample.starts_with("\xff\xfe\0\0"sv) || sample.starts_with("\0\0\xfe\xff"sv)) {
    name = "UTF-32";
  } else if (sample.starts_with("\xff\xfe"sv) || sample.starts_with("\xfe\xff"sv)) {
    name = "UTF-16";
  } else if (all * 5 > sample.size() * 2 && zeros[0] * 20 < all) {
    name = "UTF-16LE";
  } else if (all * 5 > sample.size() * 2 && zeros[1] * 20 < all) {
    name = "UTF-16BE";
  }
  if (!name) return std::nullopt;
  return ForeignContent{fmt::format("{} text", name),
                        fmt::format("convert it with `iconv -f {} -t UTF-8`", name)};
}

}  // namespace

bool is_parquet(std::string_view sample) {
  return sample.starts_with(parquet_magic) && binary_follows(sample, parquet_magic.size());
}

std::optional<ForeignContent> foreign_content(std::string_view sample) {
  for (const Magic& magic : magics) {
    if (sample.size() >= magic.offset && sample.substr(magic.offset).starts_with(magic.bytes) &&
        confirmed(magic, sample)) {
      return ForeignContent{magic.name, magic.remedy};
    }
  }
  if (auto wide = wide_text(sample)) return wide;
  // A zero byte or two may stray into a text; binary data are full of them.
  const auto zeros = static_cast<std::size_t>(std::count(sample.begin(), sample.end(), '\0'));
  if (zeros > 2 && zeros * 200 > sample.size()) {
    return ForeignContent{"binary data", leave_out};
  }
  return std::nullopt;
}

std::optional<ForeignContent> foreign_encoding(std::string_view sample) {
  const auto name = likely_encoding(sample);
  if (!name) return std::nullopt;
  return ForeignContent{fmt::format("text that is not UTF-8 (likely {})", *name),
                        fmt::format("convert it with `iconv -f {} -t UTF-8`", *name)};
}

JsonLayout json_layout(std::string_view sample, bool whole) {
  constexpr auto space = " \t\r\n"sv;
  const std::size_t begin = sample.find_first_not_of(space);
  if (begin == std::string_view::npos) return JsonLayout::none;
  sample.remove_prefix(begin);
  const std::string_view inside = sample.substr(1);
  const std::size_t next = inside.find_first_not_of(space);
  const char second = next == std::string_view::npos ? '\0' : inside[next];
  const bool array = sample[0] == '[' && second == '{';
  const bool object = sample[0] == '{' && (second == '"' || second == '}');
  if (!array && !object) return JsonLayout::none;
  const std::size_t end = json_value_end(sample);
  if (end == std::string_view::npos) return JsonLayout::none;
  if (array) return JsonLayout::spread;
  // An object that goes on beyond the sample is taken for a long line of JSON.
  if (sample.substr(0, end).find('\n') != std::string_view::npos) return JsonLayout::spread;
  const std::string_view after = sample.substr(end);
  const std::size_t rest = after.find_first_not_of(" \t\r");
  if (rest == std::string_view::npos) {
    return whole || end == sample.size() ? JsonLayout::lines : JsonLayout::none;
  }
  if (after[rest] == '\n') return JsonLayout::lines;
  // Objects side by side, or in a list that lacks its brackets.
  const std::size_t other = after.find_first_not_of(" \t\r\n,", rest);
  return other != std::string_view::npos && after[other] == '{' ? JsonLayout::spread
                                                                : JsonLayout::none;
}

}  // namespace fathom
