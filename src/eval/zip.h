// Reads .zip files.
#pragma once

#include <functional>
#include <string>

namespace fathom::eval {

// Calls take(name, content) for each regular file in the archive that `wanted` accepts, in the order
// of their names. Throws an input Error that names the archive and the member when one is damaged or
// unpacks to more than `max_bytes`.
void read_zip(const std::string& path, const std::function<bool(const std::string&)>& wanted,
              const std::function<void(const std::string& name, std::string content)>& take,
              std::size_t max_bytes = std::size_t{1} << 32);

}  // namespace fathom::eval
