#include "text/http_response.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "text/ascii.h"

namespace fathom {
namespace {

constexpr std::size_t max_header_bytes = 256 << 10;

// What the headers say of the body.
struct Headers {
  int status = 0;
  std::string type, packing, transfer;
  std::optional<std::uint64_t> length;
};

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

// "HTTP/1.1 200 OK"; 0 for any other line.
int status_of(std::string_view line) {
  if (!line.starts_with("HTTP/")) return 0;
  const std::size_t blank = std::min(line.find(' '), line.size());
  line = ascii::trimmed(line.substr(blank));
  int status = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), status);
  return error == std::errc() && end == line.data() + 3 ? status : 0;
}

void add_header(std::string_view line, Headers& headers) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = ascii::lowered(ascii::trimmed(line.substr(0, colon)));
  const std::string_view value = ascii::trimmed(line.substr(colon + 1));
  if (name == "content-type") headers.type = value;
  if (name == "content-encoding") headers.packing = ascii::lowered(value);
  if (name == "transfer-encoding") headers.transfer = ascii::lowered(value);
  if (name != "content-length") return;
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error == std::errc() && end == value.data() + value.size()) headers.length = length;
}

// Takes the headers from the front of `bytes`; none when they have no end.
std::optional<Headers> take_headers(std::string_view& bytes) {
  Headers headers;
  const std::size_t before = bytes.size();
  headers.status = status_of(take_line(bytes));
  if (headers.status == 0) return std::nullopt;
  while (!bytes.empty() && before - bytes.size() < max_header_bytes) {
    const std::string_view line = take_line(bytes);
    if (line.empty()) return headers;
    add_header(line, headers);
  }
  return std::nullopt;
}

// The length in a chunk's first line; none for another line.
std::optional<std::uint64_t> chunk_length(std::string_view line) {
  line = ascii::trimmed(line.substr(0, line.find(';')));
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), length, 16);
  if (line.empty() || error != std::errc() || end != line.data() + line.size()) return std::nullopt;
  return length;
}

// Joins the chunks; none when one of them is damaged or missing.
std::optional<std::string> joined_chunks(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto length = chunk_length(take_line(bytes));
    if (!length || *length > bytes.size()) return std::nullopt;
    if (*length == 0) return out;
    out += bytes.substr(0, *length);
    bytes.remove_prefix(*length);
    if (!take_line(bytes).empty()) return std::nullopt;
  }
  return std::nullopt;
}

bool begins_gzip(const z_stream& stream) {
  return stream.avail_in > 2 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b;
}

// Unpacks all members into `out`, which grows with what comes out of them.
PageProblem inflate_members(z_stream& stream, std::string& out, std::size_t& used) {
  for (;;) {
    if (used == out.size()) {
      if (used > max_page_bytes) return PageProblem::too_large;
      out.resize(2 * out.size());
    }
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(out.size() - used);
    const int status = inflate(&stream, Z_NO_FLUSH);
    used = out.size() - stream.avail_out;
    if (status == Z_STREAM_END) {
      if (!begins_gzip(stream)) return PageProblem::none;
      inflateReset(&stream);
    } else if (status != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) {
      return PageProblem::broken_body;
    }
  }
}

// `window_bits`: of zlib, which say how the packed bytes begin.
PageProblem inflate_all(std::string_view packed, int window_bits, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) return PageProblem::broken_body;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  out.assign(64 << 10, '\0');
  std::size_t used = 0;
  const PageProblem problem = inflate_members(stream, out, used);
  inflateEnd(&stream);
  out.resize(used);
  return problem;
}

// Whether a page begins there, as it is: some crawlers store bodies unpacked.
bool begins_markup(std::string_view body) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (body.starts_with(byte_order_mark)) body.remove_prefix(byte_order_mark.size());
  const auto* first = std::ranges::find_if_not(body, ascii::is_blank);
  return first != body.end() && *first == '<';
}

PageProblem unpack_body(const std::string& packing, std::string& body) {
  if (packing.empty() || packing == "identity" || packing == "none") return PageProblem::none;
  const auto at = [&](std::size_t i) {
    return i < body.size() ? static_cast<unsigned char>(body[i]) : 0u;
  };
  constexpr int zlib_window = 15, either = 32;  // either: of gzip and zlib
  std::string out;
  PageProblem problem = PageProblem::none;
  if (packing == "gzip" || packing == "x-gzip") {
    if (at(0) != 0x1f || at(1) != 0x8b) return PageProblem::none;
    problem = inflate_all(body, zlib_window + either, out);
  } else if (packing == "deflate") {
    const bool wrapped = (at(0) & 0x0f) == 8 && (at(0) << 8 | at(1)) % 31 == 0;
    if (!wrapped && begins_markup(body)) return PageProblem::none;
    problem = inflate_all(body, wrapped ? zlib_window : -zlib_window, out);
  } else {
    if (begins_markup(body)) return PageProblem::none;
    return PageProblem::unknown_packing;
  }
  body = std::move(out);
  return problem;
}

// "text/html; charset=GBK" into its parts. Some servers put a blank or comma for the semicolon.
void split_type(std::string_view value, HttpResponse& response) {
  const std::size_t end = std::min(value.find_first_of("; ,\t"), value.size());
  response.media_type = ascii::lowered(ascii::trimmed(value.substr(0, end)));
  const std::string parameters = ascii::lowered(value.substr(end));
  constexpr std::string_view key = "charset=";
  const std::size_t at = parameters.find(key);
  if (at == std::string::npos) return;
  std::string_view charset = std::string_view(parameters).substr(at + key.size());
  charset = ascii::trimmed(charset.substr(0, charset.find(';')));
  if (charset.starts_with('"') || charset.starts_with('\'')) charset.remove_prefix(1);
  response.charset = charset.substr(0, charset.find_first_of("\"', "));
}

}  // namespace

HttpResponse parse_http_response(std::string_view bytes) {
  HttpResponse response;
  auto headers = take_headers(bytes);
  while (headers && headers->status / 100 == 1) headers = take_headers(bytes);  // "100 Continue"
  if (!headers) {
    response.problem = PageProblem::not_http;
    return response;
  }
  split_type(headers->type, response);
  if (headers->status != 200) {
    response.problem = PageProblem::http_status;
    return response;
  }
  std::string_view first = bytes;
  const bool chunked = headers->transfer.find("chunked") != std::string::npos &&
                       chunk_length(take_line(first)).has_value();
  if (chunked) {
    auto body = joined_chunks(bytes);
    if (!body) response.problem = PageProblem::broken_body;
    if (body) response.body = std::move(*body);
  } else {
    response.body = bytes;
    const bool as_is = headers->packing.empty() && headers->transfer.empty();
    if (as_is && headers->length.value_or(0) > bytes.size()) {
      response.problem = PageProblem::broken_body;
    }
  }
  if (response.problem == PageProblem::none) {
    response.problem = unpack_body(headers->packing, response.body);
  }
  if (response.problem == PageProblem::none && response.body.size() > max_page_bytes) {
    response.problem = PageProblem::too_large;
  }
  return response;
}

}  // namespace fathom
