// Reads plain files and files packed with gzip, zstd, xz or bzip2. The first bytes decide
// which it is, never the name. Memory use does not grow with the file. A damaged or
// truncated file is an input Error that names it.
#pragma once

#include <memory>
#include <string>

#include "io/byte_reader.h"

namespace fathom {

// The unpacked bytes of a file. A file packed twice is unpacked twice. Several packed
// parts one after another (cat, pigz and pzstd make them) are read as one. Zero bytes behind
// a part are padding, other bytes there an Error. Throws an input Error when the file cannot
// be opened, and on reading when it is damaged.
std::unique_ptr<PeekReader> open_bytes(const std::string& path);
// The same for the bytes of another reader; `name` begins the messages.
std::unique_ptr<PeekReader> unpack(std::unique_ptr<ByteReader> bytes, const std::string& name);

}  // namespace fathom
