// Documents that are web pages (TextContent::html).
#pragma once

#include <optional>
#include <string>

#include "io/byte_reader.h"
#include "text/document.h"

namespace fathom {

// The bytes of a file that is one page: of a longer one than pages may be only as many as tell
// that.
std::string read_page_bytes(ByteReader& bytes);

// The main text of a page, with a row {"text", "title", ...} as metadata: of JSON the row, with the
// text in place of the page; of a response with "url" and "date"; of a file with "source". None for
// a page without one, which is counted. Any thread may call it.
std::optional<Document> read_page_document(RawDocument&& raw, const DocumentOptions& options,
                                           DocumentCounts& counts);

}  // namespace fathom
