// The text in a document that is a row of JSON.
#pragma once

#include <optional>

#include "text/document.h"
#include "text/json_field.h"

namespace fathom {

// The field that has the text. None for a broken row, which is counted, when these are skipped;
// when they are not, throws an input Error with file and line.
std::optional<JsonField> find_field(const RawDocument& raw, const DocumentOptions& options,
                                    DocumentCounts& counts);

}  // namespace fathom
