#include "io/mapped_file.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "io/readable_file.h"

namespace fathom {

MappedFile::MappedFile(const std::string& path, Access access) {
  const ReadableFile file(path);
  if (file.size() == 0) return;
  size_ = static_cast<std::size_t>(file.size());
  void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED) fail_input("{}: cannot map this file: {}", path, std::strerror(errno));
  if (access == Access::sequential) madvise(data, size_, MADV_SEQUENTIAL);
  if (access == Access::random) madvise(data, size_, MADV_RANDOM);
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::MappedFile(MappedFile&& other) noexcept {
  *this = std::move(other);
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace fathom
