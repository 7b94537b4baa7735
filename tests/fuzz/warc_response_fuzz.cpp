// Any bytes are read as an archive of responses, as one response, and as a file with a page: each
// page has a text in valid UTF-8 or is counted as refused.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "text/document.h"
#include "text/utf8.h"
#include "text/web_page.h"

namespace {

using namespace fathom;

void demand(bool holds) {
  if (!holds) std::abort();
}

bool is_utf8(std::string_view text) {
  return utf8::valid_prefix(text) == text.size();
}

void read_file(std::string_view bytes, bool skip_broken) {
  static const int file = memfd_create("fuzz", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  demand(ftruncate(file, 0) == 0);
  demand(pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  DocumentOptions options;
  options.content = TextContent::html;
  options.skip_broken_lines = skip_broken;
  DocumentCounts counts;
  std::int64_t texts = 0, refused = 0;
  try {
    for (const Document& document : read_documents(path, options, counts)) {
      demand(is_utf8(document.text) && !document.text.empty());
      ++texts;
    }
    for (const RefusedPages& pages : counts.refused_pages) refused += pages.pages;
    demand(texts + refused == counts.pages);
    lines_about(counts);
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool skip_broken : {false, true}) read_file(bytes, skip_broken);
  const std::string record =
      "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
      std::string(bytes) + "\r\n\r\n";
  read_file(record, true);
  for (const char* headers : {"", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                              "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
                              "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n"}) {
    const WebPage page = read_response(headers + std::string(bytes));
    demand(is_utf8(page.text) && is_utf8(page.title));
    demand((page.problem == PageProblem::none) == !page.text.empty());
  }
  return 0;
}
