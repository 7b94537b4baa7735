// segment.json. Internal to dedup.
#pragma once

#include <string>

#include "data/dedup/segment.h"

namespace fathom::dedup {

std::string to_json(const SegmentInfo& info);
// Throws an input Error that names the file.
SegmentInfo load_segment_info(const std::string& path);

}  // namespace fathom::dedup
