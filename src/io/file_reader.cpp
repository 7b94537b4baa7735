#include "io/file_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/disk_calls.h"
#include "core/error.h"

namespace fathom {

FileReader::FileReader(std::string path) : path_(std::move(path)), file_(path_) {}

void FileReader::read(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const DiskCall call("reading", path_);
    const ssize_t count =
        pread(file_.descriptor(), into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fail_runtime("{}: reading failed after {} bytes: {}", path_, offset, std::strerror(errno));
    }
    if (count == 0) fail_input("{}: ends after {} bytes; it has been cut off", path_, offset);
    into = into.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void FileReader::will_need(std::uint64_t offset, std::uint64_t bytes) const {
  if (bytes == 0) return;  // 0 would mean: to the end of the file
  const DiskCall call("reading", path_);
  // This is advice: a file system that ignores it only reads later.
  posix_fadvise(file_.descriptor(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                POSIX_FADV_WILLNEED);
}

}  // namespace fathom
