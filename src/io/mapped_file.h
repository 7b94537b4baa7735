// Maps a file's content into read-only memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// Maps a whole file. Movable, not copyable; views of its content live as long as it does.
// When a mapped file shrinks, the operating system ends a process that reads the lost part:
// map only files that are complete.
class MappedFile {
 public:
  enum class Access {
    sequential,  // once, from the front: the kernel reads far ahead, and forgets soon
    random,      // a little here and there: it reads no more than that
    usual,       // in any order, all of it, perhaps for long
  };

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
