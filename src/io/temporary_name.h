// Names beside an output for unfinished files, and for files about to be removed.
// Internal to the io folder.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

inline constexpr std::string_view temporary_mark = ".tmp-";  // unfinished
inline constexpr std::string_view old_mark = ".old-";        // replaced, or about to be
inline constexpr std::string_view kept_mark = ".kept-";      // replaced, but holds files of others

// `<path><mark><pid>-<n>`: a name that no other writer of this or another process uses.
std::string name_beside(const std::string& path, std::string_view mark);

// Whether `name` has the form that name_beside() gives with this mark.
bool has_mark(std::string_view name, std::string_view mark);

std::string parent_of(const std::string& path);  // "." where the path has none

}  // namespace fathom
