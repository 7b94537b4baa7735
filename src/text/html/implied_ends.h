// Which elements end without their end tags (WHATWG HTML, section 13.2.6), for the tree's builder.
#pragma once

#include "text/html/tags.h"

namespace fathom::html {

// End tags do not close elements beyond these.
bool is_scope(Tag tag);

bool is_table_part(Tag tag);

// Whether a start tag of `opened` ends an element `open` that is still open.
bool ends_open(Tag opened, Tag open);

// Whether the search for an element that a start tag of `opened` ends stops at `open`.
bool stops_search(Tag opened, Tag open);

}  // namespace fathom::html
