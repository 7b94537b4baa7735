// Python's two ways of formatting: "%s of %d" % values, and "{} of {}".format(values).
#pragma once

#include "align/jinja/value.h"

namespace fathom::jinja {

// `arguments` is a tuple of values or one value.
Value format_percent(Rendering& rendering, const Value& format, const Value& arguments);
// str.format(): fields by position or name, without attributes.
Value format_braces(Rendering& rendering, const Text& format, const Arguments& arguments);

}  // namespace fathom::jinja
