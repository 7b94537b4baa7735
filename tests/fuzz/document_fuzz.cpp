// Any bytes are cut into documents in every format, and what comes out is valid UTF-8.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "text/document.h"
#include "text/text_blocks.h"
#include "text/utf8.h"

namespace {

void demand(bool holds) {
  if (!holds) std::abort();
}

void read_as(const std::string& path, fathom::DocumentOptions options) {
  try {
    fathom::DocumentCounts counts;
    for (const auto& document : fathom::read_documents(path, options, counts)) {
      if (options.invalid_utf8 == fathom::InvalidUtf8::replace) {
        demand(fathom::utf8::valid_prefix(document.text) == document.text.size());
      }
    }
    demand(counts.replaced_bytes >= counts.repaired_documents);
    fathom::lines_about(counts);
  } catch (const fathom::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  // The input as a file in memory.
  static const int file = memfd_create("fuzz", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  demand(ftruncate(file, 0) == 0);
  demand(pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  for (const auto format : {TextFormat::automatic, TextFormat::text, TextFormat::lines,
                            TextFormat::separated, TextFormat::jsonl}) {
    DocumentOptions options;
    options.format = format;
    options.skip_broken_lines = true;
    read_as(path, options);
    options.max_bytes = 16;
    read_as(path, options);
    options.bare_strings = options.keep_empty_lines = true;
    options.invalid_utf8 = InvalidUtf8::keep;
    options.separator = "a";
    read_as(path, options);
  }
  try {
    TextBlocks blocks({path, path}, "text");
    for (TextBlock block; blocks.cut(block);) blocks.read(std::move(block));
  } catch (const Error&) {
  }
  return 0;
}
