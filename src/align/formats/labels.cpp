// Rows of single answers that are marked as good or bad.
#include "align/formats/formats.h"
#include "core/error.h"

namespace fathom::formats {

void refuse_labels(const RowJson& row) {
  for (const char* key : {"label", "kto_tag"}) {
    if (has_field(row, key) && row[key].is_boolean()) {
      fail_input(
          "'{}' marks the answer as good or bad (KTO); Fathom learns answers or pairs of them: "
          "keep the rows marked true, without '{}', or pair good and bad answers to a prompt as "
          "'chosen' and 'rejected' for `fathom dpo`",
          key, key);
    }
  }
}

}  // namespace fathom::formats
