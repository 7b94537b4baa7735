// A file's content as read-only memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// Maps a whole file. Movable, not copyable; the views live as long as it does.
// A file that shrinks while it is mapped ends the process when the lost part is
// touched (the operating system's rule), so map only files that are complete.
class MappedFile {
 public:
  enum class Access { sequential, random };

  MappedFile() = default;
  // Throws an input Error that names the file when it cannot be opened or mapped.
  explicit MappedFile(const std::string& path, Access access = Access::sequential);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  std::size_t size() const { return size_; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace fathom
