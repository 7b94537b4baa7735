#include "text/open_text.h"

#include <initializer_list>
#include <string_view>

#include "core/error.h"
#include "io/compression.h"
#include "text/content.h"
#include "text/warc.h"

namespace fathom {

namespace {

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  for (const std::string_view ending : endings) {
    if (name.ends_with(ending)) return true;
  }
  return false;
}

bool named_json(std::string_view name) {
  if (ends_with_any(name, {".gz", ".zst", ".xz", ".bz2"})) name = name.substr(0, name.rfind('.'));
  return ends_with_any(name, {".jsonl", ".ndjson", ".json"});
}

[[noreturn]] void refuse(const std::string& path, const ForeignContent& content) {
  fail_input("{}: holds {}; {}", path, content.name, content.remedy);
}

// The format of a file that is not Parquet.
TextFormat format_of(const std::string& path, std::string_view sample,
                     const DocumentOptions& options) {
  if (options.format == TextFormat::parquet) {
    fail_input("{}: is no Parquet file; set the format to auto", path);
  }
  if (options.format == TextFormat::warc) {
    fail_input("{}: is no WARC archive; set the format to auto", path);
  }
  if (options.format != TextFormat::automatic) return options.format;
  const JsonLayout layout = json_layout(sample, sample.size() < content_sample_bytes);
  if (layout == JsonLayout::spread) {
    fail_input(
        "{}: holds JSON, but not one object a line; convert it to JSON lines (`jq -c .`, for an "
        "array `jq -c '.[]'`), or set the format to text",
        path);
  }
  if (layout == JsonLayout::lines) return TextFormat::jsonl;
  return named_json(path) ? TextFormat::jsonl : options.otherwise;
}

// A Parquet file can't be read as lines of text.
void require_rows(const std::string& path, TextFormat format) {
  if (format == TextFormat::automatic || format == TextFormat::jsonl ||
      format == TextFormat::parquet) {
    return;
  }
  fail_input("{}: holds Parquet, each row a document; set the format to auto", path);
}

// Whether the whole file is taken for one web page, whatever it holds.
bool is_page(const std::string& path, std::string_view sample, const DocumentOptions& options) {
  if (options.content != TextContent::html) return false;
  if (options.format == TextFormat::text) return true;
  return options.format == TextFormat::automatic && options.otherwise == TextFormat::text &&
         json_layout(sample, sample.size() < content_sample_bytes) == JsonLayout::none &&
         !named_json(path);
}

}  // namespace

OpenedText open_text(const std::string& path, const DocumentOptions& options) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  auto bytes = open_bytes(path);
  if (bytes->peek(byte_order_mark.size()) == byte_order_mark) {
    char mark[byte_order_mark.size()];
    bytes->read(mark);
  }
  // Before the large sample, in which a damaged archive may end: its reader can skip that.
  const bool archives =
      options.format == TextFormat::automatic || options.format == TextFormat::warc;
  if (archives && is_warc(bytes->peek(warc_sample_bytes))) {
    return {std::move(bytes), TextFormat::warc};
  }
  const std::string_view sample = bytes->peek(content_sample_bytes);
  if (is_parquet(sample)) {
    require_rows(path, options.format);
    return {nullptr, TextFormat::parquet};
  }
  if (is_page(path, sample, options)) return {std::move(bytes), TextFormat::text};
  if (const auto content = foreign_content(sample)) refuse(path, *content);
  if (options.invalid_utf8 == InvalidUtf8::replace) {
    if (const auto content = foreign_encoding(sample)) refuse(path, *content);
  }
  const TextFormat format = format_of(path, sample, options);
  return {std::move(bytes), format};
}

}  // namespace fathom
