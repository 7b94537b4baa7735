#include "io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace fathom {

MappedFile::MappedFile(const std::string& path, Access access) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0 || S_ISDIR(status.st_mode)) {
    const int problem = file >= 0 && S_ISDIR(status.st_mode) ? EISDIR : errno;
    if (file >= 0) close(file);
    fail_input("{}: cannot read this file: {}", path, std::strerror(problem));
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ > 0) {
    void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
      const int problem = errno;
      close(file);
      fail_input("{}: cannot map this file: {}", path, std::strerror(problem));
    }
    madvise(data, size_, access == Access::sequential ? MADV_SEQUENTIAL : MADV_RANDOM);
    data_ = static_cast<const std::byte*>(data);
  }
  close(file);
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
