// Files unpacked while they are read, plain or packed with gzip, zstd, xz or bzip2,
// told apart by their first bytes and never by their names. Memory use does not grow
// with the file. A damaged or truncated stream is an input Error that names the file.
#pragma once

#include <memory>
#include <string>

#include "io/byte_reader.h"

namespace fathom {

// The unpacked bytes of a file. A file packed twice is unpacked twice. Several packed
// parts one after another (as cat, pigz and pzstd make) are read as one, and zero bytes
// behind a part are padding; other bytes there are an Error, as are a file that cannot
// be read and damage, which reading finds.
std::unique_ptr<PeekReader> open_bytes(const std::string& path);
// The same for bytes from elsewhere; `name` begins messages.
std::unique_ptr<PeekReader> unpack(std::unique_ptr<ByteReader> bytes, const std::string& name);

}  // namespace fathom
