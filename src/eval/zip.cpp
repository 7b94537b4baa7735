#include "eval/zip.h"

#include <zip.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/error.h"

namespace fathom::eval {
namespace {

struct Closer {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

std::unique_ptr<zip_t, Closer> open(const std::string& path) {
  int code = 0;
  std::unique_ptr<zip_t, Closer> archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  fail_input("{}: cannot be read as a zip file: {}", path, reason);
}

std::string read_member(zip_t* archive, zip_uint64_t index, std::uint64_t size,
                        const std::string& where, std::size_t max_bytes) {
  if (size > max_bytes) {
    fail_input("{}: unpacks to {} bytes, and at most {} are read", where, size, max_bytes);
  }
  const std::unique_ptr<zip_file_t, Closer> file(zip_fopen_index(archive, index, 0));
  if (!file) fail_input("{}: cannot be unpacked: {}", where, zip_strerror(archive));
  std::string content(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const zip_int64_t count = zip_fread(file.get(), content.data() + got, size - got);
    if (count <= 0) fail_input("{}: is damaged: {}", where, zip_file_strerror(file.get()));
    got += static_cast<std::size_t>(count);
  }
  char more = 0;  // the checksum is compared at the end
  if (zip_fread(file.get(), &more, 1) != 0) {
    fail_input("{}: is damaged: it does not have the length that it states, or its checksum", where);
  }
  return content;
}

}  // namespace

void read_zip(const std::string& path, const std::function<bool(const std::string&)>& wanted,
              const std::function<void(const std::string& name, std::string content)>& take,
              std::size_t max_bytes) {
  const auto archive = open(path);
  std::vector<std::pair<std::string, zip_uint64_t>> members;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* name = zip_get_name(archive.get(), index, 0);
    if (name && !std::string_view(name).ends_with('/') && wanted(name)) members.emplace_back(name, index);
  }
  std::ranges::sort(members);
  for (const auto& [name, index] : members) {
    const std::string where = path + ":" + name;
    zip_stat_t stat;
    if (zip_stat_index(archive.get(), index, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE)) {
      fail_input("{}: its size is not known", where);
    }
    take(name, read_member(archive.get(), index, stat.size, where, max_bytes));
  }
}

}  // namespace fathom::eval
